"""The JSON documents in which a topic wraps a message: for queues without raw delivery, and for functions."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from treadle_local.sns.contents import Publication
from treadle_local.sns.fifo_log import Published
from treadle_local.sns.topics import Protocol, Topic

SIGNATURE = "RVhBTVBMRQ=="
"""Stands where AWS puts its signature: the emulator holds no key of AWS, so nothing it sends can be verified."""

SIGNING_CERTIFICATE_URL = (
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000000000000000.pem"
)
"""Stands where AWS names the certificate of its signature; there is none behind it."""


def timestamp(seconds: float) -> str:
    """The moment as SNS writes it: `2012-05-02T00:54:06.655Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unsubscribe_url(base_url: str, subscription_arn: str) -> str:
    return f"{base_url}/?Action=Unsubscribe&SubscriptionArn={quote(subscription_arn, safe=':')}"


class Envelope:
    """The notification for one protocol, with its members in AWS's order; written once for all its subscriptions.

    Messages of FIFO topics carry their number and no signature.
    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """

    __slots__ = ("_base_url", "_head", "_tail")

    def __init__(
        self,
        topic: Topic,
        publication: Publication,
        published: Published,
        protocol: Protocol,
        now: float,
        base_url: str,
    ) -> None:
        document: dict[str, object] = {"Type": "Notification", "MessageId": published.message_id}
        if published.sequence_number is not None:
            document["SequenceNumber"] = published.sequence_number
        document["TopicArn"] = topic.arn
        if publication.subject is not None:
            document["Subject"] = publication.subject
        document |= {"Message": publication.body_for(protocol), "Timestamp": timestamp(now)}
        if not topic.settings.fifo:
            document |= {
                "SignatureVersion": topic.settings.signature_version or "1",
                "Signature": SIGNATURE,
                "SigningCertURL": SIGNING_CERTIFICATE_URL,
            }
        attributes = attribute_values(publication)
        self._base_url = base_url
        self._head = json.dumps(document, ensure_ascii=False).removesuffix("}")
        self._tail = f', "MessageAttributes": {json.dumps(attributes, ensure_ascii=False)}}}' if attributes else "}"

    def text_for(self, subscription_arn: str) -> str:
        url = unsubscribe_url(self._base_url, subscription_arn)
        return f'{self._head}, "UnsubscribeURL": "{url}"{self._tail}'


def function_event(
    topic: Topic, publication: Publication, published: Published, subscription_arn: str, now: float, base_url: str
) -> dict[str, Any]:
    """The event that a function gets.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    notification = {
        "Type": "Notification",
        "MessageId": published.message_id,
        "TopicArn": topic.arn,
        "Subject": publication.subject,
        "Message": publication.body_for("lambda"),
        "Timestamp": timestamp(now),
        "SignatureVersion": topic.settings.signature_version or "1",
        "Signature": SIGNATURE,
        "SigningCertUrl": SIGNING_CERTIFICATE_URL,
        "UnsubscribeUrl": unsubscribe_url(base_url, subscription_arn),
        "MessageAttributes": attribute_values(publication),
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": notification,
    }
    return {"Records": [record]}


def attribute_values(publication: Publication) -> Mapping[str, Mapping[str, str]]:
    """The message attributes as documents carry them; binary values are base64 text."""
    return {
        name: {
            "Type": attribute.data_type,
            "Value": attribute.value
            if isinstance(attribute.value, str)
            else base64.b64encode(attribute.value).decode(),
        }
        for name, attribute in publication.attributes.items()
    }
