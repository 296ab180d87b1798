"""Lambda's handler of the changes that trigger steps: `treadle.entry.changes.handler`."""

from __future__ import annotations

from treadle.changes.fan_out import start

handler = start()
