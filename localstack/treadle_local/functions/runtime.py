"""Runs functions: picks or starts an environment for a version, hands it the event, reports as Lambda does."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from treadle_infra.app.findings import TreadleError
from treadle_infra.interpreters import Interpreter
from treadle_local.aws.service import Region
from treadle_local.functions import system_logs
from treadle_local.functions.environment import Done, Environment, Work
from treadle_local.functions.inspection import MEMORY_MB, PATIENCE_SECONDS, VARIABLE, Inspection
from treadle_local.functions.interpreters import Interpreters
from treadle_local.functions.layers import Layers
from treadle_local.functions.logs import LogLine
from treadle_local.functions.model import FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.pool import Pool
from treadle_local.functions.processes import Forking, Launch, Spawning, processes
from treadle_local.functions.runtime_api import RuntimeApi

EAGER_ENVIRONMENTS = 2
MAXIMUM_ENVIRONMENTS = 32
"""A laptop's bound on processes per function version; on AWS the account's concurrency (1,000) is the bound."""
_MOMENT_SECONDS = 0.003
"""Until an end is reported: whoever waits for the answer has the processor first."""
_LOG_TAIL_BYTES = 4096
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (LogType)"""


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """What a function signs its calls with."""

    access_key: str
    secret_key: str
    token: str


class Surroundings(Protocol):
    """What the runtime needs of the emulator around it."""

    def endpoint_url(self) -> str:
        """Where AWS is, for the functions: AWS_ENDPOINT_URL."""
        ...

    def credentials(self, role_arn: str, session: str) -> SessionCredentials: ...

    def local_environment(self, function: str, /) -> Mapping[str, str]:
        """Variables that a function of `treadle dev`'s project has on this machine only: `.env` and the like."""
        ...

    def project_folder(self, function: str, /) -> Path | None:
        """What the function sees around its own files, and may write; None: it sees these alone, as on Lambda."""
        ...

    def log(self, version: FunctionVersion, stream: str, lines: Sequence[LogLine]) -> None:
        """Takes lines of one environment, which it has written at one time."""
        ...


