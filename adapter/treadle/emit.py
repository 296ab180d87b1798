"""`context.emit`: publishes to a topic of the app, with the trace and the hop count in the message's attribute."""

from __future__ import annotations

import os

from treadle.aws.errors import is_not_found
from treadle.errors import AwsCallError, EmitTooLarge, UnknownTopic
from treadle.json_values import dump_json
from treadle.message import ATTRIBUTE, transportable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from treadle.calls import Calls
    from treadle.logger import Logger
    from treadle.manifest import Manifest
    from treadle.message import Origin
    from treadle.record import InvocationRecord
    from treadle.resources import Resources

MESSAGE_BYTES_LIMIT = 262_144
"""Body and attributes together. Source: https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""

_GROUP_LIMIT = 128
_ATTRIBUTE_OVERHEAD = len(ATTRIBUTE) + len("String")


class Emit:
    """Callable that sends `{"topic": str, "data": any JSON value}` to all steps that subscribe to the topic."""

    __slots__ = ("_calls", "_logger", "_manifest", "_origin", "_record", "_resources")

    def __init__(
        self,
        manifest: Manifest,
        resources: Resources,
        calls: Calls,
        logger: Logger,
        record: InvocationRecord,
        origin: Origin,
    ) -> None:
        self._manifest = manifest
        self._resources = resources
        self._calls = calls
        self._logger = logger
        self._record = record
        self._origin = origin

    def __call__(self, event: Mapping[str, object]) -> Awaitable[None]:
        """Sends one message; returns None. The data are read now, not when the call is awaited.

        `messageGroupId`: messages of one group reach a step with a FIFO queue in order, one after the other. Without
        one, those that follow from one request or firing are a group.

        A topic that the step's `emits` does not list is not sent to, as in Motia: an error line in the log says so.
        Raises: TypeError, InvalidValue, EmitTooLarge; when awaited UnknownTopic, AwsCallError.
        """
        topic = _topic(event)
        manifest = self._manifest
        if manifest.emits is not None and topic not in manifest.emits:
            declared = ", ".join(sorted(manifest.emits)) or "none"
            message = f"[INVALID EMIT] step {manifest.step} emits to `{topic}`, which its config does not declare"
            self._logger.error(f"{message} (declared: {declared}); nothing was sent", {"topic": topic})
            return self._calls.nothing("emit")
        group = _group(event.get("messageGroupId"))
        is_fifo = topic in manifest.fifo_topics
        if is_fifo and group is None:
            group = _group(self._origin.trace_id)
        emit_id = os.urandom(16).hex()
        body = transportable(dump_json(event.get("data"), "data"))
        attribute = self._origin.attribute(
            emit_id=emit_id, step=manifest.step, topic=topic, flows=self._origin.flows or manifest.flows
        )
        size = len(body.encode("utf-8")) + len(attribute) + _ATTRIBUTE_OVERHEAD
        if size > MESSAGE_BYTES_LIMIT:
            raise EmitTooLarge(
                f"the message to `{topic}` is {size:,} bytes with its attribute; a topic takes {MESSAGE_BYTES_LIMIT:,}"
            )

        def publish() -> None:
            at_ms = self._record.elapsed_ms()
            self._publish(topic, body, attribute, group, emit_id if is_fifo else None)
            self._record.emits.append({"topic": topic, "bytes": size, "emitId": emit_id, "atMs": at_ms})

        return self._calls.add("emit", publish, writes=True)

    def _publish(self, topic: str, body: str, attribute: str, group: str | None, deduplication_id: str | None) -> None:
        """`deduplication_id`: a FIFO topic's; it is the emit's own, so that sending again after an error sends once."""
        from treadle.aws.sns import publish

        resources = self._resources
        try:
            arn = resources.topic_arn(topic, fifo=deduplication_id is not None)
            publish(resources.client, arn, body, {ATTRIBUTE: attribute}, group, deduplication_id)
        except AwsCallError as error:
            if is_not_found(error):
                names = resources.names
                raise UnknownTopic(
                    f"the topic `{topic}` does not exist in {names.app} on stage {names.stage}: "
                    "no step declares it in `emits` or `subscribes`"
                ) from error
            raise


def _topic(event: object) -> str:
    """The message's topic; Motia's first versions called it `type`, and steps of that time still do."""
    topic = event.get("topic", event.get("type")) if isinstance(event, dict) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(topic, str) or not topic:
        raise TypeError('emit takes a dict such as {"topic": "order.created", "data": ...}, with a text as "topic"')
    return topic


def _group(given: object) -> str | None:
    """A message's group as AWS takes it: 1 to 128 letters, digits and punctuation. Others go by a digest.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    if given is None or given == "":
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise TypeError(f"emit: `messageGroupId` must be a text or a whole number, not {type(given).__qualname__}")
    group = str(given)
    if len(group) <= _GROUP_LIMIT and all("!" <= character <= "~" for character in group):
        return group
    import hashlib

    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()
