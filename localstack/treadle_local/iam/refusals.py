"""IAM's refusals, in its own words.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and the operations' own pages.
"""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def no_role(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", status=404)


def no_role_policy(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The role policy with name {name} cannot be found.", status=404)


def no_policy(arn: str) -> AwsError:
    return AwsError("NoSuchEntity", f"Policy {arn} was not found.", status=404)


def not_attachable(arn: str) -> AwsError:
    return AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", status=404)


def no_version(arn: str, version: str) -> AwsError:
    message = f"Policy {arn} version {version} does not exist or is not attachable."
    return AwsError("NoSuchEntity", message, status=404)


def exists(message: str) -> AwsError:
    return AwsError("EntityAlreadyExists", message, status=409)


def conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, status=409)


def exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, status=409)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidInput", message, status=400)


def invalid_value(message: str) -> AwsError:
    return AwsError("ValidationError", message, status=400)


def not_built(operation: str) -> AwsError:
    return AwsError("InvalidAction", f"iam {operation} is not in Treadle's emulator yet", status=400)
