"""Queue attributes as SQS spells them, to and from `QueueSettings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from treadle_local.sqs.errors import (
    invalid_attribute,
    invalid_parameter,
    two_encryptions,
    unknown_attribute,
)
from treadle_local.sqs.policies import json_object, parse_policy
from treadle_local.sqs.settings import QueueSettings, Redrive, RedriveAllow

_NUMBERS: Mapping[str, tuple[str, int, int]] = {
    "DelaySeconds": ("delay_seconds", 0, 900),
    "MaximumMessageSize": ("maximum_message_bytes", 1_024, 1_048_576),
    "MessageRetentionPeriod": ("retention_seconds", 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": ("receive_wait_seconds", 0, 20),
    "VisibilityTimeout": ("visibility_timeout_seconds", 0, 43_200),
    "KmsDataKeyReusePeriodSeconds": ("kms_data_key_reuse_seconds", 60, 86_400),
}
"""Attribute -> (field, least, most).

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

_FIFO_ATTRIBUTES = frozenset({"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"})
"""What only a FIFO queue has."""
_SOURCE_ARNS_LIMIT = 10
_MAX_RECEIVE_COUNT_LIMIT = 1_000


def with_attributes(settings: QueueSettings, attributes: Mapping[str, str]) -> QueueSettings:
    """The settings with these attributes changed; an empty policy or redrive policy removes it.

    A queue's kind is in the settings from the beginning and never changes.
    Raises: `InvalidAttributeName`, `InvalidAttributeValue`, `InvalidParameterValue`.
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in _NUMBERS:
            field_name, least, most = _NUMBERS[name]
            changes[field_name] = _number(name, value, least, most)
            continue
        match name:
            case "Policy":
                changes["policy"] = parse_policy(value)
            case "RedrivePolicy":
                changes["redrive"] = _redrive(value)
            case "RedriveAllowPolicy":
                changes["redrive_allow"] = _redrive_allow(value)
            case "SqsManagedSseEnabled":
                changes["sqs_managed_encryption"] = _flag(name, value)
            case "KmsMasterKeyId":
                changes["kms_key_id"] = value or None
            case _ if name not in _FIFO_ATTRIBUTES or not settings.fifo:
                raise unknown_attribute(name)
            case "FifoQueue":
                if not _flag(name, value):
                    raise invalid_attribute(name, "Modifying queue type is not supported.")
            case "ContentBasedDeduplication":
                changes["content_based_deduplication"] = _flag(name, value)
            case "DeduplicationScope":
                changes["deduplication_scope"] = _one_of(name, value, "queue", "messageGroup")
            case _:
                changes["throughput_limit"] = _one_of(name, value, "perQueue", "perMessageGroupId")
    _choose_encryption(settings, changes)
    changed = replace(settings, **changes)
    if changed.throughput_limit == "perMessageGroupId" and changed.deduplication_scope != "messageGroup":
        raise invalid_attribute(
            "FifoThroughputLimit", "perMessageGroupId is allowed only with the DeduplicationScope messageGroup."
        )
    return changed


def to_attributes(settings: QueueSettings) -> dict[str, str]:
    """The settings as attributes; what is not set is left out, as AWS does."""
    found = {
        name: str(getattr(settings, field_name))
        for name, (field_name, _, _) in _NUMBERS.items()
        if name != "KmsDataKeyReusePeriodSeconds" or settings.kms_key_id
    }
    found["SqsManagedSseEnabled"] = "true" if settings.sqs_managed_encryption else "false"
    if settings.kms_key_id:
        found["KmsMasterKeyId"] = settings.kms_key_id
    if settings.policy:
        found["Policy"] = settings.policy.text
    if settings.redrive:
        found["RedrivePolicy"] = settings.redrive.text
    if settings.redrive_allow:
        found["RedriveAllowPolicy"] = settings.redrive_allow.text
    if settings.fifo:
        found["FifoQueue"] = "true"
        found["ContentBasedDeduplication"] = "true" if settings.content_based_deduplication else "false"
        found["DeduplicationScope"] = settings.deduplication_scope
        found["FifoThroughputLimit"] = settings.throughput_limit
    return found


def _choose_encryption(settings: QueueSettings, changes: dict[str, Any]) -> None:
    """A KMS key turns off SQS's own encryption; both at a time are refused."""
    key_id = changes.get("kms_key_id", settings.kms_key_id)
    if key_id and changes.get("sqs_managed_encryption"):
        raise two_encryptions()
    if changes.get("kms_key_id"):
        changes["sqs_managed_encryption"] = False


def _number(name: str, value: str, least: int, most: int) -> int:
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise invalid_attribute(name)
    return int(value)


def _flag(name: str, value: str) -> bool:
    match value.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise invalid_attribute(name)


def _one_of(name: str, value: str, *allowed: str) -> str:
    if value not in allowed:
        raise invalid_attribute(name)
    return value


def _redrive(text: str) -> Redrive | None:
    if not text:
        return None
    document = json_object(text)
    if document is None:
        raise invalid_parameter(text, "RedrivePolicy", "Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in document:
            raise invalid_parameter(
                text, "RedrivePolicy", f"Redrive policy does not contain mandatory attribute: {name}."
            )
    count = str(document["maxReceiveCount"])
    if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= _MAX_RECEIVE_COUNT_LIMIT:
        raise invalid_parameter(
            text,
            "RedrivePolicy",
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.",
        )
    return Redrive(str(document["deadLetterTargetArn"]), int(count), text)


def _redrive_allow(text: str) -> RedriveAllow | None:
    if not text:
        return None
    document = json_object(text)
    if document is None:
        raise invalid_parameter(text, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.")
    permission: object = document.get("redrivePermission")
    sources: object = document.get("sourceQueueArns", [])
    if permission not in ("allowAll", "denyAll", "byQueue") or not isinstance(sources, list):
        raise invalid_parameter(text, "RedriveAllowPolicy", "Redrive permission is not valid.")
    arns = frozenset(str(arn) for arn in cast("list[object]", sources))
    if bool(arns) != (permission == "byQueue") or len(arns) > _SOURCE_ARNS_LIMIT:
        raise invalid_parameter(
            text,
            "RedriveAllowPolicy",
            "sourceQueueArns takes 1 to 10 queues with the redrive permission byQueue, and none otherwise.",
        )
    return RedriveAllow(permission, arns, text)
