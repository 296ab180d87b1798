"""One execution environment: a process that runs a function under AWS's own runtime client, one event at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from treadle_local.functions.output import Output
from treadle_local.functions.processes import Launch, Process, Processes, signal_group
from treadle_local.functions.runtime_api import RuntimeApi
from treadle_local.http.messages import Response

RESPONSE_LIMIT_BYTES = 6_291_556
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (6 MB for a synchronous response)"""
_REMEMBERED_LINES = 4096
_LOOK_SECONDS = 0.2
"""So often a process that works on an event is looked after: for what it writes, and the memory that it has."""
_STATUS_BYTES = 2048
_SIGNALS: dict[int, str] = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGHUP: "hangup",
    signal.SIGPIPE: "broken pipe",
}
"""Signals in the words of Lambda, which is written in Go. Source: https://pkg.go.dev/syscall#Signal"""

Status = Literal["success", "error", "timeout", "memory"]


@dataclass(frozen=True, slots=True)
class FailedInit:
    """A start that failed; `error_type` is None where it took too long."""

    duration_ms: float
    error_type: str | None


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
    """A running process of one function version. Starts with `start`; `dead` once it is of no more use."""

    def __init__(self, api: RuntimeApi, processes: Processes, on_lines: Callable[[str, Sequence[str]], None]) -> None:
        """`on_lines` is told the id of the request that the process works on, and the records it has written."""
        self.token = secrets.token_urlsafe(18)
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self.dead = False
        self.failed_init: FailedInit | None = None
        self._api = api
        self._processes = processes
        self._on_lines = on_lines
        self._loop = asyncio.get_running_loop()
        self._launch: Launch | None = None
        self._asked: asyncio.Future[Response] | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._has_begun = False
        self._init_error: bytes | None = None
        self._waiting: Work | None = None
        self._answer: asyncio.Future[tuple[Status, bytes]] | None = None
        self._request_id = ""
        self._process: Process | None = None
        self._is_frozen = False
        self._output: Output | None = None
        self._status = self._children = -1
        self._untold: list[str] = []
        self._next_look: asyncio.TimerHandle | None = None
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._ending = ""
        self._init_ms: float | None = None
        self._watcher: asyncio.Task[None] | None = None

    # life

    async def start(self, launch: Launch) -> None:
        """Starts the process; returns when it asks for its first event, fails or takes too long.

        In the latter cases it is started anew with its first event, which may take as long as any event: Lambda's
        "suppressed init". Cancelled or failing, it leaves no process.
        """
        self._launch = launch
        started = time.perf_counter()
        try:
            await self._spawn(launch)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ready), launch.start_seconds)
        except BaseException:
            await self.stop()
            raise
        duration_ms = (time.perf_counter() - started) * 1000
        if self._has_begun:
            self._init_ms = duration_ms
            return
        has_timed_out = not self._ready.done()
        await self._end()
        kind = None if has_timed_out else _error_type(self._init_error) or "Runtime.ExitError"
        self.failed_init = FailedInit(duration_ms, kind)

    async def _spawn(self, launch: Launch) -> None:
        self._ready = self._loop.create_future()
        self._init_error = None
        self._api.attach(self.token, self)
        output = self._output = Output()
        environment = {**launch.environment, "AWS_LAMBDA_RUNTIME_API": self._api.address(self.token)}
        try:
            process = self._process = await self._processes.start(
                replace(launch, environment=environment), output.theirs
            )
        finally:
            output.hand_over()
        with contextlib.suppress(OSError):  # Linux only
            self._status = os.open(f"/proc/{process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            self._children = os.open(f"/proc/{process.pid}/task/{process.pid}/children", os.O_RDONLY | os.O_CLOEXEC)
        self._loop.add_reader(output.descriptor, self._tell)
        self._watcher = self._loop.create_task(self._watch(process, output, launch.scratch))

    async def stop(self) -> None:
        """Kills the process and all that it has started; returns when it is gone."""
        self.dead = True
        await self._end()

    async def _end(self) -> None:
        self._api.detach(self.token)
        process = self._process
        if process is not None and not process.has_ended:
            signal_group(process, signal.SIGKILL)
            await process.wait()
        if self._watcher is not None:
            await asyncio.wait([self._watcher])
        elif self._output is not None:  # it never started
            self._output.close()

    async def _watch(self, process: Process, output: Output, scratch: Path) -> None:
        code = await process.wait()
        if self._has_begun:  # else it is started anew
            self.dead = True
        self._ending = _ending(code)
        self._api.detach(self.token)
        signal_group(process, signal.SIGKILL)  # what it started dies with it, as on Lambda
        self._read()
        self._lines.extend(rest := output.rest())
        self._untold += rest
        if self._answer is None or self._answer.done():
            self._tell()
        self._loop.remove_reader(output.descriptor)
        output.close()
        for descriptor in (self._status, self._children):
            if descriptor >= 0:
                os.close(descriptor)
        self._status = self._children = -1
        if not self._ready.done():
            self._ready.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(("error", self._init_error or self._exit_error()))
        if self._asked is not None and not self._asked.done():
            self._asked.cancel()
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    # work

    async def invoke(self, work: Work, before: Sequence[str] = ()) -> Done:
        """Runs one event to its end; `before` are lines to be told before its own.

        A timeout or too much memory kills the process: the next event gets a new environment.
        """
        init_ms, self._init_ms = self._init_ms, None
        started = time.perf_counter()
        self._request_id = work.request_id
        if self.dead:  # it may have ended of itself since its last event
            return Done("error", self._exit_error(), 0.0, init_ms, 0, tuple(self._lines), tuple(before))
        self._tell()  # what it has written since its last event
        self._lines.clear()
        self._untold = list(before)
        answer = self._answer = self._loop.create_future()
        timer = self._loop.call_later(work.timeout_seconds, self._time_out, work)
        try:
            self._deliver(work)
            if self.failed_init is not None and self._launch is not None:
                self.failed_init = None
                await self._spawn(self._launch)
            self._stop_listening()
            status, payload = await answer
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
        if status == "success" and self._has_too_much(peak_memory_mb):  # too quick for who looks now and then
            status, payload = "memory", self._memory_error()
        if status == "memory":
            peak_memory_mb = self._launch.memory_mb if self._launch is not None else peak_memory_mb
        if status in ("timeout", "memory"):
            await self.stop()
        elif self._process is not None and self._process.has_ended:
            self.dead = True
        self._request_id = ""
        self._freeze()
        untold, self._untold = tuple(self._untold), []
        output = self._output
        if output is not None and output.is_long and not output.has_ended:
            self._loop.add_reader(output.descriptor, self._tell)
        return Done(status, payload, duration_ms, init_ms, peak_memory_mb, tuple(self._lines), untold)

    def _deliver(self, work: Work) -> None:
        """Hands the event over, now or as soon as the process asks: after an answer it takes a moment to ask again."""
        if self._asked is None or self._asked.done():
            self._waiting = work
            return
        if self._is_frozen and self._process is not None:
            self._is_frozen = False
            signal_group(self._process, signal.SIGCONT)
        self._asked.set_result(_event_response(work))

    def _time_out(self, work: Work) -> None:
        if self._answer is not None and not self._answer.done():
            message = f"RequestId: {work.request_id} Error: Task timed out after {work.timeout_seconds:.2f} seconds"
            self._answer.set_result(("timeout", _error("Sandbox.Timedout", message)))

    # the runtime client's side

    def next_event(self) -> Response | asyncio.Future[Response]:
        self._has_begun = True
        if self._waiting is not None:
            work, self._waiting = self._waiting, None
            return _event_response(work)
        asked: asyncio.Future[Response] = self._loop.create_future()
        self._asked = asked
        if not self._ready.done():
            self._ready.set_result(None)
        if not self._request_id:
            self._freeze()
        return asked

    def _freeze(self) -> None:
        """Nothing goes on between two events; a process without another thread or child does nothing anyway."""
        if self._process is None or self._launch is None or not self._launch.freezes:
            return
        if self._asked is not None and not self._asked.done() and self._has_company():
            self._is_frozen = True
            signal_group(self._process, signal.SIGSTOP)

    def _has_company(self) -> bool:
        try:
            return b"\nThreads:\t1\n" not in self._read_status() or bool(os.pread(self._children, 1, 0))
        except OSError:  # not told on this system
            return True

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

    def _memory_error(self) -> bytes:
        """Source: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
        message = f"RequestId: {self._request_id} Error: Runtime exited with error: signal: killed"
        return _error("Runtime.OutOfMemory", message)

    def _settle(self, request_id: str, status: Status, body: bytes) -> None:
        if request_id == self._request_id and self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))

    # output and memory

    def _stop_listening(self) -> None:
        """Has records come in by the handful while an event is worked on: one by one they cost as much as all the rest.

        Where the pipe is short, a process that writes much would wait.
        """
        if self._output is not None and self._output.is_long and not self._output.has_ended:
            self._loop.remove_reader(self._output.descriptor)
        self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._tell()
        if self._has_too_much(self._memory_mb(b"VmRSS:")) and self._answer is not None and not self._answer.done():
            self._answer.set_result(("memory", self._memory_error()))
        self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _tell(self) -> None:
        """Hands on every whole record that the process has written so far."""
        self._read()
        if self._untold:
            texts, self._untold = self._untold, []
            self._on_lines(self._request_id, texts)

    def _read(self) -> None:
        if self._output is not None:
            texts = self._output.read()
            if self._output.has_ended and self._output.descriptor >= 0:
                self._loop.remove_reader(self._output.descriptor)
            self._lines.extend(texts)
            self._untold += texts

    def _peak_memory_mb(self) -> int:
        if self._status < 0 and self._process is not None:
            return -(-self._process.peak_memory_kb // 1024)
        return self._memory_mb(b"VmHWM:")

    def _has_too_much(self, memory_mb: int) -> bool:
        return self._launch is not None and memory_mb > self._launch.memory_mb

    def _read_status(self) -> bytes:
        """Raises OSError where the process is gone, or the system does not tell."""
        return os.pread(self._status, _STATUS_BYTES, 0)  # kept open: this is asked after every event

    def _memory_mb(self, field: bytes) -> int:
        """Memory of the process as the system counts it; 0 where it does not tell."""
        try:
            _, _, rest = self._read_status().partition(field)
        except OSError:
            return 0
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
    how = f"signal: {_SIGNALS.get(-code) or signal.Signals(-code).name.lower()}" if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {how}"


def _error_type(document: bytes | None) -> str | None:
    """The kind of an error that the runtime client has told."""
    try:
        return None if document is None else str(json.loads(document)["errorType"])
    except (ValueError, KeyError, TypeError):
        return None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
