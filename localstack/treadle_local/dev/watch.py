"""Notices edits in a project."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch  # pyright: ignore[reportUnknownVariableType]

from treadle_local.dev.inotify import Inotify

_IGNORED = (
    "__pycache__",
    ".git",
    ".treadle",
    ".venv",
    "venv",
    "node_modules",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
)
_WRITTEN_BY_STEPS = r"\.(?:db|log|sqlite3?)(?:-journal|-shm|-wal)?$"
_QUIET_SECONDS = 0.01
"""An editor that saves, or a tool that writes many files, is done when it has been quiet for so long."""
_PATIENCE_SECONDS = 0.1


class Edits:
    """Notices edits from the moment it is made, those too that come while nobody waits for one.

    Raises: OSError for what keeps edits from being noticed.
    """

    def __init__(self, project: Path) -> None:
        self._project = project.resolve()
        self._filter = DefaultFilter(
            ignore_dirs=_IGNORED,
            ignore_entity_patterns=(*DefaultFilter.ignore_entity_patterns, _WRITTEN_BY_STEPS),
        )
        self._stop = asyncio.Event()
        self._edited = asyncio.Event()
        self._burst_began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._inotify: Inotify | None = None
        self._watching: asyncio.Task[None] | None = None
        if _has_inotify():
            self._inotify = Inotify(self._project, self._is_of_interest, self._touched)
        else:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def next(self) -> None:
        """Returns when something was edited since the last time. Raises what keeps edits from being noticed."""
        waiting = asyncio.get_running_loop().create_task(self._edited.wait())
        watching = () if self._watching is None else (self._watching,)
        try:
            await asyncio.wait({waiting, *watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._watching is not None and self._watching.done():
            self._watching.result()
        self._edited.clear()

    async def close(self) -> None:
        """Watches no more."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._inotify is not None:
            self._inotify.close()
        if self._watching is not None:
            await asyncio.gather(self._watching, return_exceptions=True)

    def _is_of_interest(self, path: str) -> bool:
        return self._filter(Change.modified, os.path.relpath(path, self._project))

    def _touched(self, _path: str) -> None:
        """Each burst of edits counts once, when it is over or goes on for too long."""
        loop = asyncio.get_running_loop()
        if self._burst_began is None:
            self._burst_began = loop.time()
        if self._timer is not None:
            self._timer.cancel()
        end = min(loop.time() + _QUIET_SECONDS, self._burst_began + _PATIENCE_SECONDS)
        self._timer = loop.call_at(end, self._burst_ended)

    def _burst_ended(self) -> None:
        self._burst_began = None
        self._edited.set()

    async def _watch(self) -> None:
        """Where the system has no inotify, or one that misses edits."""
        batches = awatch(
            self._project, watch_filter=self._filter, stop_event=self._stop, debounce=60, step=20, raise_interrupt=False
        )
        async for batch in batches:
            if batch:
                self._edited.set()


def _has_inotify() -> bool:
    """Folders of Windows, as its Linux sees them, tell of no edits: there `watchfiles` looks again and again."""
    is_linux = platform.system() == "Linux" and "microsoft" not in platform.release().lower()
    return is_linux and "WATCHFILES_FORCE_POLLING" not in os.environ
