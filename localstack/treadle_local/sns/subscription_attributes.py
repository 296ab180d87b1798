"""Subscription attributes as SNS spells them, to and from settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from treadle_local.aws.service import Region
from treadle_local.sns.arns import is_fifo, is_queue_arn
from treadle_local.sns.errors import invalid, not_in_the_emulator
from treadle_local.sns.filter_policy import compile_filter_policy, parse_json
from treadle_local.sns.topics import Document, Protocol, Subscription, SubscriptionSettings

_NOT_BUILT = frozenset({"DeliveryPolicy", "ReplayPolicy", "ReplayStatus", "SubscriptionRoleArn"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a subscription decides which attributes it takes. `fifo` is a FIFO queue's on a FIFO topic."""

    protocol: Protocol
    fifo: bool
    region: Region


def with_subscription_attributes(
    settings: SubscriptionSettings, attributes: Mapping[str, str], kind: Kind
) -> SubscriptionSettings:
    """The settings with these attributes changed; a filter policy is compiled for the scope that holds afterwards.

    Raises: `InvalidParameter`.
    Source: https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        match name:
            case "RawMessageDelivery":
                changes["raw_delivery"] = _raw_delivery(value, kind)
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
                changes["dead_letter"] = _dead_letter(value, kind)
            case "DeliveryPolicy" if value in ("", "{}"):
                continue
            case _ if name in _NOT_BUILT:
                raise not_in_the_emulator(f"The subscription attribute {name} is")
            case _:
                raise invalid("AttributeName")
    changed = replace(settings, **changes)
    if "filter_text" not in changes and "filter_scope" not in changes:
        return changed
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


def _raw_delivery(value: str, kind: Kind) -> bool:
    if value.lower() not in ("true", "false"):
        raise invalid(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    raw = value.lower() == "true"
    if raw and kind.protocol == "lambda":
        raise invalid("Delivery protocol [lambda] does not support raw message delivery.")
    return raw


def _dead_letter(text: str, kind: Kind) -> Document | None:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"""
    if not text:
        return None
    value = parse_json(text)
    if not isinstance(value, dict):
        raise invalid("RedrivePolicy: failed to parse JSON.")
    if not value:
        return None
    document = Document(cast("dict[str, Any]", value), text)
    arn = document.value.get("deadLetterTargetArn")
    if set(document.value) != {"deadLetterTargetArn"} or not isinstance(arn, str) or not is_queue_arn(arn):
        raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if arn.split(":")[3:5] != [kind.region.name, kind.region.account]:
        raise invalid("RedrivePolicy: deadLetterTargetArn must be in the account and region of the subscription")
    if kind.fifo and not is_fifo(arn):
        raise invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
    if not kind.fifo and is_fifo(arn):
        raise invalid("RedrivePolicy: must use a standard queue as DLQ for a standard subscription")
    return document
