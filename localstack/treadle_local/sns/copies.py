"""The forms in which one publication goes out, each made once, when the first subscription wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle_local.sns.contents import Publication
from treadle_local.sns.envelope import Envelope, function_event
from treadle_local.sns.fifo_log import Published
from treadle_local.sns.filter_policy import Filterable
from treadle_local.sns.topics import Protocol, Subscription, Topic
from treadle_local.sqs.contents import has_forbidden_characters
from treadle_local.sqs.message import NO_ATTRIBUTES, MessageAttribute, attributes_bytes, attributes_md5, md5


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for queues. `forbidden` is whether it has characters that no queue carries."""

    body: str
    body_md5: str
    size_bytes: int
    forbidden: bool
    attributes: Mapping[str, MessageAttribute]
    attributes_md5: str


class Copies:
    """One publication of a topic; `now` is when it was published, `base_url` tells where the emulator answers."""

    __slots__ = ("_base_url", "_envelopes", "_filterables", "_raw", "now", "publication", "published", "topic")

    def __init__(
        self, topic: Topic, publication: Publication, published: Published, now: float, base_url: Callable[[], str]
    ) -> None:
        self.topic = topic
        self.publication = publication
        self.published = published
        self.now = now
        self._base_url = base_url
        self._raw: Letter | None = None
        self._envelopes: dict[Protocol, Envelope] = {}
        self._filterables: dict[Protocol, Filterable] = {}

    def letter(self, subscription: Subscription) -> Letter:
        """What a queue gets of it, or the dead-letter queue in a function's stead."""
        return self._raw_letter() if subscription.settings.raw_delivery else self._wrapped(subscription)

    def event(self, subscription: Subscription) -> dict[str, Any]:
        """What a function gets of it."""
        return function_event(
            self.topic, self.publication, self.published, subscription.arn, self.now, self._base_url()
        )

    def filterable(self, protocol: Protocol) -> Filterable:
        """What filter policies judge."""
        found = self._filterables.get(protocol)
        if found is None:
            found = Filterable(self.publication.body_for(protocol), self.publication.attributes)
            self._filterables[protocol] = found
        return found

    def _raw_letter(self) -> Letter:
        if self._raw is None:
            self._raw = _letter(self.publication.body_for("sqs"), self.publication.attributes)
        return self._raw

    def _wrapped(self, subscription: Subscription) -> Letter:
        protocol = subscription.protocol
        envelope = self._envelopes.get(protocol)
        if envelope is None:
            envelope = Envelope(self.topic, self.publication, self.published, protocol, self.now, self._base_url())
            self._envelopes[protocol] = envelope
        return _letter(envelope.text_for(subscription.arn), NO_ATTRIBUTES)


def _letter(body: str, attributes: Mapping[str, MessageAttribute]) -> Letter:
    encoded = body.encode()
    return Letter(
        body=body,
        body_md5=md5(encoded),
        size_bytes=len(encoded) + (attributes_bytes(attributes) if attributes else 0),
        forbidden=has_forbidden_characters(body),
        attributes=attributes,
        attributes_md5=attributes_md5(attributes) if attributes else "",
    )