class Runtime:
    """All running functions, each on the interpreter of its runtime; what is not here is refused in its error.

    `interpreter` is the one of the newest runtime that Treadle's own functions have, with its `runtime_folder`.
    """

    def __init__(
        self,
        region: Region,
        surroundings: Surroundings,
        interpreter: Interpreter,
        runtime_folder: Callable[[], Path],
        code_cache: Path,
    ) -> None:
        self._region = region
        self._surroundings = surroundings
        self._interpreters = Interpreters(interpreter, runtime_folder)
        self._processes = processes()
        self._inspections: dict[str, Inspection] = {}
        self._code_cache = code_cache
        self._layers = Layers(code_cache)
        self._api = RuntimeApi()
        self._pools: dict[str, tuple[FunctionVersion, Pool]] = {}
        self._retired: list[Pool] = []
        self._running: Counter[asyncio.Task[Any]] = Counter()
        self._reports: list[Callable[[], None]] = []

    async def start(self) -> None:
        await self._api.start()
        if isinstance(self._processes, Forking):
            self._processes.prepare(*self._interpreters.default())

    async def close(self) -> None:
        """Ends every environment; returns when no process is left."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.report()
        for pool in (*self._retired, *(pool for _, pool in self._pools.values())):
            await pool.close()
        await self._processes.close()
        await self._api.close()

    def restart(self) -> None:
        """Retires every environment: what comes next starts with new ones."""
        for name in {version.name for version, _ in self._pools.values()}:
            self.function_changed(name)

    async def inspect(self, version: FunctionVersion, inspection: Inspection) -> bool:
        """Has a debugger let into the function from now on; returns when one may come in. False: it did not start.

        Raises TreadleError for an interpreter that is not there.
        """
        if self._inspections.get(version.name) != inspection:
            self._inspections[version.name] = inspection
            self.function_changed(version.name)
        pool = self._pool(version)
        environment = await pool.acquire()
        pool.release(environment)
        return environment.failed_init is None

    def is_inspected(self, name: str) -> bool:
        return name in self._inspections

    def function_changed(self, name: str) -> None:
        """Retires the environments of a function whose code or configuration is no longer what they run."""
        for arn, (version, pool) in tuple(self._pools.items()):
            if version.name == name:
                self._retire(pool)
                del self._pools[arn]

    def _retire(self, pool: Pool) -> None:
        pool.retire()
        self._retired = [*(old for old in self._retired if not old.is_empty()), pool]

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        """Runs one event to its end and reports it. Never raises for what the function does.

        Who may stop waiting has it run by a task of its own: a function goes on when nobody waits for it, as on AWS.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - there is no other way to get here
        self._running[task] += 1
        try:
            return await self._run(self._pool(version), version, payload, request)
        finally:
            self._running[task] -= 1
            if not self._running[task]:
                del self._running[task]

    async def _run(self, pool: Pool, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        try:
            environment = await pool.acquire()
        except TreadleError as problem:
            return InvokeOutcome(_refusal(problem), "Unhandled", "")
        work = Work(
            request.request_id,
            payload,
            request.invoked_arn,
            request.trace_header or _trace_header(),
            PATIENCE_SECONDS if version.name in self._inspections else float(version.timeout_seconds),
            request.client_context or "",
        )
        before = system_logs.started(version, request.request_id)
        try:
            done = await environment.invoke(work, before)
        finally:
            pool.release(environment)
        log = ""
        if request.log_type == "Tail":
            after = system_logs.ended(version, request.request_id, done)
            log = _tail((*before, *done.output, *after))
            self._report_later(lambda: self._say(version, environment, request.request_id, (*done.untold, *after)))
        else:
            self._report_later(lambda: self._say_ended(version, environment, request.request_id, done))
        error = None if done.status == "success" else "Unhandled"
        return InvokeOutcome(done.payload, error, log, done.duration_ms)

    def _report_later(self, report: Callable[[], None]) -> None:
        """Reports after those who wait for an answer have got it."""
        if not self._reports:
            asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self.report)
        self._reports.append(report)

    def report(self) -> None:
        """Says of every end what is still to be said."""
        reports, self._reports = self._reports, []
        for report in reports:
            report()

    # environments

    def _pool(self, version: FunctionVersion) -> Pool:
        known = self._pools.get(version.qualified_arn)
        if known is not None and known[0].revision_id == version.revision_id:
            return known[1]
        if known is not None:
            self._retire(known[1])
        bounds = (1, 1, 1) if version.name in self._inspections else (EAGER_ENVIRONMENTS, MAXIMUM_ENVIRONMENTS)
        pool = Pool(version.name, lambda: self._start(version), *bounds)
        self._pools[version.qualified_arn] = (version, pool)
        return pool

    async def _start(self, version: FunctionVersion) -> Environment:
        interpreter, runtime_folder = await self._interpreters.of(version.runtime)
        inspection = self._inspections.get(version.name)
        environment = Environment(
            self._api,
            self._processes if inspection is None else Spawning(),
            lambda request_id, texts: self._say(version, environment, request_id, texts),
        )
        folder = await unpack(version, self._code_cache)
        layers = await self._layers.root(version)
        self._say(version, environment, "", system_logs.initialized(version, self._region.name))
        launch = Launch(
            interpreter=interpreter,
            runtime_folder=runtime_folder,
            layers=layers,
            folder=folder,
            handler=version.handler,
            environment=self._environment(version, environment),
            scratch=self._code_cache.with_name("scratch") / environment.token,
            memory_mb=version.memory_mb,
            temporary_mb=version.ephemeral_storage_mb,
            project=self._surroundings.project_folder(version.name),
        )
        if inspection is not None:
            await self._end_retired(version.name)  # there is one port, and the code before may still have it
            launch = _inspected(launch, inspection)
        await environment.start(launch)
        if environment.failed_init is not None:
            self._say(version, environment, "", system_logs.init_failed(version, environment.failed_init))
        return environment

    async def _end_retired(self, name: str) -> None:
        """Ends what is left of a function's earlier code, at a breakpoint too: it would stand there for long."""
        await asyncio.gather(*(pool.close() for pool in self._retired if pool.name == name))

    def _environment(self, version: FunctionVersion, environment: Environment) -> dict[str, str]:
        """The environment of the process but for its folders: nothing of the laptop's own gets in.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        """
        credentials = self._surroundings.credentials(version.role_arn, version.name)
        settings = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
            "AWS_REGION": self._region.name,
            "AWS_DEFAULT_REGION": self._region.name,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.token,
            "AWS_ENDPOINT_URL": self._surroundings.endpoint_url(),
            "AWS_LAMBDA_FUNCTION_NAME": version.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": version.logging.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": environment.log_stream,
            "_HANDLER": version.handler,
        }
        if version.logging.format == "JSON":
            settings["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            settings["AWS_LAMBDA_LOG_LEVEL"] = version.logging.application_level or "INFO"
        local = self._surroundings.local_environment(version.name)
        return {**version.environment, **local, **settings}

    def _say_ended(self, version: FunctionVersion, environment: Environment, request_id: str, done: Done) -> None:
        self._say(version, environment, request_id, (*done.untold, *system_logs.ended(version, request_id, done)))

    def _say(self, version: FunctionVersion, environment: Environment, request_id: str, texts: Sequence[str]) -> None:
        self.report()  # what came earlier is said earlier
        if not texts:
            return
        now_ms = int(time.time() * 1000)
        lines = [LogLine(version.name, request_id, text, now_ms) for text in texts]
        self._surroundings.log(version, environment.log_stream, lines)


def _inspected(launch: Launch, inspection: Inspection) -> Launch:
    """One that a person may look at for as long as it takes. It sees real paths, which debuggers know."""
    return replace(
        launch,
        environment={**launch.environment, VARIABLE: inspection.variable(launch.folder)},
        memory_mb=MEMORY_MB,
        freezes=False,
        start_seconds=PATIENCE_SECONDS,
    )


async def unpack(version: FunctionVersion, cache: Path) -> Path:
    """The folder with a function's code, unzipped once per content; it stands for /var/task."""
    digest = version.code.sha256_base64.replace("/", "_").replace("+", "-").rstrip("=")
    folder = cache / digest
    if not folder.is_dir():
        await asyncio.to_thread(_unpack, version, folder)
    return folder


def _unpack(version: FunctionVersion, folder: Path) -> None:
    fresh = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(io.BytesIO(version.code.read())) as archive:
            archive.extractall(fresh)
        fresh.replace(folder)
    except OSError:
        if not folder.is_dir():  # else somebody was faster: another environment, or another emulator of this project
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _tail(lines: Sequence[str]) -> str:
    return "\n".join(lines).encode("utf-8", "replace")[-_LOG_TAIL_BYTES:].decode("utf-8", "ignore")


def _refusal(problem: TreadleError) -> bytes:
    finding = problem.finding
    message = finding.message if finding.hint is None else f"{finding.message}; {finding.hint}"
    return json.dumps({"errorType": "Runtime.NotSupported", "errorMessage": message}).encode()


def _trace_header() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
