"""One execution environment: a process that runs a function under AWS's own runtime client, one event at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from treadle_local.functions.runtime_api import RuntimeApi
from treadle_local.http.messages import Response

INIT_TIMEOUT_SECONDS = 10.0
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib"""

RESPONSE_LIMIT_BYTES = 6_291_556
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (6 MB for a synchronous response)"""
_REMEMBERED_LINES = 4096
_TELL_SECONDS = 0.2
"""So often it is looked for what a process writes while it works on an event; short ones tell it when they end."""
_PIPE_BYTES = 1024 * 1024
_STATUS_BYTES = 2048

Status = Literal["success", "error", "timeout"]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the process: the command, its folder and its whole environment."""

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


class Work(NamedTuple):
    """One event for the process. Times in seconds."""

    request_id: str
    payload: bytes
    invoked_arn: str
    trace_header: str
    timeout_seconds: float
    client_context: str = ""


class Done(NamedTuple):
    """What came of it. `payload` is the handler's result, or AWS's error document when `status` is not success.

    `output` holds the last lines that the process wrote meanwhile, `untold` those of them that `on_lines` has not had.
    """

    status: Status
    payload: bytes
    duration_ms: float
    init_ms: float | None
    peak_memory_mb: int
    output: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


class Environment:
    """A running process of one function version. Starts with `start`; `dead` once it has ended for any reason."""

    def __init__(self, api: RuntimeApi, on_lines: Callable[[str, Sequence[str]], None]) -> None:
        """`on_lines` is told the id of the request that the process works on, and the lines it has written."""
        self.token = secrets.token_urlsafe(18)
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self.dead = False
        self._api = api
        self._on_lines = on_lines
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[Response] | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._init_error: bytes | None = None
        self._waiting: Work | None = None
        self._answer: asyncio.Future[tuple[Status, bytes]] | None = None
        self._request_id = ""
        self._process: asyncio.subprocess.Process | None = None
        self._output = -1
        self._status = -1
        self._has_long_pipe = False
        self._partial = b""
        self._untold: list[str] = []
        self._next_look: asyncio.TimerHandle | None = None
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._ending = ""
        self._started = 0.0
        self._init_ms: float | None = None
        self._watcher: asyncio.Task[None] | None = None

    # life

    async def start(self, launch: Launch) -> None:
        """Starts the process; returns when it asks for its first event, fails or takes too long (then it is `dead`).

        Cancelled or failing, it leaves no process.
        """
        self._api.attach(self.token, self)
        self._started = time.perf_counter()
        try:
            await self._spawn(launch)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ready), INIT_TIMEOUT_SECONDS)
        except BaseException:
            await self.stop()
            raise
        if not self._ready.done():
            self._init_error = _error("Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT_SECONDS:.2f} seconds")
            await self.stop()
        self._init_ms = (time.perf_counter() - self._started) * 1000

    async def _spawn(self, launch: Launch) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # the user may have too much in pipes already
                self._has_long_pipe = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES) >= _PIPE_BYTES
        self._output = reading
        environment = dict(launch.environment) | {"AWS_LAMBDA_RUNTIME_API": self._api.address(self.token)}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *launch.command,
                cwd=launch.folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        with contextlib.suppress(OSError):  # Linux only
            self._status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        self._loop.add_reader(reading, self._tell)
        self._watcher = self._loop.create_task(self._watch(self._process))

    async def stop(self) -> None:
        """Kills the process and all that it has started; returns when it is gone."""
        self.dead = True
        self._api.detach(self.token)
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._watcher is not None:
            await asyncio.wait([self._watcher])
        elif self._output >= 0:  # it never started
            os.close(self._output)
            self._output = -1

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self.dead = True
        self._ending = _ending(code)
        self._api.detach(self.token)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started dies with it, as on Lambda
        self._tell()
        self._loop.remove_reader(self._output)
        os.close(self._output)
        self._output = -1
        if self._status >= 0:
            os.close(self._status)
            self._status = -1
        if not self._ready.done():
            self._ready.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(("error", self._init_error or self._exit_error()))
        if self._asked is not None and not self._asked.done():
            self._asked.cancel()

    # work

    async def invoke(self, work: Work, before: Sequence[str] = ()) -> Done:
        """Runs one event to its end; `before` are lines to be told before its own.

        A timeout kills the process: the next event gets a new environment.
        """
        init_ms, self._init_ms = self._init_ms, None
        started = time.perf_counter()
        self._request_id = work.request_id
        if self._init_error is not None or self.dead:  # it may have ended of itself since its last event
            self.dead = True
            error = self._init_error or self._exit_error()
            return Done("error", error, 0.0, init_ms, self._peak_memory_mb(), tuple(self._lines), tuple(before))
        self._tell()  # what it has written since its last event
        self._lines.clear()
        self._untold = list(before)
        self._answer = self._loop.create_future()
        timer = self._loop.call_later(work.timeout_seconds, self._time_out, work)
        self._stop_listening()
        try:
            self._deliver(work)
            status, payload = await self._answer
        except asyncio.CancelledError:
            self.dead = True  # half-way through an event: nobody may have it again
            self._tell()
            raise
        finally:
            timer.cancel()
            if self._next_look is not None:
                self._next_look.cancel()
        self._read()
        duration_ms = (time.perf_counter() - started) * 1000
        peak_memory_mb = self._peak_memory_mb()
        if status == "timeout":
            await self.stop()
        self._request_id = ""
        untold, self._untold = tuple(self._untold), []
        if self._output >= 0 and self._has_long_pipe:
            self._loop.add_reader(self._output, self._tell)
        return Done(status, payload, duration_ms, init_ms, peak_memory_mb, tuple(self._lines), untold)

    def _deliver(self, work: Work) -> None:
        """Hands the event over, now or as soon as the process asks: after an answer it takes a moment to ask again."""
        if self._asked is None or self._asked.done():
            self._waiting = work
        else:
            self._asked.set_result(_event_response(work))

    def _time_out(self, work: Work) -> None:
        if self._answer is not None and not self._answer.done():
            message = f"RequestId: {work.request_id} Error: Task timed out after {work.timeout_seconds:.2f} seconds"
            self._answer.set_result(("timeout", _error("Sandbox.Timedout", message)))

    # the runtime client's side

    async def next_event(self) -> Response:
        if self._waiting is not None:
            work, self._waiting = self._waiting, None
            return _event_response(work)
        self._asked = self._loop.create_future()
        if not self._ready.done():
            self._ready.set_result(None)
        return await self._asked

    def responded(self, request_id: str, body: bytes) -> None:
        if len(body) > RESPONSE_LIMIT_BYTES:
            limit = f"exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
            self._settle(request_id, "error", _error("Function.ResponseSizeTooLarge", f"Response payload size {limit}"))
        else:
            self._settle(request_id, "success", body)

    def failed(self, request_id: str, body: bytes) -> None:
        self._settle(request_id, "error", body)

    def init_failed(self, body: bytes) -> None:
        self._init_error = body
        if not self._ready.done():
            self._ready.set_result(None)

    def _exit_error(self) -> bytes:
        return _error("Runtime.ExitError", f"RequestId: {self._request_id} Error: {self._ending}")

    def _settle(self, request_id: str, status: Status, body: bytes) -> None:
        if request_id == self._request_id and self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))

    # output

    def _stop_listening(self) -> None:
        """Has lines come in by the handful while an event is worked on: one by one they cost as much as all the rest.

        Where the pipe is short, a process that writes much would wait.
        """
        if self._has_long_pipe:
            self._loop.remove_reader(self._output)
            self._next_look = self._loop.call_later(_TELL_SECONDS, self._look)

    def _look(self) -> None:
        self._tell()
        self._next_look = self._loop.call_later(_TELL_SECONDS, self._look)

    def _tell(self) -> None:
        """Hands on every whole line that the process has written so far."""
        self._read()
        if self._untold:
            texts, self._untold = self._untold, []
            self._on_lines(self._request_id, texts)

    def _read(self) -> None:
        if self._output < 0:
            return
        while True:
            try:
                chunk = os.read(self._output, 65536)
            except (BlockingIOError, OSError):
                return
            if not chunk:
                self._loop.remove_reader(self._output)
                chunk = b"" if self._partial.endswith(b"\n") or not self._partial else b"\n"
                if not chunk:
                    return
            *lines, self._partial = (self._partial + chunk).split(b"\n")
            texts = [line.decode("utf-8", "replace") for line in lines if line]
            self._lines.extend(texts)
            self._untold += texts

    def _peak_memory_mb(self) -> int:
        """The most memory that the process has had; 0 where the system does not tell."""
        if self._status < 0:
            return 0
        try:
            status = os.pread(self._status, _STATUS_BYTES, 0)  # kept open: this is asked after every event
        except OSError:  # the process is gone
            return 0
        _, _, rest = status.partition(b"VmHWM:")
        kilobytes = rest.split(None, 1)[0] if rest else b"0"
        return -(-int(kilobytes) // 1024)


def _event_response(work: Work) -> Response:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next"""
    headers = [
        ("Lambda-Runtime-Aws-Request-Id", work.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + work.timeout_seconds) * 1000))),
        ("Lambda-Runtime-Invoked-Function-Arn", work.invoked_arn),
        ("Lambda-Runtime-Trace-Id", work.trace_header),
        ("Content-Type", "application/json"),
    ]
    if work.client_context:
        headers.append(("Lambda-Runtime-Client-Context", work.client_context))
    return Response(200, work.payload, headers)


def _ending(code: int) -> str:
    """How a process ended, in Lambda's words."""
    if code == 0:
        return "Runtime exited without providing a reason"
    how = f"signal: {signal.Signals(-code).name.removeprefix('SIG').lower()}" if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {how}"


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
