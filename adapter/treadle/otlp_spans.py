"""From an invocation record to a span as OTLP's JSON has it. Pure: the record says all that a span says.

Sources: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hex, 64-bit numbers as texts),
https://opentelemetry.io/docs/specs/semconv/faas/aws-lambda/, https://opentelemetry.io/docs/specs/semconv/messaging/sqs/
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Json = dict[str, Any]

_SERVER = 2
_CONSUMER = 5
_ERROR = 2
_FAILURES = frozenset({"error", "retry", "dead-letter"})
_DOCUMENT_OPERATIONS = {"create": "insert", "update": "edit", "delete": "delete"}


def export_request(spans: list[Json], resource: Mapping[str, object]) -> Json:
    """The body of one export of `spans`, all of which have these resource attributes."""
    scope_spans = {"scope": {"name": "treadle"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": [scope_spans]}]}


def span_of_record(record: Mapping[str, Any]) -> Json:
    """The span of one run of a handler."""
    start_ns = round(record["startMs"] * 1000) * 1000
    name, kind, found = _described(record)
    error: dict[str, str] | None = record.get("error")
    found |= {
        "faas.invocation_id": record["requestId"],
        "treadle.step": record["step"],
        "treadle.trace_id": record["traceId"],
        "treadle.result": record["result"],
        "treadle.hops": record["hops"],
    }
    if error is not None:
        found |= {"error.type": error["type"], "treadle.error.fingerprint": error["fingerprint"]}
    span: Json = {
        "traceId": record["w3cId"],
        "spanId": record["spanId"],
        "name": _text(name),
        "kind": kind,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + round(record["durationMs"] * 1_000_000)),
        "attributes": attributes(found),
        "events": [_emit_event(emit, start_ns) for emit in record["emits"]],
    }
    if record["parentId"] is not None:
        span["parentSpanId"] = record["parentId"]
    if record["result"] in _FAILURES:
        span["status"] = {"code": _ERROR, "message": "" if error is None else _text(error["message"])}
    return span


def attributes(values: Mapping[str, object]) -> list[Json]:
    """`[{"key": ..., "value": {"stringValue": ...}}]`; what is None is left out."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: object) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case _:
            return {"stringValue": _text(str(value))}


def _text(text: str) -> str:
    """`text` without halves of surrogate pairs: one of them makes a collector refuse the whole request."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _described(record: Mapping[str, Any]) -> tuple[str, int, dict[str, object]]:
    """Name, kind and attributes by what set off the run."""
    trigger: Mapping[str, Any] = record["trigger"]
    step: str = record["step"]
    match trigger["kind"]:
        case "api":
            method, _, route = trigger["routeKey"].partition(" ")
            return trigger["routeKey"], _SERVER, {"faas.trigger": "http", **_http(record, method, route)}
        case "event":
            return f"process {trigger.get('topic', step)}", _CONSUMER, {"faas.trigger": "pubsub", **_messaging(trigger)}
        case "cron":
            return step, _SERVER, {"faas.trigger": "timer", "faas.time": trigger["time"], **_named(trigger, "schedule")}
        case "stream":
            return f"{step} {trigger['stream']}", _CONSUMER, {"faas.trigger": "datasource", **_document(trigger)}
        case "websocket":
            details = _named(trigger, "routeKey", "connectionId")
            return f"{step} {trigger['routeKey']}", _SERVER, {"faas.trigger": "http", **details}
        case _:
            return step, _SERVER, {"faas.trigger": "other"}


def _http(record: Mapping[str, Any], method: str, route: str) -> dict[str, object]:
    return {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": record.get("status"),
    }


def _messaging(trigger: Mapping[str, Any]) -> dict[str, object]:
    return {
        "messaging.system": "aws_sqs",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": trigger.get("topic"),
        "messaging.message.id": trigger["messageId"],
        **_named(trigger, "attempt", "emitId"),
    }


def _document(trigger: Mapping[str, Any]) -> dict[str, object]:
    return {
        "faas.document.collection": trigger["stream"],
        "faas.document.operation": _DOCUMENT_OPERATIONS.get(str(trigger.get("event"))),
        "faas.document.name": trigger.get("id"),
        **_named(trigger, "group", "event"),
    }


def _named(trigger: Mapping[str, Any], *keys: str) -> dict[str, object]:
    return {f"treadle.trigger.{key}": trigger.get(key) for key in keys}


def _emit_event(emit: Mapping[str, Any], start_ns: int) -> Json:
    found: dict[str, object] = {
        "messaging.destination.name": emit["topic"],
        "messaging.message.envelope.size": emit["bytes"],
        "treadle.emit_id": emit["emitId"],
    }
    at_ns = start_ns + round(emit["atMs"] * 1_000_000)
    return {"name": "emit", "timeUnixNano": str(at_ns), "attributes": attributes(found)}
