"""Starts the processes of environments: forked from a preloaded parent on Linux, each by itself elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from treadle_infra.app.findings import TreadleError

_ROOT = str(Path(__file__).parents[2])
"""Where Python finds `treadle_local`: each guest has it on its path until it has loaded what it needs of it."""
_ZYGOTE = f"import sys; sys.path.append({_ROOT!r}); from treadle_local.functions.guest.zygote import main; main()"
_PLAIN = f"import sys; sys.path.append({_ROOT!r}); from treadle_local.functions.guest.plain import main; main()"
_MESSAGE_BYTES = 1 << 20
_PARENT_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": ":UTC"}


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a process. `layers` is what stands for /opt, `environment` all of its variables but the folders'."""

    interpreter: str
    runtime_folder: Path
    layers: Path | None
    folder: Path
    handler: str
    environment: Mapping[str, str]
    scratch: Path
    """A folder for files of its own where it cannot have a /tmp of its own; made when it is needed."""
    memory_mb: int = 128
    temporary_mb: int = 512
    project: Path | None = None
    """A folder that it sees around the files of its own and may write, where the system has mount namespaces."""
    freezes: bool = True
    start_seconds: float = 10.0
    """How long it may take until it asks for its first event.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
    """


class Process(Protocol):
    """A process with all that it starts, as one group."""

    @property
    def pid(self) -> int: ...

    @property
    def has_ended(self) -> bool: ...

    @property
    def peak_memory_kb(self) -> int:
        """The most memory that it had, once it has ended; 0 where that is not known."""
        ...

    async def wait(self) -> int:
        """The exit code; below zero, the signal that ended it."""
        ...


class Processes(Protocol):
    """What starts processes."""

    async def start(self, launch: Launch, output: int) -> Process:
        """A process that writes to the descriptor `output`. Cancelled, it leaves none."""
        ...

    async def close(self) -> None: ...


