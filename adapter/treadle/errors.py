"""Everything that can go wrong in a step for a reason outside the step's own code. Codes are stable."""

# ruff: noqa: N818 - these names stand in dead-lettered messages, where they say what happened
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class TreadleError(Exception):
    """Base of the adapter's errors. `code` is kebab-case and never changes its meaning."""

    code = "treadle-error"


class ManifestError(TreadleError):
    """`treadle/manifest.json` is missing or says what this adapter cannot read."""

    code = "manifest-invalid"


class HandlerMissing(TreadleError):
    """The step's module has no callable named `handler`."""

    code = "handler-missing"


class MiddlewareMissing(TreadleError):
    """The step's config names as middleware what cannot be called."""

    code = "middleware-missing"


class UnroutableEvent(TreadleError):
    """The function was invoked with an event that fits none of its step's triggers."""

    code = "event-fits-no-trigger"


class InvalidResponse(TreadleError):
    """An api step returned what is no response."""

    code = "response-invalid"


class EmitTooLarge(TreadleError):
    """An emit is larger than a topic takes."""

    code = "emit-too-large"


class UnknownTopic(TreadleError):
    """An emit names a topic that does not exist on this stage."""

    code = "topic-unknown"


class MalformedMessage(TreadleError):
    """A message's body is not JSON. It is dead-lettered at once: no retry mends it."""

    code = "message-malformed"


class InvalidMessage(TreadleError):
    """A message does not fit the `input` of its step. It is dead-lettered at once: no retry mends it."""

    code = "message-invalid"


class HopLimitExceeded(TreadleError):
    """A chain of emits is longer than any that ends: a loop."""

    code = "hop-limit-exceeded"


class HandlerStopped(TreadleError):
    """A handler was ended, or wanted to end the process: by its time limit, `sys.exit()` and the like."""

    code = "handler-stopped"


class ConfigurationError(TreadleError):
    """The function's environment lacks something, or holds what the adapter cannot use."""

    code = "environment-invalid"


class PowertoolsMissing(TreadleError, ImportError):
    """A step asks for metrics or a tracer, and the project does not depend on what makes them."""

    code = "powertools-missing"


class InvalidValue(TreadleError, ValueError):
    """A value is no JSON value, or too large to store; the text names the place: `value.items[3] is NaN`."""

    code = "value-invalid"

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self._path: list[str] = []

    def within(self, part: str) -> InvalidValue:
        """The same error seen from one level further out."""
        self._path.append(part)
        return self

    @property
    def path(self) -> str:
        return "".join(reversed(self._path))

    def __str__(self) -> str:
        return f"{self.path or 'value'} {self.problem}"


class UnknownStream(TreadleError, AttributeError, KeyError):
    """A step names a stream that the app does not have."""

    code = "stream-unknown"

    def __str__(self) -> str:
        return str(self.args[0])


class VersionConflict(TreadleError):
    """A value does not have the version that a write expects: somebody else has written it. Nothing was written.

    `version` is the one that it has; 0: there is no value.
    """

    code = "version-conflict"

    def __init__(self, method: str, group: str, key: str, expected_version: int, version: int) -> None:
        expected, found = (f"version {number}" if number else "no value" for number in (expected_version, version))
        super().__init__(f"{method}: `{key}` of group `{group}` was to have {expected} and has {found}")
        self.group = group
        self.key = key
        self.expected_version = expected_version
        self.version = version


class WriteContention(TreadleError):
    """Others wrote a value so often, all at once, that a write of it came too late each time. Nothing was written."""

    code = "write-contention"


class AwsCallError(TreadleError):
    """AWS refused a call, or could not be reached. `aws_code` is AWS's own error code.

    `status` is the HTTP status, None where there was no answer. `details` are the members of AWS's answer.
    """

    code = "aws-call-failed"

    def __init__(
        self,
        aws_code: str,
        message: str,
        service: str,
        operation: str,
        *,
        resource: str = "",
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        on = f" on {resource}" if resource else ""
        text = f"{service}:{operation}{on} failed with {aws_code}: {message or 'no message'}"
        if aws_code in ACCESS_DENIED_CODES:
            text += (
                f" (the step's role lacks {service}:{operation}{on}; `permissions` in its config asks for more rights)"
            )
        super().__init__(text)
        self.aws_code = aws_code
        self.message = message
        self.service = service
        self.operation = operation
        self.resource = resource
        self.status = status
        self.details: Mapping[str, Any] = details or {}


ACCESS_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
