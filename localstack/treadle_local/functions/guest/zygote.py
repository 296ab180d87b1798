"""The preloaded parent of execution environments: it imports what all need, and forks one process per request.

A request is one message on a socket: {"environment", "task_root", "handler", "temporary_mb", "project"} with the file
descriptor for the output. It is answered by {"pid"} or {"refused"}. The end of a process is told as {"ended": pid,
"code": n, "peak_kb": m}: n as subprocess has it, m the most memory that it had. When the socket closes, every process
and all that it has started is killed: that is why this process itself is not killed with the emulator.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

from treadle_local.functions.guest.client import run, search_path
from treadle_local.functions.guest.sandbox import RUNTIME_ROOT, TASK_ROOT, Sandbox, end_with_parent

_MESSAGE_BYTES = 1 << 20
_DESCRIPTORS = 1024
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (file descriptors)"""
_LOG_DESCRIPTOR = 3

# What AWS's client imports. Not `bootstrap`, which reads the environment as it is imported, and not `runtime_client`,
# which reads the address of the Runtime API as it is loaded.
_OF_CLIENT = (
    *("importlib", "json", "logging", "time", "traceback", "tokenize", "http", "http.client", "decimal", "math"),
    *("simplejson", "snapshot_restore_py", "awslambdaric", "awslambdaric.lambda_config"),
    *("awslambdaric.lambda_context", "awslambdaric.lambda_literals", "awslambdaric.lambda_runtime_exception"),
    *("awslambdaric.lambda_runtime_log_utils", "awslambdaric.lambda_runtime_marshaller"),
)
# What is slow to import and has no state that a function could tell; only where a layer has it.
_OF_LAYERS = ("pydantic", "boto3", "botocore.session", "aws_lambda_powertools")


def main() -> None:
    """argv: descriptor of the socket, runtime folder, layers' folder or ""."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    runtime_folder, layers = sys.argv[2], sys.argv[3] or None
    sandbox = Sandbox.enter(runtime_folder, layers, (os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)))
    standard = [entry for entry in sys.path if entry != sys.argv[4]]
    if sandbox is not None:
        runtime_folder = RUNTIME_ROOT
        layers = layers and (sandbox.layers_root or layers)
    sys.path[:] = [*search_path("", layers, runtime_folder)[1:], *standard]
    third_party = _preload(layers)
    gc.collect()
    gc.freeze()
    try:
        channel.send(json.dumps({"ready": sandbox is not None}).encode())
    except ConnectionError:  # the emulator has ended already
        return
    taken = _serve(channel)
    if taken is None:
        return
    request, output = taken
    _become(request, output, sandbox, runtime_folder)
    sys.path[:] = [*search_path(os.environ["LAMBDA_TASK_ROOT"], layers, runtime_folder), *standard]
    _give_way(third_party)
    run(request["handler"])


def _preload(layers: str | None) -> frozenset[str]:
    """Imports what functions need; the names of what is neither the client's nor the standard library's."""
    for name in _OF_CLIENT:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    before = frozenset(sys.modules)
    if layers is not None:
        for name in _OF_LAYERS:
            spec = importlib.util.find_spec(name.partition(".")[0])
            if spec is not None and (spec.origin or "").startswith(layers):
                with contextlib.suppress(Exception):  # the function that imports it is told why it fails
                    module = importlib.import_module(name)
                    if name == "pydantic":
                        module.create_model("Model", value=(int, ...))  # most of it is imported by the first model
    return frozenset(sys.modules) - before


def _give_way(third_party: frozenset[str]) -> None:
    """Forgets what was imported early where the function's own code has something of that name: it comes first."""
    own = {entry.name.partition(".")[0] for entry in os.scandir(os.environ["LAMBDA_TASK_ROOT"])}
    if any(name.partition(".")[0] in own for name in third_party):
        for name in third_party:
            sys.modules.pop(name, None)


def _serve(channel: socket.socket) -> tuple[dict[str, Any], int] | None:
    """Forks at each request. Returns the request in a child, and None in the parent once the socket is closed."""
    living: dict[int, int] = {}
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            try:
                if descriptor != channel.fileno():
                    poller.unregister(descriptor)
                    _bury(channel, descriptor, living.pop(descriptor))
                    continue
                message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 1)
                if not message:
                    raise ConnectionError
                pid = _fork(channel)
                if pid == 0:
                    channel.detach()
                    return json.loads(message), descriptors[0]
                os.close(descriptors[0])
                if pid is not None:
                    ending = os.pidfd_open(pid)
                    living[ending] = pid
                    poller.register(ending, select.POLLIN)
                    channel.send(json.dumps({"pid": pid}).encode())
            except ConnectionError:
                for pid in living.values():
                    _kill_group(pid)
                return None


def _fork(channel: socket.socket) -> int | None:
    try:
        return os.fork()
    except OSError as problem:
        channel.send(json.dumps({"refused": str(problem)}).encode())
        return None


def _bury(channel: socket.socket, ending: int, pid: int) -> None:
    os.close(ending)
    _kill_group(pid)  # what it started dies with it, as on Lambda
    _, status, used = os.wait4(pid, 0)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    channel.send(json.dumps({"ended": pid, "code": code, "peak_kb": used.ru_maxrss}).encode())


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _become(request: dict[str, Any], output: int, sandbox: Sandbox | None, runtime_folder: str) -> None:
    """Makes a fresh child of the process that the request describes: its group, files, limits, folders, environment."""
    os.setsid()
    end_with_parent()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, max(nothing, output, 256) + 1)
    os.dup2(1, _LOG_DESCRIPTOR)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(_DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    task_root = request["task_root"]
    environment = dict(request["environment"])
    if sandbox is not None:
        sandbox.seal(task_root, request["temporary_mb"], request["project"])
        sys.dont_write_bytecode = request["project"] is not None
        task_root = TASK_ROOT
        environment.pop("TMPDIR", None)
    environment.update(
        LAMBDA_TASK_ROOT=task_root,
        LAMBDA_RUNTIME_DIR=runtime_folder,
        PYTHONPATH=runtime_folder,
        _LAMBDA_TELEMETRY_LOG_FD=str(_LOG_DESCRIPTOR),
    )
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(task_root)
