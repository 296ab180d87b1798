"""Topic attributes as SNS spells them, to and from settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.sns.errors import invalid, invalid_because, not_in_the_emulator
from treadle_local.sns.policies import parse_policy, policy_of
from treadle_local.sns.topics import Topic, TopicSettings

LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES = 1_024, 1_048_576
"""Source: https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""

_NOT_BUILT = frozenset(
    {
        *("ArchivePolicy", "DeliveryPolicy", "DataProtectionPolicy"),
        *(
            f"{protocol}{outcome}"
            for protocol in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
            for outcome in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
        ),
    }
)
_DELIVERY_POLICY = {
    "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20,
            "maxDelayTarget": 20,
            "numRetries": 3,
            "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0,
            "numMinDelayRetries": 0,
            "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }
}


def with_topic_attributes(settings: TopicSettings, attributes: Mapping[str, str]) -> TopicSettings:
    """The settings with these attributes changed; `settings` tell whether it is a FIFO topic.

    Raises: `InvalidParameter`, also for what the emulator does not do: archives, delivery logging, active tracing.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        match name:
            case "FifoTopic":
                if _flag(name, value) is not settings.fifo:
                    raise invalid_because("FifoTopic", "a topic is FIFO from its creation on, or never")
            case "ContentBasedDeduplication":
                changes["content_based_deduplication"] = _for_fifo(settings, name, _flag(name, value))
            case "FifoThroughputScope":
                if value not in ("Topic", "MessageGroup"):
                    raise invalid_because(name, "must be Topic or MessageGroup")
                changes["throughput_scope"] = _for_fifo(settings, name, value)
            case "DisplayName":
                if len(value) > 100:
                    raise invalid_because(name, "must be at most 100 characters long")
                changes["display_name"] = value
            case "MaximumMessageSize":
                changes["maximum_message_bytes"] = _message_bytes(value)
            case "Policy":
                changes["policy"] = parse_policy(value) if value else None
            case "SignatureVersion":
                if value not in ("1", "2"):
                    raise invalid_because(name, "must be 1 or 2")
                changes["signature_version"] = value
            case "TracingConfig":
                if value == "Active":
                    raise not_in_the_emulator("TracingConfig Active is")
                if value != "PassThrough":
                    raise invalid_because(name, "must be PassThrough or Active")
                changes["tracing"] = value
            case "KmsMasterKeyId":
                changes["kms_key_id"] = value or None
            case _ if name in _NOT_BUILT:
                raise not_in_the_emulator(f"The topic attribute {name} is")
            case _:
                raise invalid("AttributeName")
    return replace(settings, **changes)


def topic_attributes(topic: Topic, region: Region) -> dict[str, str]:
    """All attributes of a topic.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html
    """
    settings = topic.settings
    found = {
        "TopicArn": topic.arn,
        "Owner": region.account,
        "DisplayName": settings.display_name,
        "Policy": policy_of(topic, region.account).text,
        "SubscriptionsConfirmed": str(len(topic.subscriptions)),
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": str(topic.subscriptions_deleted),
        "EffectiveDeliveryPolicy": json.dumps(_DELIVERY_POLICY, separators=(",", ":")),
    }
    if settings.fifo:
        found["FifoTopic"] = "true"
        found["ContentBasedDeduplication"] = "true" if settings.content_based_deduplication else "false"
    optional = {
        "FifoThroughputScope": settings.throughput_scope,
        "MaximumMessageSize": settings.maximum_message_bytes,
        "SignatureVersion": settings.signature_version,
        "TracingConfig": settings.tracing,
        "KmsMasterKeyId": settings.kms_key_id,
    }
    return found | {name: str(value) for name, value in optional.items() if value is not None}


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise invalid_because(name, "must be true or false")
    return value.lower() == "true"


def _for_fifo(settings: TopicSettings, name: str, value: Any) -> Any:
    """`value`, which a standard topic may have only where it says what holds for it anyway."""
    if settings.fifo or value is False:
        return value
    raise invalid_because(name, "it is for FIFO topics only")


def _message_bytes(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not LEAST_MESSAGE_BYTES <= int(value) <= MOST_MESSAGE_BYTES:
        raise invalid_because("MaximumMessageSize", f"must be from {LEAST_MESSAGE_BYTES} to {MOST_MESSAGE_BYTES}")
    return int(value)
