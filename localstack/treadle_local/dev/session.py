"""One run of `treadle dev`: compile, replay, ready, then watch and reload until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from treadle.names import LETS_ALL_IN, LIVE_ALIAS
from treadle_infra.app.findings import Finding, TreadleError, has_errors
from treadle_infra.app.model import App
from treadle_infra.compile import Compilation, compile_project
from treadle_infra.discovery.environment import project_environment
from treadle_infra.discovery.importing import SpareChild
from treadle_infra.discovery.project import read_settings
from treadle_infra.interpreters import find_interpreter
from treadle_infra.options import usual_options
from treadle_infra.project_folder import prepare_folder, write_whole
from treadle_infra.synth.assembly import Assembly, write_assembly
from treadle_infra.synth.manifest import former_placement
from treadle_infra.topology.cron import cron_triggers
from treadle_infra.topology.firings import next_firings
from treadle_infra.topology.placement import FormerPlacement
from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Region
from treadle_local.clock import Clock, ManualClock, RealClock
from treadle_local.dev.changed import Parts, changed_parts, errors_of, new_findings, parts_of
from treadle_local.dev.happenings import (
    Found,
    Inspected,
    Mended,
    PlannedFiring,
    Progress,
    Ready,
    Reloaded,
    Tell,
    Trouble,
)
from treadle_local.dev.later import Later
from treadle_local.dev.replay import NOTHING, Replayable, load, remove_stacks, replay
from treadle_local.dev.sample import sample_curl
from treadle_local.dev.singleton import ProjectLock
from treadle_local.dev.translate import Translator
from treadle_local.dev.watch import Edits
from treadle_local.emulator import Emulator
from treadle_local.functions.inspection import Inspection, find_debugger, free_ports
from treadle_local.functions.runtime_client import runtime_folder
from treadle_local.garbage import spare_collections
from treadle_local.gateway import event
from treadle_local.http.messages import Answer, Request, Response
from treadle_local.http.server import Listener, listen
from treadle_local.persist.persistence import Persistence

STAGE = "dev"

NO_STREAMS = Response(404, b"this project has no stream to follow\n", (("content-type", "text/plain"),))

T = TypeVar("T")
_log = logging.getLogger("treadle.dev")


@dataclass(frozen=True, slots=True)
class DevOptions:
    """How to run. Ports may be 0: a free one is picked."""

    project: Path
    http_port: int = 3000
    aws_port: int = 4566
    host: str = "127.0.0.1"
    clock: Literal["real", "manual"] = "real"
    once: bool = False
    watch: bool = True
    persist: bool = False
    iam_report: bool = False
    inspected: tuple[str, ...] = ()
    """Steps that a debugger is let into."""
    inspect_port: int | None = None


async def run_dev(options: DevOptions, tell: Tell, stop: asyncio.Event) -> int:
    """Runs until `stop` is set; returns the exit code. Raises TreadleError for what keeps it from starting at all."""
    session = _Session(options, tell)
    try:
        started = await _unless(stop, session.start())
        if options.once:
            return session.once_exit_code if started else 1
        if started:
            await session.serve(stop)
            await session.tell_permissions()
        return 0
    finally:
        await session.close()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` was done before `stop` was set; else it is cancelled."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
    if working.cancelled():
        return False
    working.result()
    return True


class _Session:
    def __init__(self, options: DevOptions, tell: Tell) -> None:
        self._options = options
        self._translator = Translator(tell)
        self._later = Later(tell)
        self._tell = self._later.tell
        self._started = time.perf_counter()
        self._folder = prepare_folder(options.project)
        self._clock: Clock = RealClock()
        self._region = Region()
        self._moto = Moto(self._region)
        self._compiler = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")
        self._lock: ProjectLock | None = None
        self._persistence: Persistence | None = None
        self._emulator: Emulator | None = None
        self._listener: Listener | None = None
        self._api_ids: tuple[str, ...] = ()
        self._web_socket_api_id: str | None = None
        self._ready = False
        self._current: Compilation | None = None
        self._parts: Parts = {}
        self._is_current_deployed = False
        self._shown: tuple[Finding, ...] = ()
        self._edits: Edits | None = None
        self._spare = SpareChild()
        self._local_environment = _environment(options.project)
        self._shows_project_folder = False
        self._inspections = self._planned_inspections()
        self.once_exit_code = 0

    def _planned_inspections(self) -> dict[str, Inspection]:
        """By step."""
        steps, project = tuple(dict.fromkeys(self._options.inspected)), self._options.project.resolve()
        if not steps:
            return {}
        debugger = find_debugger()
        ports = free_ports(len(steps), self._options.inspect_port)
        return {step: Inspection(port, debugger, project) for step, port in zip(steps, ports, strict=True)}

    # start

    async def start(self) -> None:
        self._lock = ProjectLock(self._options.project, self._folder)
        if self._options.persist:
            self._persistence = Persistence(self._folder / "data", lambda name, text: self._tell(Trouble(name, text)))
        if self._options.clock == "manual":
            self._clock = ManualClock(self._persistence.clock() if self._persistence is not None else None)
        self._listener = await listen(self._answer, self._options.host, self._options.http_port)
        if self._options.watch and not self._options.once:
            self._edits = Edits(self._options.project)
        settings = read_settings(self._options.project, STAGE)
        interpreter = await self._compile_thread(lambda: find_interpreter(settings.python_version))
        runtime = await self._compile_thread(
            lambda: runtime_folder(interpreter, lambda text: self._tell(Progress(text)))
        )
        self._emulator = Emulator(
            moto=self._moto,
            region=self._region,
            clock=self._clock,
            watcher=self._later.watcher(self._translator.watcher()),
            interpreter=interpreter,
            runtime_folder=lambda: runtime,
            code_cache=self._folder / "cache" / "code",
            local_environment=self._environment_of,
            project_folder=self._project_folder,
            persistence=self._persistence,
        )
        await self._emulator.start(self._options.host, self._options.aws_port)
        compilation = await self._compile()
        if compilation.findings:
            self._tell(Found(compilation.findings))
            self._shown = compilation.findings
            self.once_exit_code = int(has_errors(compilation.findings))
        self._tell_missing_secrets(compilation.app)
        deployed = await self._deploy(compilation)
        if not deployed:
            self.once_exit_code = 1
            return
        self._announce(compilation)
        await self._inspect(compilation)

    async def _inspect(self, compilation: Compilation) -> None:
        """Has debuggers let into the steps that were asked for. Raises TreadleError `no-such-step`."""
        emulator, _ = self._running()
        functions = {step: function for function, step in self._translator.steps.items()}
        for step, inspection in self._inspections.items():
            if step in functions:
                version, _ = emulator.functions.resolve(functions[step], LIVE_ALIAS)
                if await emulator.runtime.inspect(version, inspection):
                    self._tell(Inspected(step, inspection.port))
                else:
                    self._tell(Trouble(step, "no debugger can come in: it did not start"))
            elif not has_errors(compilation.findings):  # else it is the one that is broken
                near = get_close_matches(step, functions, 1)
                raise TreadleError(
                    "no-such-step",
                    f"--inspect {step}: the project has no such step",
                    hint=f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(functions))}",
                )

    def _tell_missing_secrets(self, app: App, known: Sequence[str] = ()) -> None:
        """Those that have no value on this machine, without those of `known`, which have been told."""
        for secret in app.secrets:
            if secret not in self._local_environment and secret not in known:
                self._tell(Trouble(None, f"the secret {secret} has no value here: write it into .env, or export it"))

    def _announce(self, compilation: Compilation) -> None:
        emulator, listener = self._running()
        assembly = self._assembly() if compilation.assembly is not None else NOTHING
        self._ready = True
        emulator.sqs.all_queues_are_there()
        http_url = f"http://{self._options.host}:{listener.port}"
        ready = Ready(
            http_url=http_url,
            ws_url=f"ws://{self._options.host}:{listener.port}",
            aws_url=emulator.endpoint_url(),
            clock=self._clock.kind,
            seconds=time.perf_counter() - self._started,
            routes=assembly.routes,
            subscriptions=assembly.subscriptions,
            streams=assembly.streams,
            schedules=tuple(_planned(compilation, self._clock.now())),
            curl=sample_curl(compilation.app, self._options.project, http_url),
        )
        details = {
            "pid": os.getpid(),
            "http": ready.http_url,
            "ws": ready.ws_url,
            "aws": ready.aws_url,
            "clock": ready.clock,
        }
        write_whole(self._folder / "dev.json", json.dumps(details))
        self._tell(ready)

    # serving

    def _answer(self, request: Request) -> Answer | Awaitable[Answer]:
        if request.path.startswith("/__treadle/"):
            return self._internal(request)
        if not self._ready or self._emulator is None:
            return event.UNAVAILABLE
        if request.wants_websocket:
            if self._web_socket_api_id is None:
                return NO_STREAMS
            return self._emulator.web_sockets.upgrade(request, self._web_socket_api_id, STAGE)
        match self._api_ids:
            case ():
                return event.NOT_FOUND
            case (api_id,):
                pass
            case _:
                api_id = self._emulator.apis.with_route(self._api_ids, request)
        return self._emulator.apis.answer(request, api_id, "$default", request.path)

    def _internal(self, request: Request) -> Response:
        if request.path != "/__treadle/health":
            return event.NOT_FOUND
        body = json.dumps({"status": "ready" if self._ready else "starting"}).encode()
        return Response(200 if self._ready else 503, body, (("content-type", "application/json"),))

    async def serve(self, stop: asyncio.Event) -> None:
        """Reloads on changes until told to stop."""
        spare_collections()
        if self._edits is None:
            await stop.wait()
            return
        await self._compile_thread(self._spare.prepare)
        while await _unless(stop, self._edits.next()):
            if not await _unless(stop, self._try_to_reload()):
                return
            await self._compile_thread(self._spare.prepare)

    async def tell_permissions(self) -> None:
        """The report on granted and used permissions, where it was asked for."""
        if self._options.iam_report and self._emulator is not None:
            self._tell(self._translator.permissions(await self._emulator.permissions()))

    async def _try_to_reload(self) -> None:
        try:
            await self._reload()
        except TreadleError as problem:
            self._tell(Found((problem.finding,), kept_running=self._ready))
        except OSError as problem:  # a file that went while it was read: the edit that follows says more
            self._tell(Trouble(None, f"not reloaded: {problem}"))
        except Exception as problem:
            _log.exception("a reload failed")
            self._tell(Trouble(None, f"not reloaded, through a bug in Treadle: {problem!r}"))

    def _environment_of(self, function: str) -> Mapping[str, str]:
        """`.env` and the like, for the project's own functions: not for what somebody else deploys here."""
        if function not in self._translator.steps:
            return {}
        own = {name: value for name, value in self._local_environment.items() if not name.startswith("TREADLE_")}
        return {**own, LETS_ALL_IN: "1"}

    def _project_folder(self, function: str) -> Path | None:
        """What the function sees of the project, beside the files in its zip."""
        if self._shows_project_folder and function in self._translator.steps:
            return self._options.project.resolve()
        return None

    def _reread_environment(self) -> bool:
        """Whether `.env` says something else than before: every function starts anew then."""
        environment = _environment(self._options.project)
        if environment == self._local_environment or self._emulator is None:
            return False
        self._local_environment = environment
        self._emulator.runtime.restart()
        return True

    async def _reload(self) -> None:
        started = time.perf_counter()
        parts_before = self._parts
        has_new_environment = self._reread_environment()
        compilation = await self._compile(is_reload=True)
        before = self._current
        # what runs and is broken now keeps running as it was: a step with its queue and messages, a stream's access
        kept = before is not None and bool((_broken(compilation) - _broken(before)) & _files_in_use(before.app))
        self._tell_findings(compilation.findings, kept_running=kept)
        self._tell_missing_secrets(compilation.app, before.app.secrets if before is not None else ())
        if kept:
            return
        if before is not None and self._is_current_deployed and _same(before.assembly, compilation.assembly):
            self._current = compilation
            if has_new_environment:
                await self._inspect(compilation)
            return
        if not await self._deploy(compilation):
            return
        if not self._ready:
            self._announce(compilation)
            await self._inspect(compilation)
            spare_collections()
            return
        changed, removed = _difference(before, compilation)
        parts, removed_parts = changed_parts(parts_before, self._parts)
        self._tell(Reloaded(changed, (*removed, *removed_parts), time.perf_counter() - started, parts))
        await self._inspect(compilation)

    def _tell_findings(self, findings: tuple[Finding, ...], *, kept_running: bool) -> None:
        """Those that are new, and how many errors are gone where no other came."""
        fresh = new_findings(self._shown, findings)
        if fresh:
            self._tell(Found(fresh, kept_running))
        mended, left = errors_of(self._shown) - errors_of(findings), errors_of(findings)
        if mended and not has_errors(fresh):
            self._tell(Mended(len(mended), len(left)))
        # where something is broken, not all is looked at: a warning that is missing then is not gone
        unseen = [one for one in self._shown if one.severity != "error"] if left else []
        self._shown = (*findings, *new_findings(findings, unseen))

    # compile and deploy

    async def _compile(self, *, is_reload: bool = False) -> Compilation:
        project = self._options.project

        def compile_now() -> Compilation:
            options = usual_options(project, "host")
            # a step's own bytecode would be compiled for longer than it spares the step
            bundle = dataclasses.replace(options.bundle, compiles=not is_reload)
            discover = dataclasses.replace(options.discover, spare=self._spare)
            wanted = dataclasses.replace(options, discover=discover, bundle=bundle, is_for_aws=False)
            return compile_project(project, STAGE, wanted, self._former())

        return await self._compile_thread(compile_now)

    def _former(self) -> FormerPlacement | None:
        """Where the parts of what runs are, or of what is kept from the last time."""
        if self._current is not None and self._current.assembly is not None:
            return former_placement(self._current.assembly.manifest)
        if self._persistence is not None and (self._folder / "assembly" / STAGE / "manifest.json").exists():
            return former_placement(self._assembly().manifest)
        return None

    async def _compile_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._compiler, work)

    async def _deploy(self, compilation: Compilation) -> bool:
        """True when the stack is what the compilation says; otherwise the failure has been told."""
        emulator, _ = self._running()
        self._is_current_deployed = False
        self._tell_of_lost_messages(compilation)
        if compilation.assembly is None:
            return await self._deploy_nothing(compilation)
        self._shows_project_folder = compilation.app.shows_project_folder
        try:
            replayed = await replay(emulator, await self._lay_out(compilation.assembly))
        except AwsError as refusal:
            self._tell(Trouble(None, f"the deployment was refused: {refusal.message}"))
            replayed = None
        if replayed is None or not replayed.succeeded:
            if self._current is not None and self._current.assembly is not None:
                await self._lay_out(self._current.assembly)  # what runs on
            return False
        outputs = replayed.outputs
        self._api_ids = tuple(outputs[name] for name in sorted(outputs) if re.fullmatch(r"HttpApi\d*Id", name))
        self._web_socket_api_id = outputs.get("WebSocketApiId")
        self._current = compilation
        self._parts = parts_of(compilation.app, self._options.project)
        self._is_current_deployed = True
        return True

    def _tell_of_lost_messages(self, compilation: Compilation) -> None:
        """A step that goes takes its queue along, as on AWS: never silently."""
        emulator, _ = self._running()
        staying = _fingerprints(compilation)
        for name, entry in _fingerprints(self._current).items() if self._current is not None else ():
            queue_name = entry["queue"]
            if name in staying or not isinstance(queue_name, str):
                continue
            queue = emulator.sqs.resolve(emulator.region.arn("sqs", queue_name))
            counts = queue.counts() if queue is not None else None
            if counts is not None and (waiting := counts.visible + counts.in_flight + counts.delayed):
                self._tell(Trouble(name, f"{waiting} message(s) in its queue are gone with it"))

    async def _lay_out(self, wanted: Assembly) -> Replayable:
        """Makes an assembly the one that this project's folder and everything told are about."""
        await self._compile_thread(lambda: write_assembly(wanted, self._folder / "assembly" / STAGE))
        assembly = self._assembly()
        self._translator.steps = assembly.steps
        self._translator.origins = assembly.origins
        self._translator.stacks = assembly.stacks
        return assembly

    async def _deploy_nothing(self, compilation: Compilation) -> bool:
        """A project without a step: what ran before is removed."""
        emulator, _ = self._running()
        if self._current is not None and self._current.assembly is not None:
            await remove_stacks(emulator, self._current.assembly.stack_name)
        self._api_ids, self._web_socket_api_id = (), None
        self._current = compilation
        self._parts = {}
        self._is_current_deployed = True
        return True

    def _assembly(self) -> Replayable:
        return load(self._folder / "assembly" / STAGE)

    def _running(self) -> tuple[Emulator, Listener]:
        assert self._emulator is not None  # noqa: S101 - start() made both
        assert self._listener is not None  # noqa: S101
        return self._emulator, self._listener

    async def close(self) -> None:
        if self._edits is not None:
            await self._edits.close()
        if self._listener is not None:
            await self._listener.close()
        if self._emulator is not None:
            await self._emulator.close()
            self._later.tell_all()
        else:
            self._moto.close()
            if self._persistence is not None:
                self._persistence.close()
        self._compiler.shutdown(wait=True, cancel_futures=True)
        self._spare.close()
        if self._lock is None:
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if json.loads((self._folder / "dev.json").read_text()).get("pid") == os.getpid():
                (self._folder / "dev.json").unlink()
        self._lock.release()


