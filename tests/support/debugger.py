"""A debugger as an editor has it: the Debug Adapter Protocol over a socket.

Source: https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

Json = dict[str, Any]


class Debugger:
    """Attaches to a port, with breakpoints at lines of files, and has the program run on when it goes.

    One that does not take its leave is an editor that has crashed.
    """

    def __init__(self, port: int, breakpoints: dict[Path, list[int]], *, leaves: bool = True) -> None:
        self._leaves = leaves
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._file = self._socket.makefile("rb")
        self._sent = 0
        self._early: list[Json] = []
        self.ask("initialize", clientID="vscode", adapterID="debugpy", pathFormat="path")
        attaching = self._send("attach", connect={"host": "127.0.0.1", "port": port})
        self.event("initialized")
        self.breakpoints = {
            path: self.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": one} for one in lines])
            for path, lines in breakpoints.items()
        }
        self.ask("configurationDone")
        self._answer(attaching)

    def __enter__(self) -> Debugger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None and self._leaves:
            self.ask("disconnect", terminateDebuggee=False)
        self._file.close()
        self._socket.close()

    def stopped(self) -> tuple[int, list[Json]]:
        """The thread that stands at a breakpoint next, and its frames."""
        body = self.event("stopped")["body"]
        assert body["reason"] == "breakpoint"
        frames: list[Json] = self.ask("stackTrace", threadId=body["threadId"])["stackFrames"]
        return body["threadId"], frames

    def local(self, frame: Json, name: str) -> str:
        """The value of a local variable, as an editor shows it."""
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        found = self.ask("variables", variablesReference=scopes[0]["variablesReference"])["variables"]
        return str({one["name"]: one["value"] for one in found}[name])

    def ask(self, command: str, **arguments: Any) -> Json:
        return self._answer(self._send(command, **arguments))

    def event(self, name: str) -> Json:
        return self._next(lambda message: message.get("event") == name)

    def _send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sent

    def _answer(self, number: int) -> Json:
        answer = self._next(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        body: Json = answer.get("body") or {}
        return body

    def _next(self, is_it: Callable[[Json], bool]) -> Json:
        for index, message in enumerate(self._early):
            if is_it(message):
                return self._early.pop(index)
        while not is_it(message := self._read()):
            self._early.append(message)
        return message

    def _read(self) -> Json:
        length = 0
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the debug adapter has hung up"
        message: Json = json.loads(self._file.read(length))
        return message
