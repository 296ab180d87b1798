"""Topic and subscription attributes as SNS spells them, to and from their settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from treadle_local.aws.service import Region
from treadle_local.sns.errors import invalid, invalid_because, not_in_the_emulator
from treadle_local.sns.filter_policy import compile_filter_policy
from treadle_local.sns.topics import Document, Subscription, SubscriptionSettings, Topic, TopicSettings

LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES = 1_024, 1_048_576

_TOPIC_NOT_BUILT = frozenset(
    {
        *("FifoTopic", "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"),
        *("DeliveryPolicy", "DataProtectionPolicy"),
        *(
            f"{protocol}{outcome}"
            for protocol in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
            for outcome in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
        ),
    }
)
_SUBSCRIPTION_NOT_BUILT = frozenset({"DeliveryPolicy", "SubscriptionRoleArn", "ReplayPolicy", "ReplayStatus"})

_OWNER_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)
_HTTP_DELIVERY_POLICY = {
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
    """The settings with these attributes changed.

    Raises: `InvalidParameter`, also for what the emulator does not do: FIFO topics, delivery logging, active tracing.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        match name:
            case "DisplayName":
                changes["display_name"] = value
            case "MaximumMessageSize":
                changes["maximum_message_bytes"] = _message_bytes(value)
            case "Policy":
                changes["policy"] = _document("Policy", value) if value else None
            case "SignatureVersion":
                if value not in ("1", "2"):
                    raise invalid_because("SignatureVersion", "must be 1 or 2")
                changes["signature_version"] = value
            case "TracingConfig":
                if value == "Active":
                    raise not_in_the_emulator("TracingConfig Active is")
                if value != "PassThrough":
                    raise invalid_because("TracingConfig", "must be PassThrough or Active")
                changes["tracing"] = value
            case "KmsMasterKeyId":
                changes["kms_key_id"] = value or None
            case "FifoTopic" | "ContentBasedDeduplication" if value == "false":
                continue
            case _ if name in _TOPIC_NOT_BUILT:
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
        "Policy": settings.policy.text if settings.policy else _default_policy(topic.arn, region.account),
        "SubscriptionsConfirmed": str(len(topic.subscriptions)),
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": str(topic.subscriptions_deleted),
        "EffectiveDeliveryPolicy": json.dumps(_HTTP_DELIVERY_POLICY, separators=(",", ":")),
    }
    optional = {
        "MaximumMessageSize": settings.maximum_message_bytes,
        "SignatureVersion": settings.signature_version,
        "TracingConfig": settings.tracing,
        "KmsMasterKeyId": settings.kms_key_id,
    }
    return found | {name: str(value) for name, value in optional.items() if value is not None}


def with_subscription_attributes(settings: SubscriptionSettings, attributes: Mapping[str, str]) -> SubscriptionSettings:
    """The settings with these attributes changed; a filter policy is compiled for the scope that holds afterwards.

    Raises: `InvalidParameter`.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        match name:
            case "RawMessageDelivery":
                if value.lower() not in ("true", "false"):
                    raise invalid(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
                changes["raw_delivery"] = value.lower() == "true"
            case "FilterPolicy":
                changes["filter_text"] = value
            case "FilterPolicyScope":
                if value not in ("MessageAttributes", "MessageBody"):
                    raise invalid(
                        f"FilterPolicyScope: Invalid value [{value}]. "
                        "Please use either MessageBody or MessageAttributes"
                    )
                changes["filter_scope"] = value
            case "RedrivePolicy":
                changes["dead_letter"] = _dead_letter(value)
            case _ if name in _SUBSCRIPTION_NOT_BUILT:
                raise not_in_the_emulator(f"The subscription attribute {name} is")
            case _:
                raise invalid("AttributeName")
    changed = replace(settings, **changes)
    return replace(changed, filter_policy=compile_filter_policy(changed.filter_text, changed.filter_scope))


def subscription_attributes(subscription: Subscription, region: Region) -> dict[str, str]:
    """All attributes of a subscription.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
    """
    settings = subscription.settings
    found = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic_arn,
        "Owner": region.account,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "SubscriptionPrincipal": f"arn:aws:iam::{region.account}:root",
        "ConfirmationWasAuthenticated": "true",
        "PendingConfirmation": "false",
        "RawMessageDelivery": "true" if settings.raw_delivery else "false",
    }
    if settings.filter_policy:
        found["FilterPolicy"] = settings.filter_text
        found["FilterPolicyScope"] = settings.filter_scope
    if settings.dead_letter:
        found["RedrivePolicy"] = settings.dead_letter.text
    return found


def _message_bytes(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not LEAST_MESSAGE_BYTES <= int(value) <= MOST_MESSAGE_BYTES:
        raise invalid_because("MaximumMessageSize", f"must be from {LEAST_MESSAGE_BYTES} to {MOST_MESSAGE_BYTES}")
    return int(value)


def _document(name: str, text: str) -> Document:
    try:
        value: object = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise invalid(f"{name}: must be a JSON object")
    return Document(cast("dict[str, Any]", value), text)


def _dead_letter(text: str) -> Document | None:
    if not text:
        return None
    document = _document("RedrivePolicy", text)
    arn = str(document.value.get("deadLetterTargetArn") or "")
    if set(document.value) != {"deadLetterTargetArn"} or arn.split(":")[:3] != ["arn", "aws", "sqs"]:
        raise invalid("RedrivePolicy: deadLetterTargetArn must be the ARN of an SQS queue, and nothing else is known")
    if arn.endswith(".fifo"):
        raise invalid("RedrivePolicy: must use a standard queue as DLQ for a standard topic subscription")
    return document


def _default_policy(topic_arn: str, account: str) -> str:
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _OWNER_ACTIONS],
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))
