"""Reads the slice of the app that one function needs: `treadle/manifest.json` in its zip.

Plain slotted classes: importing `dataclasses` (with `inspect`) costs more than all of the adapter at a cold start.
"""

from __future__ import annotations

import json

from treadle.errors import ManifestError
from treadle.json_values import object_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle.cron_guard import Guard
    from treadle.validation import PayloadSchema

    Keys = tuple[str | int, ...]

MANIFEST_VERSION = 1
DEFAULT_MAX_RETRIES = 3


class ApiTrigger:
    """The step answers this route. `route_key` is API Gateway's: `POST /orders/{id}`.

    `middleware`: the keys under which the step's config has the route's middleware, None where it has no such key.
    `condition` is the like for what decides whether the handler is called. `path` is as written: `/orders/:id`.
    `patterns`: for each parameter of the route that is taken apart, the expression whose groups are the parts.
    `schema` is that of the body, where it is checked.
    """

    __slots__ = ("condition", "middleware", "path", "patterns", "route_key", "schema")

    def __init__(
        self,
        route_key: str,
        middleware: Keys | None = None,
        condition: Keys | None = None,
        path: str | None = None,
        patterns: dict[str, str] | None = None,
        schema: PayloadSchema | None = None,
    ) -> None:
        self.route_key = route_key
        self.middleware = middleware
        self.condition = condition
        self.path = path
        self.patterns = patterns
        self.schema = schema

    def __str__(self) -> str:
        return f"route {self.route_key}"


class EventTrigger:
    """The step gets the messages of this topic, through its queue."""

    __slots__ = ("condition", "schema", "topic")

    def __init__(self, topic: str, condition: Keys | None = None, schema: PayloadSchema | None = None) -> None:
        self.topic = topic
        self.condition = condition
        self.schema = schema

    def __str__(self) -> str:
        return f"topic {self.topic}"


class CronTrigger:
    """The step runs when its rule or schedule of this number fires and `guard`, where there is one, admits the time.

    `expression` and `timezone` are the step's own words, for people.
    """

    __slots__ = ("condition", "expression", "guard", "number", "timezone")

    def __init__(
        self,
        number: int,
        expression: str,
        timezone: str | None = None,
        guard: Guard | None = None,
        condition: Keys | None = None,
    ) -> None:
        self.condition = condition
        self.number = number
        self.expression = expression
        self.timezone = timezone
        self.guard = guard

    def __str__(self) -> str:
        return f"cron {self.expression}{f' {self.timezone}' if self.timezone else ''}"


class StateTrigger:
    """The step runs when state changes."""

    __slots__ = ("condition",)

    key = '["state"]'

    def __init__(self, condition: Keys | None = None) -> None:
        self.condition = condition

    def __str__(self) -> str:
        return "state"

    def record(self) -> dict[str, object]:
        """What the record of a run says of it."""
        return {"kind": "state"}


class StreamTrigger:
    """The step runs when items of a stream change: all of them, those of a `group`, or those with the id `item`.

    `key` is the trigger's name among those of its step.
    """

    __slots__ = ("condition", "group", "item", "key", "stream")

    def __init__(self, stream: str, group: str | None, item: str | None, condition: Keys | None = None) -> None:
        self.stream = stream
        self.group = group
        self.item = item
        self.condition = condition
        self.key = json.dumps(["stream", stream, group, item])

    def __str__(self) -> str:
        return f"stream {self.stream}"

    def record(self) -> dict[str, object]:
        return {"kind": "stream", "stream": self.stream}


class Telemetry:
    """Where the app's spans go: an OTLP/HTTP endpoint, to which `/v1/traces` is appended."""

    __slots__ = ("otlp_endpoint", "service_name")

    def __init__(self, otlp_endpoint: str, service_name: str) -> None:
        self.otlp_endpoint = otlp_endpoint
        self.service_name = service_name


if TYPE_CHECKING:
    TableTrigger = StateTrigger | StreamTrigger
    Trigger = ApiTrigger | EventTrigger | CronTrigger | TableTrigger


