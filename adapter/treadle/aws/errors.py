"""What kinds of AWS errors there are, by their codes."""

from __future__ import annotations

from treadle.errors import AwsCallError

_NOT_FOUND = frozenset({"NotFound", "NotFoundException", "ResourceNotFoundException"})
_TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})
_TOO_MANY_REQUESTS = 429
_GONE = 410
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
UNREACHABLE = "UNREACHABLE"
DAMAGED = "DAMAGED"
_WRITE_CONFLICT = "ReplicatedWriteConflictException"
_TRANSIENT = frozenset({_WRITE_CONFLICT, "RequestTimeout", "RequestTimeoutException", UNREACHABLE, DAMAGED})
"""Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
_CLOCK_SKEW = frozenset(
    {
        "AuthFailure",
        "InvalidSignature",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)


def is_not_found(error: AwsCallError) -> bool:
    """True where the call named a resource that is not there."""
    return error.aws_code in _NOT_FOUND


def is_gone(error: BaseException) -> bool:
    """True where a call was about a WebSocket connection that has ended."""
    return isinstance(error, AwsCallError) and (error.status == _GONE or error.aws_code == "GoneException")


def is_throttled(error: AwsCallError) -> bool:
    """True where AWS has been asked too often."""
    return error.aws_code in _THROTTLED or (error.status == _TOO_MANY_REQUESTS and error.aws_code != _WRITE_CONFLICT)


def is_retryable(error: AwsCallError) -> bool:
    """True where the same call may go through a moment later: throttled, a fault of AWS's, or no whole answer."""
    return error.aws_code in _TRANSIENT or error.status in _TRANSIENT_STATUSES or is_throttled(error)


def may_be_clock_skew(error: AwsCallError) -> bool:
    """True for the errors that a wrong clock causes, among other things."""
    return error.aws_code in _CLOCK_SKEW
