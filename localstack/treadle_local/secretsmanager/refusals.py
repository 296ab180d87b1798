"""Secrets Manager's refusals, in its words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def value_not_found(stage: str) -> AwsError:
    message = f"Secrets Manager can't find the specified secret value for staging label: {stage}"
    return AwsError("ResourceNotFoundException", message)


def not_here(what: str) -> AwsError:
    """The refusal of what AWS has and this emulator does not."""
    return AwsError("UnknownOperationException", f"{what} is not in Treadle's emulator yet")
