"""Who holds a port, so that a busy one is an error with a name in it."""

from __future__ import annotations

import contextlib
from pathlib import Path

_LISTENING = "0A"


def holder_of(port: int) -> str | None:
    """The program and process id that listens on a TCP port, as far as this system tells (Linux's /proc), else None."""
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening_inodes(table, port)}
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in inodes:
                        command = (process / "cmdline").read_text().replace("\0", " ").strip()
                        return f"process {process.name} ({command[:80]})"
    return None


def _listening_inodes(table: str, port: int) -> list[str]:
    try:
        lines = (Path("/proc/net") / table).read_text().splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rsplit(":", 1)[1], 16) == port]
