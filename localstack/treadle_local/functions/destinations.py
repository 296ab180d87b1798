"""Where records of asynchronous invocations and of given-up batches go: which ARNs may be named, what that takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from treadle_local.functions.model import Backing
from treadle_local.functions.refusals import invalid, not_here

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?P<service>[a-z0-9-]+):[a-z0-9-]*:(\d{12})?:.+")
_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
_NOT_YET = ("events", "s3")


def destination_service(arn: str) -> str:
    """`sqs`, `sns`, `lambda`, or whatever else the ARN names. Raises InvalidParameterValueException."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise invalid(f"The destination ARN {arn} is invalid.")
    return match["service"]


def named_destination(configuration: Mapping[str, Any], outcome: Literal["OnSuccess", "OnFailure"]) -> str | None:
    """The ARN that a DestinationConfig names for an outcome; None where it names none."""
    named: Mapping[str, str] = configuration.get(outcome) or {}
    return named.get("Destination") or None


def check_destination(arn: str, services: Sequence[str]) -> None:
    """Returns when records can be sent there. FIFO queues and topics are no destinations.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    service = destination_service(arn)
    if service in _NOT_YET:
        raise not_here(f"A destination of the service {service}")
    if service not in services or arn.endswith(".fifo"):
        raise invalid(f"The destination ARN {arn} is invalid.")


def may_send(backing: Backing, role_arn: str, arn: str) -> bool:
    """Whether the function's role lets Lambda send records there."""
    return backing.role_allows(role_arn, _ACTIONS[destination_service(arn)], arn)


def check_permission(backing: Backing, role_arn: str, arn: str) -> None:
    """Raises InvalidParameterValueException where the function's role does not let Lambda send records there."""
    if not may_send(backing, role_arn, arn):
        action = _ACTIONS[destination_service(arn)].partition(":")[2]
        raise invalid(f"The function's execution role does not have permissions to call {action} on {arn}")
