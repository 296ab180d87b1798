"""Lambda's handler of the WebSocket API's events: `treadle.entry.websocket.handler`."""

from __future__ import annotations

from treadle.live.websocket import start

handler = start()
