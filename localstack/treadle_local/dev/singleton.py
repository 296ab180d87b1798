"""One `treadle dev` a project: a second one would write over the first one's assembly and addresses."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

from treadle_infra.app.findings import TreadleError
from treadle_local.running import read_details


class ProjectLock:
    """Held from the first moment of a run to its last, by the operating system: no crash leaves it behind.

    Where there are no such locks (Windows), a second run is noticed once the first one is ready.
    """

    def __init__(self, project: Path, folder: Path) -> None:
        """Raises TreadleError `already-running` where another run of this project holds the lock."""
        self._file: IO[str] = (folder / "dev.lock").open("a+")
        if not _locked(self._file):
            self._file.seek(0)
            holder = self._file.read().strip() or "another one"
            self._file.close()
            raise _refusal(project, holder)
        if sys.platform == "win32" and (details := read_details(project)) is not None:
            raise _refusal(project, str(details["pid"]))
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._file.truncate(0)
        self._file.close()


def _locked(file: IO[str]) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(project: Path, holder: str) -> TreadleError:
    details = read_details(project)
    return TreadleError(
        "already-running",
        f"`treadle dev` runs for {project} already, as process {holder}"
        + (f", on {details['http']}" if details else ""),
        hint="stop it first, or copy the project to run it twice",
    )
