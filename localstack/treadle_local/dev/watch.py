"""Notices edits in a project."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import DefaultFilter, awatch  # pyright: ignore[reportUnknownVariableType]

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


class Edits:
    """Notices edits from the moment it is made, those too that come while nobody waits for one."""

    def __init__(self, project: Path) -> None:
        self._stop = asyncio.Event()
        self._edited = asyncio.Event()
        self._watching = asyncio.get_running_loop().create_task(self._watch(project))

    async def next(self) -> None:
        """Returns when something was edited since the last time. Raises what keeps edits from being noticed."""
        waiting = asyncio.get_running_loop().create_task(self._edited.wait())
        try:
            await asyncio.wait({waiting, self._watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._watching.done():
            self._watching.result()
        self._edited.clear()

    async def close(self) -> None:
        """Watches no more."""
        self._stop.set()
        await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self, project: Path) -> None:
        async for _ in changes(project, self._stop):
            self._edited.set()


async def changes(project: Path, stop: asyncio.Event) -> AsyncIterator[frozenset[Path]]:
    """Yields the files that changed, each burst of edits once, until `stop` is set."""
    only = DefaultFilter(ignore_dirs=_IGNORED)
    batches = awatch(project, watch_filter=only, stop_event=stop, debounce=60, step=20, raise_interrupt=False)
    async for batch in batches:
        touched = frozenset(Path(path) for _, path in batch)
        if touched:
            yield touched
