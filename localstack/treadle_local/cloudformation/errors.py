"""How the engine refuses: AWS's own codes and wordings."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def validation_error(message: str) -> AwsError:
    """The error of every call that CloudFormation refuses before it begins to work."""
    return AwsError("ValidationError", message)


def template_error(message: str) -> AwsError:
    """The refusal of a template that cannot be read as one."""
    return validation_error(f"Template format error: {message}")


def not_here(what: str) -> AwsError:
    """The refusal of something that AWS has and this engine has not."""
    return validation_error(f"{what} is not in Treadle's emulator yet")


class ResourceError(Exception):
    """One resource could not be created, changed or deleted; the text is the reason in the stack's events."""


class AlreadyExistsError(ResourceError):
    """The resource's own name is taken by something that this resource does not own."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} already exists")
        self.name = name


class CallError(ResourceError):
    """A service refused a provider's call."""

    def __init__(self, service: str, error: AwsError) -> None:
        super().__init__(f"{error.message} (Service: {service}; Status Code: {error.status}; Error Code: {error.code})")
        self.code = error.code
        self.message = error.message


class NotYetKnownError(Exception):
    """A value depends on a resource that does not exist yet."""
