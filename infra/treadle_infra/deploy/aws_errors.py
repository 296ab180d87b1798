"""What botocore raises, as errors that say what to do."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from treadle_infra.app.findings import TreadleError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_SIGN_IN = "`aws configure`, `aws sso login`, AWS_PROFILE or --profile; for `treadle dev`, the line that it prints"
_REFUSED_CREDENTIALS = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
        *("SignatureDoesNotMatch", "InvalidAccessKeyId", "AuthFailure", "IncompleteSignature"),
    }
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


@contextmanager
def aws_errors() -> Generator[None]:
    """Turns what AWS or the way to it refuses into a TreadleError.

    Raises TreadleError `aws-credentials-missing`, `aws-credentials-refused`, `aws-profile-unknown`,
    `aws-region-missing`, `aws-not-reachable`, `aws-access-denied`, `aws-throttled`, `aws-call-refused`.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.ProfileNotFound as problem:
        raise TreadleError("aws-profile-unknown", str(problem), hint="`aws configure list-profiles`") from None
    except exceptions.NoRegionError:
        raise TreadleError("aws-region-missing", "no AWS region is chosen", hint="give --region") from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
    ) as problem:
        raise TreadleError(
            "aws-credentials-missing", f"there are no AWS credentials: {problem}", hint=f"sign in: {_SIGN_IN}"
        ) from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.InvalidRegionError) as problem:
        raise TreadleError(
            "aws-not-reachable",
            f"AWS does not answer: {problem}",
            hint="look at the region, --endpoint-url and AWS_ENDPOINT_URL, and at the network",
        ) from None
    except exceptions.ClientError as problem:
        raise _refusal(problem) from None


@contextmanager
def aws_goes_on(stack_name: str) -> Generator[None]:
    """Says of every error in its block that only the watching ends. Raises TreadleError, as `aws_errors`."""
    try:
        with aws_errors():
            yield
    except TreadleError as problem:
        found = problem.finding
        further = f"AWS goes on with `{stack_name}` meanwhile: run this again, which waits for the end and tells it"
        hint = f"{found.hint}\n{further}" if found.hint else further
        raise TreadleError(found.code, f"{found.message} (only the watching ends)", hint=hint) from None


def error_code(problem: ClientError) -> str:
    """AWS's code of a refusal, such as `ValidationError`."""
    return str(_error(problem).get("Code", ""))


def error_message(problem: ClientError) -> str:
    """AWS's own words of a refusal."""
    return str(_error(problem).get("Message") or problem)


def _error(problem: ClientError) -> dict[str, Any]:
    return cast("dict[str, Any]", problem.response.get("Error", {}))


def _refusal(problem: ClientError) -> TreadleError:
    code, message = error_code(problem), error_message(problem)
    if code in _REFUSED_CREDENTIALS:
        return TreadleError(
            "aws-credentials-refused", f"AWS does not take these credentials: {message}", hint=f"sign in: {_SIGN_IN}"
        )
    if code in _DENIED:
        return TreadleError(
            "aws-access-denied",
            f"these credentials may not do {problem.operation_name}: {message}",
            hint="use a role that may, or have the action allowed",
        )
    if code in _THROTTLED:
        return TreadleError(
            "aws-throttled",
            f"AWS was asked too much at once, {problem.operation_name} in the end: {message}",
            hint="wait a minute and run it again",
        )
    return TreadleError("aws-call-refused", f"AWS refused {problem.operation_name} ({code}): {message}")