class Manifest:
    """What one function knows of its app.

    `emits` None means any topic, `streams` None any stream. `max_retries` counts the attempts after the first;
    A message waits `backoff_seconds` before its first retry, and before each next twice as long, unless
    `has_fixed_backoff`.
    `is_fifo`: the step's queue is a FIFO queue; `fifo_topics` are the FIFO topics among those that it may emit to.
    `timeout_seconds` is how long the handler may take for one message or firing. `telemetry` None: spans go nowhere.
    `route_keys`, `topics`, `cron_triggers` and, by their keys, `table_triggers` are those of its triggers; `is_queued`:
    it has a queue. `notes_state_trace`: what it writes to state says where it came from. `middleware`
    has the places of middleware in the step's config, `patterns` the expressions for parameters, by route key.
    `is_flow`: the config is in Motia 1.0's dialect. `application`: the path under which the step is an ASGI
    application, None where it has a handler.
    `package`: the name by which the project's files import the project, None where they do not.
    `body_schemas` (by route key) and `input_schemas` (by topic) have those that are checked.
    `secrets` are variables whose values are fetched when the process starts.
    `wraps_state_values`: what `state.get` returns also answers `.get("data")`, as in Motia's Python SDK.
    """

    __slots__ = (
        "api_triggers",
        "application",
        "backoff_seconds",
        "body_schemas",
        "cron_triggers",
        "emits",
        "fifo_topics",
        "flows",
        "has_fixed_backoff",
        "input_schemas",
        "is_fifo",
        "is_flow",
        "is_queued",
        "max_retries",
        "middleware",
        "notes_state_trace",
        "package",
        "patterns",
        "route_keys",
        "secrets",
        "source",
        "step",
        "streams",
        "table_triggers",
        "telemetry",
        "timeout_seconds",
        "topics",
        "triggers",
        "wraps_state_values",
    )

    def __init__(
        self,
        *,
        step: str,
        source: str,
        triggers: tuple[Trigger, ...],
        flows: tuple[str, ...] = (),
        emits: frozenset[str] | None = None,
        streams: frozenset[str] | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        timeout_seconds: int | None = None,
        telemetry: Telemetry | None = None,
        is_fifo: bool = False,
        fifo_topics: frozenset[str] = frozenset(),
        is_flow: bool = False,
        application: str | None = None,
        backoff_seconds: int = 2,
        has_fixed_backoff: bool = False,
        wraps_state_values: bool = False,
        secrets: tuple[str, ...] = (),
        package: str | None = None,
        notes_state_trace: bool = False,
    ) -> None:
        self.step = step
        self.source = source
        self.triggers = triggers
        self.api_triggers = routes = tuple(trigger for trigger in triggers if isinstance(trigger, ApiTrigger))
        self.route_keys = frozenset(route.route_key for route in routes)
        self.middleware = {route.route_key: route.middleware for route in routes if route.middleware is not None}
        self.patterns = {route.route_key: route.patterns for route in routes if route.patterns}
        self.topics = frozenset(trigger.topic for trigger in triggers if isinstance(trigger, EventTrigger))
        self.body_schemas = {
            trigger.route_key: trigger.schema for trigger in triggers if isinstance(trigger, ApiTrigger)
        }
        self.input_schemas = {
            trigger.topic: trigger.schema for trigger in triggers if isinstance(trigger, EventTrigger)
        }
        self.cron_triggers = tuple(trigger for trigger in triggers if isinstance(trigger, CronTrigger))
        self.table_triggers = {
            trigger.key: trigger for trigger in triggers if isinstance(trigger, (StateTrigger, StreamTrigger))
        }
        self.is_queued = bool(self.topics or self.table_triggers)
        self.notes_state_trace = notes_state_trace
        self.flows = flows
        self.emits = emits
        self.streams = streams
        self.max_retries = max_retries
        self.timeout_seconds = timeout_seconds
        self.telemetry = telemetry
        self.is_fifo = is_fifo
        self.fifo_topics = fifo_topics
        self.is_flow = is_flow
        self.application = application
        self.backoff_seconds = backoff_seconds
        self.has_fixed_backoff = has_fixed_backoff
        self.wraps_state_values = wraps_state_values
        self.secrets = secrets
        self.package = package


