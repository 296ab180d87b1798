"""Lambda's handler of the stream tables' changes: `treadle.entry.broadcast.handler`."""

from __future__ import annotations

from treadle.live.broadcast import start

handler = start()
