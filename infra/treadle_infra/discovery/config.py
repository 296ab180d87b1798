"""A step's or stream's config, in either dialect -> its part of the App, or what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from treadle_infra.app.findings import Finding, error, warning
from treadle_infra.app.model import (
    CronDialect,
    CronTrigger,
    DrawnStep,
    Emit,
    HttpTrigger,
    Permission,
    QueryParameter,
    QueueSettings,
    StateTrigger,
    Step,
    Stream,
    StreamTrigger,
    TopicTrigger,
    Trigger,
    Validation,
    Virtual,
)
from treadle_infra.app.paths import without_braces, without_optional
from treadle_infra.app.schemas import schema_findings
from treadle_infra.discovery.child import FUNCTION
from treadle_infra.discovery.config_models import (
    METHODS,
    ApiStep,
    CronStep,
    CronTrigger1,
    EmitConfig,
    EventStep,
    HttpTrigger1,
    NoopStep,
    PermissionConfig,
    QueueConfig1,
    QueueTrigger1,
    StateTrigger1,
    Step1,
    StreamConfig,
    StreamTrigger1,
    closest,
)
from treadle_infra.discovery.file_usage import ContextArgument
from treadle_infra.discovery.handlers import check_function
from treadle_infra.discovery.infrastructure import (
    API_TIMEOUT_LIMIT_SECONDS,
    DEFAULT_MEMORY_MB,
    Infrastructure,
    queue_problems,
    read_infrastructure,
    visibility_problem,
)
from treadle_infra.discovery.places import ConfigPlaces, Keys
from treadle_infra.discovery.schedules import read_cron_trigger
from treadle_infra.discovery.validation import dotted, shown, validate

BACKOFF_LIMIT_SECONDS = 900
_CODE = "step-config-invalid"
_STREAM_CODE = "stream-config-invalid"
_TYPES: dict[str, type[ApiStep | EventStep | CronStep | NoopStep]] = {
    "api": ApiStep,
    "event": EventStep,
    "cron": CronStep,
    "noop": NoopStep,
}
_TRIGGER_TYPES = ["http", "queue", "cron", "state", "stream"]


@dataclass(frozen=True, slots=True)
class StepConfig:
    """What a config says. `step` is None where it is wrong, or where there is only something to draw: `drawn`.

    `include_files` are patterns of files that the zip needs besides the imports. `contexts`: functions of the config
    that are called with a context.
    """

    step: Step | None
    findings: tuple[Finding, ...] = ()
    drawn: DrawnStep | None = None
    include_files: tuple[str, ...] = ()
    contexts: frozenset[ContextArgument] = frozenset()


@dataclass(frozen=True, slots=True)
class StepDefaults:
    """What holds where a step says nothing of its own; `dialect` is that of all cron expressions.

    `timeout_seconds` None: by the kind of the step's trigger.
    """

    dialect: CronDialect = "and"
    validation: Validation = "warn"
    memory_mb: int = DEFAULT_MEMORY_MB
    timeout_seconds: int | None = None


def read_step_config(
    config: Mapping[str, Any], places: ConfigPlaces, defaults: StepDefaults = StepDefaults()
) -> StepConfig:
    """The step of a config; usage and files are not in it yet."""
    findings: list[Finding] = []
    read = _read_1 if "triggers" in config else _read_0
    found = read(config, places, findings, defaults)
    broken = any(finding.severity == "error" for finding in findings)
    if found is None or broken:
        return StepConfig(None, tuple(findings))
    if found.step is not None:
        step = dataclasses.replace(found.step, validation=config.get("validation") or defaults.validation)
        findings += [*_unchecked(step, config, places), *_empty_topics(config, places)]
        found = dataclasses.replace(found, step=step)
    return dataclasses.replace(found, findings=tuple(findings))


def read_stream_config(config: Mapping[str, Any], places: ConfigPlaces) -> tuple[Stream | None, list[Finding]]:
    """The stream of a config, or None and why; files are not in it yet."""
    findings: list[Finding] = []
    stream = validate(StreamConfig, config, places, findings, _STREAM_CODE)
    if stream is None:
        return None, findings
    storage = stream.base_config.storage_type
    if storage != "default" or stream.base_config.factory is not None:
        where = places.of("baseConfig", "storageType")
        if storage == "custom" or stream.base_config.factory is not None:
            message = "streams with a storage of their own (`storageType: custom`, `factory`) are not supported yet"
            findings.append(error("custom-stream-storage-not-supported-yet", message, where, "write `default`"))
        else:
            findings.append(
                error(_STREAM_CODE, f"`baseConfig.storageType` must be `default`; got {shown(storage)}", where)
            )
    if stream.on_leave is not None:
        message = "`onLeave` of a stream is not supported yet"
        hint = "take it out; `onJoin` and `canAccess` say who may follow the stream"
        findings.append(error("stream-access-rules-not-supported-yet", message, places.of("onLeave"), hint))
    rules = {
        "canAccess": (stream.can_access, ("subscription", "context")),
        "onJoin": (stream.on_join, ("subscription", "context", "auth")),
    }
    asked = {key: rule for key, rule in rules.items() if rule[0] is not None}
    for key, (function, parameters) in asked.items():
        if function is not None:
            findings += check_function(function, key, parameters, _STREAM_CODE, places.of(key))
    if asked and stream.access is not None:
        message = f"a stream has either `{next(iter(asked))}`, which decides, or is open to all"
        findings.append(error(_STREAM_CODE, message, places.of("access"), "take one of them out"))
    if findings:
        return None, findings
    checks, is_open = bool(asked), stream.access == "open"
    return Stream(stream.name, places.config, stream.stream_schema, checks, is_open), findings


# 0.x: type, subscribes, emits


def _read_0(
    config: Mapping[str, Any], places: ConfigPlaces, findings: list[Finding], defaults: StepDefaults
) -> StepConfig | None:
    kind: object = config.get("type")
    if kind is None:
        findings.append(error(_CODE, "`type` is required", places.config, f"one of {', '.join(_TYPES)}"))
        return None
    model = _TYPES.get(kind) if isinstance(kind, str) else None
    if model is None:
        message = f"`type` must be one of {', '.join(_TYPES)}; got {shown(kind)}"
        findings.append(error(_CODE, message, places.of("type"), closest(str(kind), list(_TYPES))))
        return None
    read = validate(model, config, places, findings, _CODE)
    if read is None:
        return None
    virtual = Virtual(_emits(read.virtual_emits) or (), tuple(read.virtual_subscribes))
    if isinstance(read, NoopStep):
        return StepConfig(None, (), _drawn(read, "noop", places, virtual))
    if isinstance(read, EventStep) and not read.subscribes:
        message = f"`{read.name}` subscribes to nothing, so that nothing ever runs it; it is drawn only"
        findings.append(warning("step-never-runs", message, places.of("subscribes"), "name the topics that it is for"))
        return StepConfig(None, (), _drawn(read, "event", places, virtual))
    infrastructure = read_infrastructure(read.infrastructure, places, findings, has_queue=isinstance(read, EventStep))
    triggers: tuple[Trigger, ...]
    contexts: frozenset[ContextArgument] = frozenset()
    match read:
        case ApiStep():
            where = places.of("path")
            middleware = _middleware(read.middleware, places, findings, ("middleware",))
            contexts = _contexts(read.middleware)
            http = HttpTrigger(METHODS[read.method], read.path, read.body_schema, where, middleware)
            triggers = _routes(_documented(http, read), findings)
            _check_api_timeout(infrastructure, places, findings)
        case EventStep():
            where = places.of("subscribes")
            topics = dict.fromkeys(read.subscribes)
            triggers = tuple(TopicTrigger(topic, read.input, infrastructure.queue, where) for topic in topics)
        case CronStep():
            cron = read_cron_trigger(read, defaults.dialect, places, findings)
            triggers = () if cron is None else (cron,)
    step = Step(
        name=read.name,
        where=places.config,
        triggers=triggers,
        emits=_emits(read.emits),
        flows=tuple(read.flows),
        virtual=virtual,
        description=read.description,
        permissions=_permissions(read.permissions),
        memory_mb=infrastructure.memory_mb or defaults.memory_mb,
        timeout_seconds=infrastructure.timeout_seconds or _usual_timeout(triggers, defaults),
    )
    return StepConfig(step, (), None, tuple(read.include_files), contexts)


def _drawn(
    read: NoopStep | EventStep, kind: Literal["event", "noop"], places: ConfigPlaces, virtual: Virtual
) -> DrawnStep:
    emits = _emits(read.emits) or ()
    return DrawnStep(read.name, kind, places.config, emits, tuple(read.flows), virtual, read.description)


# 1.0: triggers, enqueues


def _read_1(
    config: Mapping[str, Any], places: ConfigPlaces, findings: list[Finding], defaults: StepDefaults
) -> StepConfig | None:
    read = validate(Step1, config, places, findings, _CODE)
    if read is None:
        return None
    virtual = Virtual(_emits(read.virtual_enqueues) or (), tuple(read.virtual_subscribes))
    emits = _emits([*read.enqueues, *read.emits])
    if not read.triggers:
        drawn = DrawnStep(read.name, "noop", places.config, emits or (), tuple(read.flows), virtual, read.description)
        return StepConfig(None, (), drawn)
    infrastructure = read_infrastructure(read.infrastructure, places, findings, has_queue=False)
    triggers: list[Trigger] = []
    for position, trigger in enumerate(read.triggers):
        at = ("triggers", position)
        found: Trigger | None
        if trigger.get("type") == "cron":
            found = _read_cron_trigger(trigger, places, findings, at, defaults.dialect)
        else:
            found = _read_trigger(trigger, places, findings, at, infrastructure)
        triggers += _routes(found, findings) if isinstance(found, HttpTrigger) else [] if found is None else [found]
    if any(isinstance(trigger, HttpTrigger) for trigger in triggers):
        _check_api_timeout(infrastructure, places, findings)
    contexts: frozenset[ContextArgument] = frozenset()
    for trigger in read.triggers if not findings else ():
        condition = trigger.get("condition")
        contexts |= _contexts(trigger.get("middleware")) | _contexts([condition[FUNCTION]] if condition else None)
    step = Step(
        name=read.name,
        where=places.config,
        triggers=tuple(triggers),
        emits=emits,
        flows=tuple(read.flows),
        virtual=virtual,
        description=read.description,
        permissions=_permissions(read.permissions),
        memory_mb=infrastructure.memory_mb or defaults.memory_mb,
        timeout_seconds=infrastructure.timeout_seconds or _usual_timeout(triggers, defaults),
        is_flow=True,
    )
    return StepConfig(step, (), None, tuple(read.include_files), contexts)


def _read_trigger(
    trigger: Mapping[str, Any],
    places: ConfigPlaces,
    findings: list[Finding],
    at: Keys,
    infrastructure: Infrastructure,
) -> Trigger | None:
    kind: object = trigger.get("type")
    where = places.of(*at)
    match kind:
        case "http" | "api":
            http = validate(HttpTrigger1, trigger, places, findings, _CODE, at)
            if http is None:
                return None
            middleware = _middleware(http.middleware, places, findings, (*at, "middleware"))
            condition = _condition(http.condition, places, findings, at)
            path = places.of(*at, "path")
            route = HttpTrigger(METHODS[http.method], http.path, http.body_schema, path, middleware, condition)
            return _documented(route, http)
        case "queue" | "event":
            queue = validate(QueueTrigger1, trigger, places, findings, _CODE, at)
            if queue is None:
                return None
            condition = _condition(queue.condition, places, findings, at)
            settings = _queue_settings(queue.config, places, findings, (*at, "config"), infrastructure)
            return TopicTrigger(queue.topic, queue.input, settings, where, condition)
        case "state":
            state = validate(StateTrigger1, trigger, places, findings, _CODE, at)
            return None if state is None else StateTrigger(where, _condition(state.condition, places, findings, at))
        case "stream":
            stream = validate(StreamTrigger1, trigger, places, findings, _CODE, at)
            if stream is None:
                return None
            condition = _condition(stream.condition, places, findings, at)
            return StreamTrigger(stream.stream_name, stream.group_id, stream.item_id, where, condition)
        case None:
            findings.append(error(_CODE, f"`{dotted((*at, 'type'))}` is required", where))
        case _:
            message = f"`{dotted((*at, 'type'))}` must be one of {', '.join(_TRIGGER_TYPES)}; got {shown(kind)}"
            findings.append(error(_CODE, message, where, closest(str(kind), _TRIGGER_TYPES)))
    return None


def _read_cron_trigger(
    trigger: Mapping[str, Any], places: ConfigPlaces, findings: list[Finding], at: Keys, dialect: CronDialect
) -> CronTrigger | None:
    cron = validate(CronTrigger1, trigger, places, findings, _CODE, at)
    if cron is None:
        return None
    condition = _condition(cron.condition, places, findings, at)
    found = read_cron_trigger(cron, dialect, places, findings, at)
    return None if found is None else dataclasses.replace(found, condition=condition)


def _queue_settings(
    queue: QueueConfig1, places: ConfigPlaces, findings: list[Finding], at: Keys, infrastructure: Infrastructure
) -> QueueSettings:
    settings = QueueSettings(
        queue.max_retries,
        queue.visibility_timeout,
        queue.delay_seconds,
        queue.concurrency,
        queue.type == "fifo",
        queue.backoff_type or "exponential",
        2 if queue.backoff_delay_ms is None else -(-queue.backoff_delay_ms // 1000),
    )

    def reject(key: str, message: str) -> None:
        findings.append(error("infrastructure-invalid", message, places.of(*at, key)))

    queue_problems(settings, reject)
    if not 0 <= settings.backoff_seconds <= BACKOFF_LIMIT_SECONDS:
        reject("backoffDelayMs", f"backoffDelayMs must be 0 to {BACKOFF_LIMIT_SECONDS}000 (15 minutes)")
    premature = visibility_problem(settings.visibility_timeout_seconds, infrastructure.timeout_seconds)
    if premature is not None:
        reject("visibilityTimeout", premature)
    return settings


# both


def _unchecked(step: Step, config: Mapping[str, Any], places: ConfigPlaces) -> list[Finding]:
    """What of the step's schemas is not checked, once for each schema."""
    findings: list[Finding] = []
    if step.validation == "off":
        return findings
    for number, trigger in enumerate(step.triggers):
        at: Keys = ("triggers", number) if "triggers" in config else ()
        match trigger:
            case HttpTrigger(body_schema=schema):
                findings += schema_findings("bodySchema", schema, places.of(*at, "bodySchema"))
            case TopicTrigger(input_schema=schema):
                findings += schema_findings("input", schema, places.of(*at, "input"))
            case CronTrigger() | StateTrigger() | StreamTrigger():
                pass
    return list(dict.fromkeys(findings))


