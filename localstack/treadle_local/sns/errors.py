"""The refusals of Amazon SNS, in its own codes and words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError

_INVALID = "Invalid parameter: "


def invalid(what: str) -> AwsError:
    """`InvalidParameter` in the form that SNS gives it: `Invalid parameter: Subject`."""
    return AwsError("InvalidParameter", f"{_INVALID}{what}")


def invalid_because(parameter: str, reason: str) -> AwsError:
    return invalid(f"{parameter} Reason: {reason}")


def missing(parameter: str) -> AwsError:
    return invalid_because(parameter, "no value for required parameter")


def among_attributes(error: AwsError) -> AwsError:
    """The refusal of an attribute's value as Subscribe words it, where the attribute is one of several."""
    if error.code != "InvalidParameter" or not error.message.startswith(_INVALID):
        return error
    return invalid_because("Attributes", error.message.removeprefix(_INVALID))


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
    return AwsError("SubscriptionLimitExceeded", f"A FIFO topic has at most {limit} subscriptions", status=403)


def filter_policy_limit(limit: int) -> AwsError:
    return AwsError("FilterPolicyLimitExceeded", f"A topic has at most {limit} filter policies", status=403)


def tag_limit() -> AwsError:
    return AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")


def not_in_the_emulator(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"{_INVALID}{what} not in Treadle's emulator yet")
