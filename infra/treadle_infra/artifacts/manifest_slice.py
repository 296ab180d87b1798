"""What one function knows about the app: the `treadle/manifest.json` in its zip."""

from __future__ import annotations

import dataclasses
import itertools
from typing import assert_never

from treadle.names import CHANGES, SYSTEM_PREFIX, WEBSOCKET
from treadle_infra.app.model import (
    App,
    CronTrigger,
    HttpTrigger,
    Json,
    QueueSettings,
    StateTrigger,
    Step,
    StreamTrigger,
    Telemetry,
    TopicTrigger,
    Trigger,
    Validation,
)
from treadle_infra.app.paths import segment_patterns
from treadle_infra.app.schemas import checked_schema
from treadle_infra.topology.batches import timing
from treadle_infra.topology.build import queue_settings, route_key
from treadle_infra.topology.schedules import guard_manifest

MANIFEST_FORMAT = 1


def manifest_slice(
    step: Step,
    telemetry: Telemetry | None = None,
    fifo_topics: frozenset[str] = frozenset(),
    package: str | None = None,
    secrets: tuple[str, ...] = (),
    *,
    notes_state_trace: bool = False,
) -> dict[str, Json]:
    """The part of the app that the step's adapter reads; `emits` None means any topic.

    Example: {"manifest": 1, "step": "SendMessage", "source": "steps/api_step.py", "flows": ["messaging"],
    "triggers": [{"kind": "api", "routeKey": "POST /messages"}, {"kind": "event", "topic": "message.sent"}],
    "timeoutSeconds": 30, "queue": {"maxRetries": 3}, "emits": ["message.sent"], "streams": ["messages"],
    "telemetry": {"otlpEndpoint": "http://localhost:4318", "serviceName": "chat"}}

    A FIFO queue: {"maxRetries": 3, "fifo": true}; waits of its own: {"backoff": "fixed", "backoffSeconds": 5}.
    Where the app has FIFO topics to which the step may emit:
    {..., "fifoTopics": ["order.placed"]}.
    A trigger whose body or message is checked: {..., "schema": {"type": "object"}, "validation": "enforce"}.

    A cron trigger: {"kind": "cron", "number": 0, "expression": "0 9 * * *", "timezone": null, "guard": null};
    its number is the one in its schedule's name, its guard says which days are meant where AWS's expression has more.

    A route with middleware has the keys under which the config names it: {..., "middleware": ["triggers", 0,
    "middleware"]}; one whose path has more than whole parameters, the patterns of these: {..., "patterns":
    {"from_to": "(?P<from>[^/]+?)\\-(?P<to>[^/]+?)"}}.

    {..., "secrets": ["OPENAI_API_KEY"]}: variables whose values are fetched when the process starts.
    {..., "wrapsStateValues": true}: state is read as by Motia's Python SDK.

    A trigger with a condition has its keys likewise. {..., "flow": true}: the config is in the dialect of Motia 1.0.
    {"kind": "state"} and {"kind": "stream", "stream": "orders", "group": null, "item": null} are triggers on changes;
    {..., "notesStateTrace": true}: what is written to state says where it came from, since changes trigger steps.

    {..., "application": "/api"}: the step is an ASGI application under this path.

    {..., "package": "shop"}: the project's files import the project by this name.

    `timeoutSeconds` is for one message; `streams` are those that the step uses, None where it may use any.

    Raises: TreadleError `queue-settings-differ`, `fifo-and-schedule-in-one-step`.
    """
    settings = queue_settings(step)
    emits = None if step.emits is None else [emit.topic for emit in step.emits]
    ordered = sorted(fifo_topics if emits is None else fifo_topics & set(emits))
    return {
        "manifest": MANIFEST_FORMAT,
        "step": step.name,
        "source": step.path,
        "flows": list(step.flows),
        "triggers": _triggers(step),
        "timeoutSeconds": timing(step, settings).handler_seconds,
        "queue": None if settings is None else _queue(settings),
        "emits": None if emits is None else list[Json](emits),
        **({"fifoTopics": list[Json](ordered)} if ordered else {}),
        **({"flow": True} if step.is_flow else {}),
        **({"application": step.application} if step.application is not None else {}),
        **({"notesStateTrace": True} if notes_state_trace and step.usage.state else {}),
        **({"wrapsStateValues": True} if step.wraps_state_values else {}),
        **({"secrets": list[Json](secrets)} if secrets else {}),
        **({"package": package} if package is not None else {}),
        "streams": None if step.usage.any_stream else list[Json](sorted(step.usage.streams)),
        "telemetry": _telemetry(telemetry),
    }


