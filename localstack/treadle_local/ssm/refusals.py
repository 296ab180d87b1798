"""Parameter Store's refusals, in its words."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def constraint(value: object, member: str, rule: str) -> AwsError:
    """A member of the request outside its bounds."""
    return invalid(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    )


def parameter_not_found(name: str) -> AwsError:
    return AwsError("ParameterNotFound", f"Parameter {name} not found.")


def version_not_found(name: str, version: object) -> AwsError:
    message = (
        f"Systems Manager could not find version {version} of {name}. Verify the version and try again."
        if str(version).isdecimal()
        else f"Systems Manager could not find the label {version} of {name}. Verify the label and try again."
    )
    return AwsError("ParameterVersionNotFound", message)


def not_here(what: str) -> AwsError:
    """The refusal of what AWS has and this emulator does not."""
    return AwsError("UnknownOperationException", f"{what} are not in Treadle's emulator yet")
