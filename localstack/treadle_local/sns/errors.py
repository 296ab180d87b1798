"""The refusals of Amazon SNS, in its own codes and words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid(what: str) -> AwsError:
    """`InvalidParameter` in the form that SNS gives it: `Invalid parameter: Subject`."""
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")


def invalid_because(parameter: str, reason: str) -> AwsError:
    return invalid(f"{parameter} Reason: {reason}")


def invalid_attribute_value(message: str) -> AwsError:
    """A message attribute that SNS does not take; it has a code of its own."""
    return AwsError("ParameterValueInvalid", message)


def topic_does_not_exist() -> AwsError:
    return AwsError("NotFound", "Topic does not exist", status=404)


def subscription_does_not_exist() -> AwsError:
    return AwsError("NotFound", "Subscription does not exist", status=404)


def resource_does_not_exist() -> AwsError:
    return AwsError("ResourceNotFound", "Resource does not exist", status=404)


def subscription_limit(limit: int) -> AwsError:
    return AwsError(
        "SubscriptionLimitExceeded",
        f"A topic with a MaximumMessageSize above 256 KiB can have at most {limit} subscriptions",
        status=403,
    )


def tag_limit() -> AwsError:
    return AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")


def not_in_the_emulator(what: str) -> AwsError:
    return invalid(f"{what} not in Treadle's emulator yet")
