"""API Gateway's refusals, in its words where they are known."""

from __future__ import annotations

from treadle_local.aws.errors import AwsError


def bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, status=409)


def not_found(kind: str, identity: str) -> AwsError:
    """There is no such part; `kind` is AWS's name of it: `API`, `Route`, `Stage`…"""
    return AwsError("NotFoundException", f"Invalid {kind} identifier specified {identity}", status=404)


def too_many(what: str, scope: str = "this API") -> AwsError:
    """One part more than an account may have; `what` is AWS's plural: `Routes`, `Integrations`…"""
    message = (
        f"Maximum number of {what} for {scope} has been reached. Please contact AWS if you need additional {what}."
    )
    return AwsError("TooManyRequestsException", message, status=429)


def not_built(what: str) -> AwsError:
    """AWS takes it, and the emulator's gateway would not do it."""
    return bad_request(f"{what} is not in Treadle's emulator yet")