def _empty_topics(config: Mapping[str, Any], places: ConfigPlaces) -> Iterator[Finding]:
    for key in ("emits", "enqueues"):
        for position, emit in enumerate(config.get(key) or ()):
            if emit == "":
                message = f"`{key}` has an empty text in it, which is no topic; it is left out"
                yield warning("empty-topic", message, places.of(key, position), "name the topic, or write `[]`")


def _usual_timeout(triggers: Sequence[Trigger], defaults: StepDefaults) -> int | None:
    """The project's, as far as API Gateway waits and the step's own queue keeps a message back."""
    limits = [API_TIMEOUT_LIMIT_SECONDS for trigger in triggers if isinstance(trigger, HttpTrigger)]
    queues = [trigger.queue.visibility_timeout_seconds for trigger in triggers if isinstance(trigger, TopicTrigger)]
    limits += [seconds for seconds in queues if seconds]
    return None if defaults.timeout_seconds is None else min(defaults.timeout_seconds, *limits, 900)


def _emits(emits: Sequence[EmitConfig]) -> tuple[Emit, ...] | None:
    """None for an empty list: as in Motia, that allows any topic."""
    return tuple(Emit(emit.topic, emit.label, emit.conditional) for emit in emits) or None


def _permissions(permissions: Sequence[PermissionConfig]) -> tuple[Permission, ...]:
    return tuple(Permission(tuple(one.actions), tuple(one.resources)) for one in permissions)


