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


async def changes(project: Path, stop: asyncio.Event) -> AsyncIterator[frozenset[Path]]:
    """Yields the files that changed, each burst of edits once, until `stop` is set."""
    only = DefaultFilter(ignore_dirs=_IGNORED)
    batches = awatch(project, watch_filter=only, stop_event=stop, debounce=60, step=20, raise_interrupt=False)
    async for batch in batches:
        touched = frozenset(Path(path) for _, path in batch)
        if touched:
            yield touched
