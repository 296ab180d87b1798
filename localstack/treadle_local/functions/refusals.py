"""The ways in which the Lambda service refuses a call, in AWS's codes and words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, fields={"Type": "User"})


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, status=404, fields={"Type": "User"})


def function_not_found(arn: str) -> AwsError:
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> AwsError:
    return AwsError("ResourceConflictException", message, status=409, fields={"Type": "User"})


def stale_revision() -> AwsError:
    return AwsError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        status=412,
        fields={"Type": "User"},
    )


def constraint(value: object, member: str, rule: str) -> AwsError:
    """One violated constraint of a member, as AWS's front end words it."""
    return AwsError("ValidationException", f"1 validation error detected: {violation(value, member, rule)}")


def violation(value: object, member: str, rule: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{member}' failed to satisfy constraint: {rule}"


def not_here(what: str) -> AwsError:
    """The refusal of what AWS has and this emulator has not."""
    return invalid(f"{what} is not in Treadle's emulator yet")