def _environment(project: Path) -> dict[str, str]:
    settings = read_settings(project, STAGE)
    return project_environment(project, (*dict(settings.environment), *settings.secrets))


def _broken(compilation: Compilation) -> set[str]:
    return {finding.where.path for finding in compilation.findings if finding.severity == "error" and finding.where}


def _files_in_use(app: App) -> set[str]:
    """The files that an edit can break: those of steps, streams and authentication, and the project's settings."""
    files = {step.path for step in app.steps} | {"pyproject.toml", "treadle.toml"}
    files |= {stream.where.path for stream in app.streams if stream.where is not None}
    if app.authentication is not None:
        files.add(app.authentication.path)
    return files


def _planned(compilation: Compilation, now: float) -> Iterator[PlannedFiring]:
    after = datetime.fromtimestamp(now, UTC)
    for step in compilation.app.steps:
        for trigger in cron_triggers(step):
            following = next(iter(next_firings(trigger, after, 1)), None)
            yield PlannedFiring(step.name, trigger.expression, trigger.timezone, following)


def _same(before: Assembly | None, after: Assembly | None) -> bool:
    """Whether two assemblies deploy the same."""
    if before is None or after is None:
        return before is after
    return before.manifest == after.manifest and before.stacks == after.stacks


def _difference(before: Compilation | None, after: Compilation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The steps whose code or configuration is new, and those that are gone."""
    old = _fingerprints(before) if before is not None else {}
    new = _fingerprints(after)
    changed = tuple(name for name, fingerprint in new.items() if old.get(name) != fingerprint)
    return changed, tuple(name for name in old if name not in new)


def _fingerprints(compilation: Compilation) -> dict[str, dict[str, object]]:
    if compilation.assembly is None:
        return {}
    entries = cast("Sequence[Mapping[str, object]]", compilation.assembly.manifest["steps"])
    return {str(entry["step"]): {**entry, "source": None} for entry in entries}
