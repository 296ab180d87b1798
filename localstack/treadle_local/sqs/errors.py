"""The refusals of Amazon SQS, in its own codes and words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError

_LEGACY_PREFIX = "AWS.SimpleQueueService."


def queue_does_not_exist() -> AwsError:
    return AwsError(
        "QueueDoesNotExist", "The specified queue does not exist.", query_code=f"{_LEGACY_PREFIX}NonExistentQueue"
    )


def queue_deleted_recently() -> AwsError:
    return AwsError(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        query_code=f"{_LEGACY_PREFIX}QueueDeletedRecently",
    )


def queue_name_exists(attribute: str) -> AwsError:
    return AwsError(
        "QueueNameExists",
        f"A queue already exists with the same name and a different value for attribute {attribute}",
        query_code="QueueAlreadyExists",
    )


def invalid_address(url: str) -> AwsError:
    return AwsError("InvalidAddress", f"The address {url} is not valid for this endpoint.", status=404)


def invalid_value(message: str) -> AwsError:
    """A parameter outside what SQS accepts; the model has no shape for this one, only the older protocol's code."""
    return AwsError("InvalidParameterValueException", message, query_code="InvalidParameterValue")


def invalid_parameter(value: object, parameter: str, reason: str) -> AwsError:
    return invalid_value(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def wrong_queue_type(value: object, parameter: str) -> AwsError:
    return invalid_parameter(value, parameter, "The request include parameter that is not valid for this queue type.")


def no_deduplication() -> AwsError:
    return invalid_value(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )


def missing_parameter(name: str) -> AwsError:
    return AwsError(
        "MissingRequiredParameterException",
        f"The request must contain the parameter {name}.",
        query_code="MissingParameter",
    )


def unknown_attribute(name: str) -> AwsError:
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str, reason: str | None = None) -> AwsError:
    suffix = f" Reason: {reason}" if reason else ""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.{suffix}")


def two_encryptions() -> AwsError:
    return AwsError(
        "InvalidAttributeName",
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    )


def resource_not_found(parameter: str) -> AwsError:
    return AwsError(
        "ResourceNotFoundException",
        f"The resource that you specified for the {parameter} parameter doesn't exist.",
        status=404,
    )


def no_such_task() -> AwsError:
    return AwsError("ResourceNotFoundException", "Task does not exist.", status=404)


def wrong_type(name: str) -> AwsError:
    return AwsError("SerializationException", f"{name} must be an integer.")


def invalid_receipt(receipt: str) -> AwsError:
    return AwsError(
        "ReceiptHandleIsInvalid", f'The input receipt handle "{receipt}" is not a valid receipt handle.', status=404
    )


def message_not_available(receipt: str) -> AwsError:
    return invalid_parameter(
        receipt, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change."
    )


def receipt_expired(receipt: str) -> AwsError:
    return invalid_parameter(receipt, "ReceiptHandle", "The receipt handle has expired.")


def visibility_beyond_limit(timeout_seconds: int, limit_seconds: int) -> AwsError:
    return invalid_parameter(
        timeout_seconds,
        "VisibilityTimeout",
        f"Total VisibilityTimeout for the message is beyond the limit [{limit_seconds} seconds]",
    )


def too_many_actions(count: int, limit: int) -> AwsError:
    return AwsError("OverLimit", f"{count} Actions were found, maximum allowed is {limit}.", status=403)


def task_not_active() -> AwsError:
    return AwsError(
        "UnsupportedOperation",
        "Only active tasks can be cancelled.",
        query_code=f"{_LEGACY_PREFIX}UnsupportedOperation",
    )


def too_many_in_flight() -> AwsError:
    return AwsError("OverLimit", "Too many messages are in flight in this queue.", status=403)


def purge_in_progress(queue_name: str) -> AwsError:
    return AwsError(
        "PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {queue_name} is allowed every 60 seconds.",
        status=403,
        query_code=f"{_LEGACY_PREFIX}PurgeQueueInProgress",
    )


def invalid_contents() -> AwsError:
    return AwsError(
        "InvalidMessageContents",
        "Invalid characters found. Valid unicode characters are "
        "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.",
    )


def message_too_long(limit_bytes: int) -> AwsError:
    return invalid_value(
        f"One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes."
    )


def empty_batch(entry_name: str) -> AwsError:
    return AwsError(
        "EmptyBatchRequest",
        f"There should be at least one {entry_name} in the request.",
        query_code=f"{_LEGACY_PREFIX}EmptyBatchRequest",
    )


def too_many_entries(count: int) -> AwsError:
    return AwsError(
        "TooManyEntriesInBatchRequest",
        f"Maximum number of entries per request are 10. You have sent {count}.",
        query_code=f"{_LEGACY_PREFIX}TooManyEntriesInBatchRequest",
    )


def entry_ids_not_distinct(entry_id: str) -> AwsError:
    return AwsError(
        "BatchEntryIdsNotDistinct",
        f"Id {entry_id} repeated.",
        query_code=f"{_LEGACY_PREFIX}BatchEntryIdsNotDistinct",
    )


def invalid_entry_id() -> AwsError:
    return AwsError(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long.",
        query_code=f"{_LEGACY_PREFIX}InvalidBatchEntryId",
    )


def batch_too_long(limit_bytes: int, sent_bytes: int) -> AwsError:
    return AwsError(
        "BatchRequestTooLong",
        f"Batch requests cannot be longer than {limit_bytes} bytes. You have sent {sent_bytes} bytes.",
        query_code=f"{_LEGACY_PREFIX}BatchRequestTooLong",
    )
