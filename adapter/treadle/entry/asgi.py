"""Lambda's handler of a step that is an ASGI application: `treadle.entry.asgi.handler`."""

from __future__ import annotations

from treadle.dispatch import start

handler = start()
