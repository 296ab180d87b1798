"""What travels from an emit to the step that gets it: a body of JSON, and one message attribute with its origin.

One attribute, because a subscription with raw delivery discards a message with more than ten.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

from __future__ import annotations

import json

from treadle.errors import MalformedMessage
from treadle.json_values import object_or_none
from treadle.trace import accepted_trace_id, new_trace_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from treadle.shapes import Event

ATTRIBUTE = "treadle"
HOP_LIMIT = 100
_PATH_LENGTH = 10
"""A message near the hop limit names the last steps that it went through; others need not carry it."""

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Origin:
    """Where a message comes from. `hops` counts the emits since the request; `path` has a long chain's last steps."""

    __slots__ = ("hops", "path", "topic", "trace_id")

    def __init__(self, trace_id: str, hops: int = 0, path: tuple[str, ...] = (), topic: str | None = None) -> None:
        self.trace_id = trace_id
        self.hops = hops
        self.path = path
        self.topic = topic

    def attribute(self, *, emit_id: str, step: str, topic: str, flows: tuple[str, ...]) -> str:
        """The attribute's text for a message that `step` emits in answer to what came from here."""
        hops = self.hops + 1
        fields: dict[str, object] = {
            "traceId": self.trace_id,
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

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """

    __slots__ = ("attempt", "attribute", "body", "message_id", "origin", "receipt_handle")

    def __init__(self, record: Event) -> None:
        self.message_id: str = record["messageId"]
        self.receipt_handle: str = record["receiptHandle"]
        self.body: str = record["body"]
        self.attempt = int(record["attributes"]["ApproximateReceiveCount"])
        attributes: dict[str, Any] = record.get("messageAttributes") or {}
        self.attribute: str | None = attributes.get(ATTRIBUTE, {}).get("stringValue")
        self.origin = _origin(self.attribute)

    def data(self) -> object:
        """What was emitted.

        Raises: MalformedMessage.
        """
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise MalformedMessage(f"the message is not JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _origin(attribute: str | None) -> Origin:
    """The origin in the attribute; a fresh one for a message that somebody else than an emit has sent."""
    try:
        fields: Any = json.loads(attribute) if attribute else None
    except ValueError:
        fields = None
    given = object_or_none(fields)
    if given is None:
        return Origin(new_trace_id())
    hops, path, topic = given.get("hops"), given.get("path"), given.get("topic")
    return Origin(
        accepted_trace_id(given.get("traceId")) or new_trace_id(),
        hops if type(hops) is int and hops >= 0 else 0,
        tuple(map(str, path)) if isinstance(path, list) else (),  # pyright: ignore[reportUnknownArgumentType]
        topic if isinstance(topic, str) else None,
    )
