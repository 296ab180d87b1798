"""Lets a debugger into the process, before the function is loaded."""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from typing import Any


def listen(setting: str) -> None:
    """Waits for debuggers on a loopback port from here on; the function need not wait for them.

    `setting` is JSON: {"port", "debugger": the folder that debugpy is in, "paths": [[the debugger's, ours]]}.
    The debug adapter is a thread of this process, so that the port is free again when it ends.
    """
    given = json.loads(setting)
    _check_free(given["port"])
    sys.path.insert(0, given["debugger"])
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or it warns, as of something that is wrong, of frozen modules
    try:
        debugpy: Any = importlib.import_module("debugpy")
        debugpy.listen(("127.0.0.1", given["port"]), in_process_debug_adapter=True)
        paths: Any = importlib.import_module("pydevd_file_utils")
    finally:
        sys.path.remove(given["debugger"])
        del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]
    # a debugger that has mappings of its own sets them when it attaches
    paths.setup_client_server_paths([tuple(pair) for pair in given["paths"]])


def _check_free(port: int) -> None:
    """Ends the process where somebody else has the port: debugpy would wait for it without a word."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            print(f"no debugger can come in: port {port} is in use", flush=True)  # noqa: T201
            sys.exit(1)
