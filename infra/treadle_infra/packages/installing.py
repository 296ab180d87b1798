"""Installs a project's requirements for one platform into a folder of their own, once for as long as they stay."""

from __future__ import annotations

import csv
import email.parser
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from treadle_infra.packages.binaries import binary_problem
from treadle_infra.packages.distributions import Distribution, Distributions, InstalledFile, normal_name
from treadle_infra.packages.platforms import Platform
from treadle_infra.packages.refusals import refusal
from treadle_infra.packages.requirements import Requirements
from treadle_infra.packages.uv import run_uv

INSTALL_FORMAT = 3
LAYER_ROOT = "/opt/python"
"""Where Lambda shows a layer's packages. Source: https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html"""

_INDEX = "index.json"
_PACKAGES = "python"
_DROPPED_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
"""They say where and how something was installed, which is another thing on each machine."""
_BROUGHT_BY_TREADLE = ("treadle", "motia", "iii-motia", "iii-sdk")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COMPILE_TIMEOUT_SECONDS = 300
_UNUSED_FOR_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Installed:
    """`folder` is what goes on `sys.path`."""

    folder: Path
    distributions: Distributions


def install(requirements: Requirements, platform: Platform, cache: Path) -> Installed:
    """The requirements as they are on this platform; nothing is resolved again while they and it stay the same.

    Raises: TreadleError `package-not-found`, `package-source-only`, `package-wrong-platform`, `packages-not-resolved`.
    """
    parts = (str(INSTALL_FORMAT), requirements.digest, platform.name, platform.python_version, str(platform.compiles))
    folder = cache / "packages" / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    if not (folder / _INDEX).is_file():
        _make(requirements, platform, folder)
    return Installed(folder / _PACKAGES, _read_index(folder / _INDEX))


def forget_unused(cache: Path) -> None:
    """Removes the folders that no build has asked for in a week."""
    oldest = time.time() - _UNUSED_FOR_SECONDS
    for folder in (cache / "packages").glob("*"):
        try:
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another build was faster


def _make(requirements: Requirements, platform: Platform, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        packages = fresh / _PACKAGES
        packages.mkdir()
        _run_installer(requirements, platform, fresh)
        owned = list(_owned_files(packages))
        _drop_traces(packages)
        if platform.compiles:
            _compile(packages, platform.interpreter)
        every = [_distribution(packages, folder, paths, platform) for folder, paths in owned]
        (fresh / _INDEX).write_text(json.dumps([asdict(one) for one in every]))
        fresh.chmod(0o755)
        try:
            fresh.rename(folder)
        except OSError:
            if not (folder / _INDEX).is_file():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run_installer(requirements: Requirements, platform: Platform, fresh: Path) -> None:
    excludes = fresh / "excludes.txt"
    excludes.write_text("".join(f"{name}\n" for name in _BROUGHT_BY_TREADLE))
    command = ["pip", "install", "--target", str(fresh / _PACKAGES), "--python", platform.interpreter]
    command += ["--link-mode", "copy", "--only-binary", ":all:", "--no-editable"]
    command += ["--excludes", str(excludes)]
    if platform.wheel_tag is not None:
        command += ["--python-platform", platform.wheel_tag, "--python-version", platform.python_version]
    for package in requirements.local:
        command += ["--no-binary", package.name, "--reinstall-package", package.name]
    for file in requirements.files:
        command += ["--requirement", str(file)]
    done = run_uv(command, requirements.project)
    excludes.unlink()
    if done.returncode:
        raise refusal(done.stderr, requirements, platform)


def _owned_files(packages: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each distribution's folder of metadata, and its files, none of them outside the packages or a script."""
    for folder in sorted(packages.glob("*.dist-info")):
        with (folder / "RECORD").open(newline="", encoding="utf-8") as record:
            paths = {row[0].replace("\\", "/") for row in csv.reader(record) if row}
        yield folder, sorted(path for path in paths if not path.startswith(("..", "/", "bin/")))


def _drop_traces(packages: Path) -> None:
    """Removes what differs from machine to machine, and what nobody calls on Lambda."""
    (packages / ".lock").unlink(missing_ok=True)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for folder in packages.glob("*.dist-info"):
        for name in _DROPPED_FILES:
            (folder / name).unlink(missing_ok=True)
    for cached in list(packages.rglob("__pycache__")):
        shutil.rmtree(cached, ignore_errors=True)


def _compile(packages: Path, interpreter: str) -> None:
    """Writes bytecode that is used without a look at its source. A file of another Python's is left without.

    Two workers: a layer is made once, and the machine has other things to do.
    """
    command = [interpreter, "-I", "-m", "compileall", "-q", "-q", "-j", "2", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(packages), "-p", LAYER_ROOT, str(packages)]
    subprocess.run(command, capture_output=True, timeout=_COMPILE_TIMEOUT_SECONDS, check=False)


def _distribution(packages: Path, metadata: Path, paths: list[str], platform: Platform) -> Distribution:
    headers = email.parser.HeaderParser().parsestr((metadata / "METADATA").read_text(encoding="utf-8"))
    files: list[InstalledFile] = []
    problems: list[str] = []
    for path in [one for source in paths for one in (source, *_bytecode(packages, source))]:
        try:
            content = (packages / path).read_bytes()
        except OSError:
            continue  # dropped
        files.append(InstalledFile(path, len(content), hashlib.sha256(content).hexdigest()))
        problem = (
            binary_problem(path, content, platform.architecture, platform.glibc) if platform.architecture else None
        )
        problems += [] if problem is None else [problem]
    requires = {normal_name(match[0]) for text in headers.get_all("Requires-Dist", ()) if (match := _NAME.match(text))}
    name, version = str(headers["Name"]), str(headers["Version"])
    return Distribution(name, version, tuple(sorted(requires)), tuple(files), tuple(problems))


def _bytecode(packages: Path, source: str) -> Iterator[str]:
    if source.endswith(".py"):
        folder, _, name = source.rpartition("/")
        cache = f"{folder}/__pycache__" if folder else "__pycache__"
        for found in (packages / cache).glob(f"{name.removesuffix('.py')}.cpython-*.pyc"):
            yield f"{cache}/{found.name}"


def _read_index(index: Path) -> Distributions:
    index.parent.touch()  # it is in use
    return Distributions(
        Distribution(
            entry["name"],
            entry["version"],
            tuple(entry["requires"]),
            tuple(InstalledFile(**file) for file in entry["files"]),
            tuple(entry["problems"]),
        )
        for entry in json.loads(index.read_bytes())
    )
