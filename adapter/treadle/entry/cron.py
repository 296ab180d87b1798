"""Lambda's handler of a step that runs on a schedule: `treadle.entry.cron.handler`."""

from __future__ import annotations

from treadle.dispatch import start

handler = start()
