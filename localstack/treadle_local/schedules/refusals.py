"""The ways in which EventBridge and its scheduler refuse a call, in AWS's codes and words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, status=404)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, status=409)


def limit_exceeded() -> AwsError:
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def unusable_role(role_arn: str, principal: str) -> AwsError:
    return invalid(f"Provided role '{role_arn}' cannot be assumed by principal '{principal}'.")


def not_here(what: str) -> AwsError:
    """The refusal of what AWS has and this emulator has not."""
    return invalid(f"{what} is not in Treadle's emulator yet")
