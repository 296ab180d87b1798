"""Lambda's handler of a step that takes messages: `treadle.entry.event.handler`."""

from __future__ import annotations

from treadle.dispatch import start

handler = start()
