"""Functions that wait for a debugger: one environment each, which nothing cuts short."""

from __future__ import annotations

import importlib.util
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from treadle_infra.app.findings import TreadleError

VARIABLE = "TREADLE_INSPECT"
PATIENCE_SECONDS = 86_400.0
"""How long an inspected function may start, an event of it take, and a request wait for it: a person looks at it."""
MEMORY_MB = 1 << 20
USUAL_PORT = 5678
"""What debuggers of Python try first."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Where a debugger finds a function, and what the paths that the debugger knows begin with."""

    port: int
    debugger: Path
    """The folder that debugpy is in"""
    project: Path

    def variable(self, code: Path) -> str:
        """What the process is told, whose code lies in the folder `code`."""
        paths = [[str(self.project), str(code / "app")]]
        return json.dumps({"port": self.port, "debugger": str(self.debugger), "paths": paths})


def find_debugger() -> Path:
    """The folder that debugpy is in. Raises TreadleError `debugger-missing`."""
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise TreadleError(
            "debugger-missing",
            "--inspect needs debugpy, which is not installed beside Treadle",
            hint="pip install 'treadle[debug]'",
        )
    return Path(found.origin).parents[1]


def free_ports(count: int, first: int | None, host: str = "127.0.0.1") -> tuple[int, ...]:
    """Ports that nobody listens on: from `first` on without a gap, or else the next ones from the usual one on.

    Raises TreadleError `port-busy` for one of those that were asked for.
    """
    ports: list[int] = []
    port = USUAL_PORT if first is None else first
    while len(ports) < count:
        if _is_free(host, port):
            ports.append(port)
        elif first is not None:
            raise TreadleError(
                "port-busy",
                f"port {port} is in use, and a debugger was to find a step there",
                hint="stop what listens there, or give another --inspect-port",
            )
        port += 1
    return tuple(ports)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
