"""CloudWatch's refusals, in its words; each has a name of its own in the older query protocol.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html#API_PutMetricData_Errors
"""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, query_code="InvalidParameterValue")


def invalid_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombinationException", message, query_code="InvalidParameterCombination")


def missing(member: str) -> AwsError:
    message = f"The parameter {member} is required."
    return AwsError("MissingRequiredParameterException", message, query_code="MissingParameter")


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message, query_code="ValidationError")


def invalid_token() -> AwsError:
    return AwsError("InvalidNextToken", "The next token specified is invalid.")


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFound", message, status=404)


def not_here(what: str) -> AwsError:
    """The refusal of what AWS has and this emulator does not."""
    return AwsError("UnknownOperationException", f"{what} is not in Treadle's emulator yet", query_code="InvalidAction")