def _check_api_timeout(infrastructure: Infrastructure, places: ConfigPlaces, findings: list[Finding]) -> None:
    timeout = infrastructure.timeout_seconds
    if timeout is not None and API_TIMEOUT_LIMIT_SECONDS < timeout <= 900:
        findings.append(
            error(
                "api-timeout-too-long",
                f"a step that answers requests has at most {API_TIMEOUT_LIMIT_SECONDS} s, since API Gateway ends a "
                f"request at 30 s; got {timeout} s",
                places.of("infrastructure", "handler", "timeout"),
                "answer at once, and emit to an event step that does the rest",
            )
        )


def _routes(trigger: HttpTrigger, findings: list[Finding]) -> tuple[HttpTrigger, ...]:
    """The trigger once for each form of its path: with and without what is optional."""
    if trigger.path != "/" and trigger.path.endswith("/"):
        served = trigger.path.rstrip("/")
        message = f"the path is served as `{served}`: to API Gateway a slash at the end makes it another path"
        findings.append(warning("path-slash-dropped", message, trigger.where, f"write `{served}`, and request that"))
    meant = without_braces(trigger.path)
    if meant != trigger.path:
        message = f"the path is read as `{meant}`: braces stand for a parameter in API Gateway, not in Motia"
        findings.append(warning("path-braces-read", message, trigger.where, f"write `{meant}`"))
    return tuple(dataclasses.replace(trigger, path=path) for path in without_optional(meant))


