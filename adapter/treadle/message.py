"""What travels from an emit to the step that gets it: a body of JSON, and one message attribute with its origin.

One attribute, because a subscription with raw delivery discards a message with more than ten.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

from __future__ import annotations

import json

from treadle.errors import MalformedMessage
from treadle.json_values import object_or_none
from treadle.trace import trace_of, trace_of_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from treadle.shapes import Event
    from treadle.trace import Trace

ATTRIBUTE = "treadle"
HOP_LIMIT = 100
_PATH_LENGTH = 10
"""A message near the hop limit names the last steps that it went through; others need not carry it."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_constant=_no_constant).decode


class Origin:
    """What a run follows from. `trace` has the run's own span, a child of the one that caused it.

    `hops` counts the emits, and the changes that triggered steps, since the request; `path` has a long chain's last
    steps. `topic` and `emit_id` are those of the message that the run takes, None where it is none of an emit's;
    `flows` are those of the step that emitted it. `change` is the key of the trigger that a change's message is for.
    """

    __slots__ = ("change", "emit_id", "flows", "hops", "path", "topic", "trace")

    def __init__(
        self,
        trace: Trace,
        hops: int = 0,
        path: tuple[str, ...] = (),
        topic: str | None = None,
        emit_id: str | None = None,
        flows: tuple[str, ...] = (),
        change: str | None = None,
    ) -> None:
        self.change = change
        self.trace = trace
        self.hops = hops
        self.path = path
        self.topic = topic
        self.emit_id = emit_id
        self.flows = flows

    @property
    def trace_id(self) -> str:
        return self.trace.trace_id

    def text(self) -> str:
        """What a row says of the run that has written it: `<trace_id> <traceparent>`, and the hops where there are any.

        `changed_by` reads it, and `trace_of_text` does without the hops.
        """
        return f"{self.trace.text()} {self.hops}" if self.hops else self.trace.text()

    def attribute(self, *, emit_id: str, step: str, topic: str, flows: tuple[str, ...]) -> str:
        """The attribute's text for a message that `step` emits in answer to what came from here."""
        hops = self.hops + 1
        fields: dict[str, object] = {
            "traceId": self.trace.trace_id,
            "traceparent": self.trace.traceparent,
            "emitId": emit_id,
            "step": step,
            "topic": topic,
            "flows": flows,
            "hops": hops,
        }
        if hops > HOP_LIMIT - _PATH_LENGTH:
            fields["path"] = [*self.path, step][-_PATH_LENGTH:]
        return _encode(fields)


class Message:
    """One record of an SQS batch. `attempt` counts from 1; `attribute` is the metadata's text as it came.

    `sent_ms` is when the queue got it (Unix time), None where the record does not say. `group` is the one in a FIFO
    queue.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """

    __slots__ = ("attempt", "attribute", "body", "group", "message_id", "origin", "receipt_handle", "sent_ms")

    def __init__(self, record: Event) -> None:
        self.message_id: str = record["messageId"]
        self.receipt_handle: str = record["receiptHandle"]
        self.body: str = record["body"]
        system: dict[str, str] = record["attributes"]
        self.attempt = int(system["ApproximateReceiveCount"])
        sent = system.get("SentTimestamp")
        self.sent_ms = int(sent) if sent else None
        self.group = system.get("MessageGroupId", "")
        attributes: dict[str, Any] = record.get("messageAttributes") or {}
        self.attribute: str | None = attributes.get(ATTRIBUTE, {}).get("stringValue")
        self.origin = _origin(self.attribute, self.message_id)

    def data(self) -> object:
        """What was emitted.

        Raises: MalformedMessage.
        """
        try:
            return _decode(self.body)
        except (ValueError, RecursionError) as error:
            raise MalformedMessage(f"the message is not JSON: {error}") from None


def _origin(attribute: str | None, message_id: str) -> Origin:
    """The origin in the attribute. A message that somebody else than an emit has sent begins a trace of its own."""
    try:
        fields: Any = json.loads(attribute) if attribute else None
    except ValueError:
        fields = None
    given = object_or_none(fields)
    if given is None:
        return Origin(trace_of_event(message_id))
    hops, path, topic, emit_id = given.get("hops"), given.get("path"), given.get("topic"), given.get("emitId")
    flows: object = given.get("flows")
    trace_id, traceparent = given.get("traceId"), given.get("traceparent")
    return Origin(
        trace_of_event(message_id) if trace_id is None and traceparent is None else trace_of(trace_id, traceparent),
        hops if type(hops) is int and hops >= 0 else 0,
        tuple(map(str, path)) if isinstance(path, list) else (),  # pyright: ignore[reportUnknownArgumentType]
        topic if isinstance(topic, str) else None,
        emit_id if isinstance(emit_id, str) else None,
        tuple(map(str, flows)) if isinstance(flows, list) else (),  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        str(given["change"]) if "change" in given else None,
    )


def change_attribute(written_by: object, change: str, emit_id: str) -> str:
    """The attribute's text for the message of a change; `written_by` is what its row says, `change` the trigger's key.

    A change that no step has made begins a trace of its own.
    """
    trace_id, _, rest = written_by.partition(" ") if isinstance(written_by, str) else ("", "", "")
    traceparent, _, hops = rest.partition(" ")
    fields: dict[str, object] = {"traceId": trace_id, "traceparent": traceparent} if traceparent else {}
    return _encode({**fields, "emitId": emit_id, "change": change, "hops": int(hops) + 1 if hops.isdecimal() else 1})


def transportable(body: str) -> str:
    """`body` with the few characters escaped that JSON may hold and a queue's message may not.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    if body.isascii():
        return body
    import re

    return re.sub("[\ud800-\udfff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", body)