def system_slice(name: str, app: App) -> dict[str, Json]:
    """What one of Treadle's own functions reads.

    Example: {"manifest": 1, "system": "websocket", "authenticate": {"source": "auth.py", "function": "authenticate"},
    "streams": {"messages": {"source": "steps/messages_stream.py", "checksAccess": true}}, "telemetry": null}
    A stream that everybody may follow has {"isOpen": true}.

    The one that hands changes on: {"manifest": 1, "system": "changes", ..., "triggers": [
    {"step": "Ship", "fifo": false, "kind": "stream", "stream": "orders", "group": null, "item": null},
    {"step": "Audit", "fifo": false, "kind": "state"}]}
    """
    streams: dict[str, Json] = {
        stream.name: {
            "source": stream.where.path if stream.checks_access and stream.where is not None else None,
            "checksAccess": stream.checks_access,
            **({"isOpen": True} if stream.is_open else {}),
        }
        for stream in app.streams
    }
    document: dict[str, Json] = {
        "manifest": MANIFEST_FORMAT,
        "system": name.removeprefix(SYSTEM_PREFIX),
        "streams": streams,
        "telemetry": _telemetry(app.telemetry),
    }
    if app.package is not None:
        document["package"] = app.package
    if name == CHANGES:
        document["triggers"] = _reacting(app)
    if name == WEBSOCKET:
        if app.secrets and app.decides_access:
            document["secrets"] = list[Json](app.secrets)
        authentication = app.authentication
        document["authenticate"] = (
            {"source": authentication.path, "function": authentication.function} if authentication is not None else None
        )
    return document


def _triggers(step: Step) -> list[Json]:
    numbers = itertools.count()  # of the schedules, in `cron_triggers`' order
    triggers: list[Json] = []
    mode = step.validation
    for trigger in step.triggers:
        match trigger:
            case HttpTrigger():
                triggers.append(_api(trigger, mode, is_flow=step.is_flow))
            case TopicTrigger(topic):
                checked = _schema(trigger.input_schema, mode)
                triggers.append({"kind": "event", "topic": topic, **_condition(trigger), **checked})
            case CronTrigger():
                triggers.append(_cron(trigger, next(numbers)))
            case StateTrigger():
                triggers.append({"kind": "state", **_condition(trigger)})
            case StreamTrigger():
                triggers.append({"kind": "stream", **_followed(trigger), **_condition(trigger)})
            case _:
                assert_never(trigger)
    return triggers


def _followed(trigger: StreamTrigger) -> dict[str, Json]:
    return {"stream": trigger.stream, "group": trigger.group, "item": trigger.item}


def _reacting(app: App) -> list[Json]:
    """The triggers on tables, as the function reads them that puts their changes into the queues of steps."""
    found: list[Json] = []
    for step in app.steps:
        settings = queue_settings(step)
        place: dict[str, Json] = {"step": step.name, "fifo": settings is not None and settings.is_fifo}
        for trigger in dict.fromkeys(
            dataclasses.replace(one, where=None, condition=None) for one in step.table_triggers
        ):
            match trigger:
                case StateTrigger():
                    found.append({**place, "kind": "state"})
                case StreamTrigger():
                    found.append({**place, "kind": "stream", **_followed(trigger)})
                case _:
                    assert_never(trigger)
    return found


def _queue(settings: QueueSettings) -> Json:
    document: dict[str, Json] = {"maxRetries": settings.max_retries}
    if settings.is_fifo:
        document["fifo"] = True
    if (settings.backoff, settings.backoff_seconds) != ("exponential", 2):
        document["backoff"], document["backoffSeconds"] = settings.backoff, settings.backoff_seconds
    return document


def _condition(trigger: Trigger) -> dict[str, Json]:
    return {} if trigger.condition is None else {"condition": list(trigger.condition)}


def _api(trigger: HttpTrigger, mode: Validation, *, is_flow: bool) -> Json:
    document: dict[str, Json] = {"kind": "api", "routeKey": route_key(trigger), **_condition(trigger)}
    if is_flow:
        document["path"] = trigger.path
    patterns = segment_patterns(trigger.path)
    if patterns:
        document["patterns"] = dict[str, Json](patterns)
    if trigger.middleware is not None:
        document["middleware"] = list(trigger.middleware)
    return {**document, **_schema(trigger.body_schema, mode)}


def _schema(schema: Json, mode: Validation) -> dict[str, Json]:
    checked = None if schema is None or mode == "off" else checked_schema(schema).schema
    return {} if checked is None else {"schema": checked, "validation": mode}


def _cron(trigger: CronTrigger, number: int) -> Json:
    return {
        "kind": "cron",
        "number": number,
        "expression": trigger.expression,
        "timezone": trigger.timezone,
        "guard": guard_manifest(trigger),
        **_condition(trigger),
    }


def _telemetry(telemetry: Telemetry | None) -> Json:
    if telemetry is None:
        return None
    return {"otlpEndpoint": telemetry.otlp_endpoint, "serviceName": telemetry.service_name}
