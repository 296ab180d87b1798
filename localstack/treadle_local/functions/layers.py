"""The layers of a function on this machine's disk, for the runtime: each one's zip unpacked once per content."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from treadle_local.functions.model import CodePackage, FunctionVersion

_PERMISSIONS = 0o777
_READABLE = 0o644


class Layers:
    """Unpacks layers into `cache`, which may be shared by emulators and thrown away between their runs."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    async def folders(self, version: FunctionVersion) -> tuple[Path, ...]:
        """The folders that are laid over one another in /opt, in the order of the function's layers: later ones win."""
        return tuple([await self._folder(package) for package in version.layer_packages])

    async def root(self, version: FunctionVersion) -> Path | None:
        """The folder that stands for /opt: all layers of the function in one. None for a function without layers."""
        folders = await self.folders(version)
        if len(folders) < 2:
            return next(iter(folders), None)
        names = "/".join(folder.name for folder in folders)
        folder = self._cache / f"layers-{hashlib.sha256(names.encode()).hexdigest()}"
        if not folder.is_dir():
            await asyncio.to_thread(_make, folder, lambda fresh: _lay_over(folders, fresh))
        return folder

    async def _folder(self, package: CodePackage) -> Path:
        folder = self._cache / f"layer-{_file_name(package.sha256_base64)}"
        if not folder.is_dir():
            await asyncio.to_thread(_make, folder, lambda fresh: _unpack(package, fresh))
        return folder


def _file_name(digest_base64: str) -> str:
    return digest_base64.replace("/", "_").replace("+", "-").rstrip("=")


def _make(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder whole or not at all, also where another emulator makes it at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    try:
        fresh.mkdir()
        fill(fresh)
        fresh.replace(folder)
    except OSError:
        if not folder.is_dir():  # else another environment was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _lay_over(layers: Sequence[Path], folder: Path) -> None:
    """Hard links to the files of all layers: where several have a path, the last one's."""
    for layer in reversed(layers):
        for parent, _, names in os.walk(layer):
            target = folder / Path(parent).relative_to(layer)
            try:
                target.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):  # it is a file in a later layer
                continue
            for name in names:
                if not os.path.lexists(target / name):
                    os.link(Path(parent, name), target / name, follow_symlinks=False)


def _unpack(package: CodePackage, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package.read())) as archive:
        _extract(archive, folder)


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """Writes the archive's files with their permissions. Nothing gets outside of the folder, nor leads there.

    Links are made when all files are written, so that none is written through one.
    """
    links: dict[Path, str] = {}
    for member in archive.infolist():
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            continue
        path, mode = folder.joinpath(*name.parts), member.external_attr >> 16
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            links[path] = archive.read(member).decode("utf-8", "surrogateescape")
            continue
        with archive.open(member) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file)
        path.chmod((mode & _PERMISSIONS) or _READABLE)
    for path, target in links.items():
        if not path.exists():
            path.symlink_to(target)
    root = folder.resolve()
    for path in links:
        if path.is_symlink() and not _leads_into(path, root):
            path.unlink()


def _leads_into(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links that go round in a circle
        return False