def signal_group(process: Process, number: int) -> None:
    """Sends a signal to all of a process's group that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


# each by itself


class _Spawned:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    @property
    def peak_memory_kb(self) -> int:
        return 0

    async def wait(self) -> int:
        return await self._process.wait()


class Spawning:
    """Starts an interpreter for each process. Code and temporary files are guarded by permissions only."""

    async def start(self, launch: Launch, output: int) -> Process:
        await asyncio.to_thread(_guard, launch)
        environment = {
            **launch.environment,
            "TMPDIR": str(launch.scratch),
            "LAMBDA_TASK_ROOT": str(launch.folder),
            "LAMBDA_RUNTIME_DIR": str(launch.runtime_folder),
            "PYTHONPATH": str(launch.runtime_folder),
        }
        process = await asyncio.create_subprocess_exec(
            *(launch.interpreter, "-S", "-c", _PLAIN, launch.handler, str(launch.layers or ""), _ROOT),
            cwd=launch.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        return _Spawned(process)

    async def close(self) -> None:
        return None


# forked


class _Key(NamedTuple):
    interpreter: str
    runtime_folder: str
    layers: str


class _End(NamedTuple):
    code: int
    peak_memory_kb: int


class _Forked:
    def __init__(self, pid: int, ending: asyncio.Future[_End]) -> None:
        self.pid = pid
        self._ending = ending

    @property
    def peak_memory_kb(self) -> int:
        return self._ending.result().peak_memory_kb if self._ending.done() else 0

    @property
    def has_ended(self) -> bool:
        return self._ending.done()

    async def wait(self) -> int:
        return (await asyncio.shield(self._ending)).code


class Forking:
    """Forks processes from preloaded parents, one for each interpreter and set of layers."""

    def __init__(self) -> None:
        self._parents: dict[_Key, _Parent] = {}

    async def start(self, launch: Launch, output: int) -> Process:
        return await self._parent(launch.interpreter, launch.runtime_folder, launch.layers).fork(launch, output)

    def prepare(self, interpreter: str, runtime_folder: Path) -> None:
        """Starts the parent for functions without layers, so that the first of them finds it ready."""
        self._parent(interpreter, runtime_folder, None)

    async def close(self) -> None:
        parents, self._parents = self._parents, {}
        for parent in parents.values():
            await parent.close()

    def _parent(self, interpreter: str, runtime_folder: Path, layers: Path | None) -> _Parent:
        key = _Key(interpreter, str(runtime_folder), str(layers or ""))
        parent = self._parents.get(key)
        if parent is None or parent.has_ended:
            for other, idle in tuple(self._parents.items()):
                if other.layers and idle.is_idle:  # of layers that were replaced: memory for nothing
                    idle.close_soon()
                    del self._parents[other]
            parent = self._parents[key] = _Parent(key)
        return parent


class _Parent:
    """A preloaded parent and the socket to it. Answers come in the order of the requests."""

    def __init__(self, key: _Key) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: deque[asyncio.Future[int]] = deque()
        self._endings: dict[int, asyncio.Future[_End]] = {}
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._forks_under_way = 0
        self.has_ended = False
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._channel.setblocking(False)
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
            # not by the loop: that copies this process's page tables first, for which everybody would wait
            self._process = subprocess.Popen(
                [*(key.interpreter, "-I", "-S", "-c", _ZYGOTE, str(theirs.fileno())), *key[1:], _ROOT],
                env=_PARENT_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._loop.add_reader(self._channel.fileno(), self._read)

    @property
    def is_idle(self) -> bool:
        return not (self._forks_under_way or self._answers or self._endings)

    async def fork(self, launch: Launch, output: int) -> Process:
        """Raises TreadleError `function-process-refused`."""
        self._forks_under_way += 1
        try:
            return await self._fork(launch, output)
        finally:
            self._forks_under_way -= 1

    async def _fork(self, launch: Launch, output: int) -> Process:
        is_sealed = await asyncio.shield(self._ready)
        environment = dict(launch.environment)
        if not is_sealed:
            await asyncio.to_thread(_guard, launch)
            environment["TMPDIR"] = str(launch.scratch)
        request = {
            "environment": environment,
            "task_root": str(launch.folder),
            "handler": launch.handler,
            "temporary_mb": launch.temporary_mb,
            "project": None if launch.project is None else str(launch.project),
        }
        message = json.dumps(request).encode()
        while True:
            if self.has_ended:
                raise _refused("the preloaded parent has ended")
            try:
                socket.send_fds(self._channel, [message], [output])
                break
            except BlockingIOError:  # it has much to do
                await asyncio.sleep(0.001)
        answer: asyncio.Future[int] = self._loop.create_future()
        self._answers.append(answer)
        try:
            pid = await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(self._kill_unwanted)
            raise
        return _Forked(pid, self._endings[pid])

    def _kill_unwanted(self, answer: asyncio.Future[int]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(answer.result(), signal.SIGKILL)

    def _read(self) -> None:
        while True:
            try:
                message = self._channel.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._gone()
                return
            self._told(json.loads(message))

    def _told(self, told: Mapping[str, Any]) -> None:
        match told:
            case {"ready": bool(is_sealed)}:
                self._ready.set_result(is_sealed)
            case {"pid": int(pid)}:
                self._endings[pid] = self._loop.create_future()
                self._answers.popleft().set_result(pid)
            case {"ended": int(pid), "code": int(code), "peak_kb": int(peak_memory_kb)}:
                self._endings.pop(pid).set_result(_End(code, peak_memory_kb))
            case {"refused": str(why)}:
                self._answers.popleft().set_exception(_refused(why))
            case _:
                raise ValueError(f"the preloaded parent said {told}")

    def _gone(self) -> None:
        """It has ended, and all its children with it."""
        self.has_ended = True
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        refusal = _refused("the preloaded parent has ended")
        waiting: tuple[asyncio.Future[Any], ...] = (self._ready, *self._answers)
        for answer in waiting:
            if not answer.done():
                answer.set_exception(refusal)
                answer.exception()  # whether somebody waits or not
        for ending in self._endings.values():
            ending.set_result(_End(-signal.SIGKILL, 0))
        self._answers.clear()
        self._endings.clear()

    def close_soon(self) -> None:
        """Has it end; whoever reaps children does the rest."""
        if not self.has_ended:
            self._gone()

    async def close(self) -> None:
        """Ends it with all its children; returns when it is gone."""
        self.close_soon()
        await asyncio.to_thread(self._process.wait)


def _guard(launch: Launch) -> None:
    """Takes the write permissions from the code, once, and makes a folder for temporary files."""
    launch.scratch.mkdir(parents=True, exist_ok=True)
    if launch.folder.stat().st_mode & 0o222 == 0:
        return
    for folder, _, files in os.walk(launch.folder, topdown=False):
        for name in files:
            Path(folder, name).chmod(0o444)
        Path(folder).chmod(0o555)


def _refused(why: str) -> TreadleError:
    return TreadleError("function-process-refused", f"no process can be started for a function: {why}")


def processes() -> Processes:
    """What starts processes on this system."""
    return Forking() if sys.platform == "linux" else Spawning()