def read_manifest(path: str) -> Manifest:
    """The manifest in the file at `path`.

    Raises: ManifestError, which names the key.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not loaded at a cold start
            document = object_or_none(json.load(file))
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"{path} is not JSON: {error}") from error
    if document is None or document.get("manifest") != MANIFEST_VERSION:
        raise ManifestError(f"{path}: `manifest` must be {MANIFEST_VERSION}, the only version that this adapter reads")
    queue: dict[str, Any] = document.get("queue") or {}
    return Manifest(
        step=_text(document, "step", path),
        source=_text(document, "source", path),
        triggers=tuple(_trigger(trigger, path) for trigger in document.get("triggers", ())),
        flows=tuple(document.get("flows", ())),
        emits=_names(document, "emits"),
        streams=_names(document, "streams"),
        max_retries=int(queue.get("maxRetries", DEFAULT_MAX_RETRIES)),
        timeout_seconds=document.get("timeoutSeconds"),
        telemetry=read_telemetry(document, path),
        is_fifo=queue.get("fifo") is True,
        fifo_topics=frozenset(document.get("fifoTopics", ())),
        is_flow=document.get("flow") is True,
        application=document.get("application"),
        backoff_seconds=int(queue.get("backoffSeconds", 2)),
        has_fixed_backoff=queue.get("backoff") == "fixed",
        wraps_state_values=document.get("wrapsStateValues") is True,
        secrets=tuple(document.get("secrets", ())),
        package=document.get("package"),
        notes_state_trace=document.get("notesStateTrace") is True,
    )


def read_telemetry(document: dict[str, Any], path: str) -> Telemetry | None:
    """The manifest's `"telemetry": {"otlpEndpoint": "http://...", "serviceName": "shop"}`; None where it has none.

    Raises: ManifestError.
    """
    telemetry = document.get("telemetry")
    if telemetry is None:
        return None
    return Telemetry(_text(telemetry, "otlpEndpoint", path), _text(telemetry, "serviceName", path))


def _text(document: dict[str, Any], key: str, path: str) -> str:
    text = document.get(key)
    if not isinstance(text, str) or not text:
        raise ManifestError(f"{path}: `{key}` must be a text")
    return text


def _names(document: dict[str, Any], key: str) -> frozenset[str] | None:
    names = document.get(key)
    return None if names is None else frozenset(names)


def _trigger(trigger: dict[str, Any], path: str) -> Trigger:
    kind = trigger.get("kind")
    make = _TRIGGERS.get(str(kind))
    if make is None:
        raise ManifestError(f"{path}: trigger kind `{kind}` is unknown to this adapter")
    return make(trigger, path)


def _api_trigger(trigger: dict[str, Any], path: str) -> ApiTrigger:
    return ApiTrigger(
        _text(trigger, "routeKey", path),
        _keys(trigger, "middleware"),
        _keys(trigger, "condition"),
        trigger.get("path"),
        trigger.get("patterns"),
        _schema(trigger),
    )


def _keys(trigger: dict[str, Any], name: str) -> Keys | None:
    keys: list[str | int] | None = trigger.get(name)
    return None if keys is None else tuple(keys)


def _schema(trigger: dict[str, Any]) -> PayloadSchema | None:
    if "schema" not in trigger:
        return None
    from treadle.validation import PayloadSchema

    return PayloadSchema(trigger["schema"], is_enforced=trigger.get("validation") == "enforce")


def _cron_trigger(trigger: dict[str, Any], path: str) -> CronTrigger:
    guard: dict[str, Any] | None = trigger.get("guard")
    number = trigger.get("number")
    if type(number) is not int:
        raise ManifestError(f"{path}: `number` must be a number")
    return CronTrigger(
        number,
        _text(trigger, "expression", path),
        trigger.get("timezone"),
        None if guard is None else _guard(guard),
        _keys(trigger, "condition"),
    )


def table_trigger(trigger: dict[str, Any], path: str) -> TableTrigger:
    """The trigger in `{"kind": "state"}` or `{"kind": "stream", "stream": ..., "group": ..., "item": ...}`.

    Raises: ManifestError.
    """
    condition = _keys(trigger, "condition")
    if trigger.get("kind") == "state":
        return StateTrigger(condition)
    return StreamTrigger(_text(trigger, "stream", path), trigger.get("group"), trigger.get("item"), condition)


def _guard(guard: dict[str, Any]) -> Guard:
    from treadle.cron_guard import Guard

    offsets: list[list[int]] = guard.get("offsets") or []
    return Guard(
        _days(guard, "daysOfMonth"),
        _days(guard, "daysOfWeek"),
        [(begins, seconds) for begins, seconds in offsets],
        either=bool(guard.get("any")),
    )


def _days(guard: dict[str, Any], key: str) -> frozenset[int] | None:
    days: list[int] | None = guard.get(key)
    return None if days is None else frozenset(days)


_TRIGGERS: dict[str, Callable[[dict[str, Any], str], Trigger]] = {
    "api": _api_trigger,
    "event": lambda trigger, path: EventTrigger(
        _text(trigger, "topic", path), _keys(trigger, "condition"), _schema(trigger)
    ),
    "cron": _cron_trigger,
    "state": table_trigger,
    "stream": table_trigger,
}
