"""Lambda's handler of a step that answers requests: `treadle.entry.api.handler`."""

from __future__ import annotations

from treadle.dispatch import start

handler = start()
