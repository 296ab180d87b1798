"""What files have told when they were imported, kept for as long as all that they were made from stays the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from treadle_infra.discovery.importing import CHILD, LOADER, Answer, ImportOptions, Request
from treadle_infra.discovery.source import Sources


class ImportCache:
    """Answers of the child, one JSON file each. The folder may be deleted at any time; None keeps nothing."""

    def __init__(self, folder: Path | None, project: Path, options: ImportOptions) -> None:
        self._folder = folder
        self._key = "" if folder is None else _key(project, options)

    def find(self, request: Request) -> Answer | None:
        """What the file told last; `is_fresh` tells whether it would tell the same today."""
        if self._folder is None:
            return None
        try:
            entry: object = json.loads(self._file(self._folder, request).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(entry, dict):
            return None
        known = cast("dict[str, Any]", entry)
        return known if known.get("key") == self._key and isinstance(known.get("answer"), dict) else None

    def is_fresh(self, entry: Mapping[str, Any], files: Iterable[str], sources: Sources) -> bool:
        """True where `files`, all that the module is made from, are those of the entry, with the same contents."""
        return entry.get("files") == {file: sources.digest(file) for file in files}

    def keep(self, request: Request, answer: Answer, files: Iterable[str], sources: Sources) -> None:
        """Keeps an answer; one that tells of a failure is not kept, since the cause may lie elsewhere."""
        if self._folder is None or "error" in answer:
            return
        file = self._file(self._folder, request)
        entry = {"key": self._key, "files": {name: sources.digest(name) for name in files}, "answer": answer}
        with contextlib.suppress(OSError):  # without a cache the next start is slower, that is all
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f"{file.stem}.{os.getpid()}")
            fresh.write_text(json.dumps(entry), encoding="utf-8")
            fresh.replace(file)

    @staticmethod
    def _file(folder: Path, request: Request) -> Path:
        name = hashlib.sha256("\0".join(request).encode()).hexdigest()[:32]
        return folder / "imports" / f"{name}.json"


def _key(project: Path, options: ImportOptions) -> str:
    """A digest of all that an answer depends on besides the project's files."""
    digest = hashlib.sha256()
    for part in (str(project), *options.extra_paths, *_identity(options.interpreter), repr(options.variables)):
        digest.update(f"{len(part)}:{part}".encode())
    for file in (CHILD, LOADER, project / ".env"):
        with contextlib.suppress(OSError):
            digest.update(file.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def _identity(interpreter: str) -> tuple[str, ...]:
    try:
        status = Path(interpreter).stat()
    except OSError:
        return (interpreter,)
    return (interpreter, str(status.st_mtime_ns), str(status.st_size))
