"""The JSON document in which a topic wraps a message for subscriptions without raw delivery."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

from treadle_local.sns.contents import Publication

SIGNATURE = "RVhBTVBMRQ=="
"""Stands where AWS puts its signature: the emulator holds no key of AWS, so nothing it sends can be verified."""

SIGNING_CERTIFICATE_URL = (
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000000000000000.pem"
)
"""Stands where AWS names the certificate of its signature; there is none behind it."""


def timestamp(seconds: float) -> str:
    """The moment as SNS writes it: `2012-05-02T00:54:06.655Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(publication: Publication, topic_arn: str, subscription_arn: str, published_at: str, base_url: str) -> str:
    """The notification as text, with its members in AWS's order.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    document: dict[str, object] = {
        "Type": "Notification",
        "MessageId": publication.message_id,
        "TopicArn": topic_arn,
    }
    if publication.subject is not None:
        document["Subject"] = publication.subject
    document |= {
        "Message": publication.body,
        "Timestamp": published_at,
        "SignatureVersion": "1",
        "Signature": SIGNATURE,
        "SigningCertURL": SIGNING_CERTIFICATE_URL,
        "UnsubscribeURL": f"{base_url}/?Action=Unsubscribe&SubscriptionArn={quote(subscription_arn, safe=':')}",
    }
    if publication.attributes:
        document["MessageAttributes"] = {
            name: {
                "Type": attribute.data_type,
                "Value": attribute.value
                if isinstance(attribute.value, str)
                else base64.b64encode(attribute.value).decode(),
            }
            for name, attribute in publication.attributes.items()
        }
    return json.dumps(document, ensure_ascii=False)