def _documented(trigger: HttpTrigger, read: ApiStep | HttpTrigger1) -> HttpTrigger:
    """The trigger with what its config says to people and tools."""
    parameters = tuple(QueryParameter(one.name, one.description) for one in read.query_params)
    return dataclasses.replace(trigger, query_parameters=parameters, response_schemas=read.response_schema or {})


def _middleware(
    functions: Sequence[Mapping[str, Any]] | None, places: ConfigPlaces, findings: list[Finding], keys: Keys
) -> tuple[str | int, ...] | None:
    """`keys`, under which the step finds its middleware when it runs; None where the config has no such key."""
    if functions is None:
        return None
    parameters = ("request", "context", "next")
    for position, facts in enumerate(functions):
        where = places.of(*keys, position)
        name = dotted((*keys, position))
        findings += check_function(facts, name, parameters, "middleware-invalid", where, "middleware")
    return tuple(keys)


def _contexts(functions: Sequence[Mapping[str, Any]] | None) -> frozenset[ContextArgument]:
    """Where the context is handed to the middleware."""
    return frozenset(
        ContextArgument(name, position) for facts in functions or () for name, position in facts["functions"]
    )


def _condition(
    condition: Mapping[str, Any] | None, places: ConfigPlaces, findings: list[Finding], at: Keys
) -> tuple[str | int, ...] | None:
    """`keys`, under which the step finds the trigger's condition when it runs; None where it has none."""
    if condition is None:
        return None
    keys = (*at, "condition")
    parameters = ("input", "context") if condition.get("most") != 1 else ("input",)
    findings += check_function(condition, dotted(keys), parameters, "condition-invalid", places.of(*keys), "condition")
    return keys
