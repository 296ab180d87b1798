"""What the ARNs of calls must look like, before anybody looks for what they name."""

from __future__ import annotations

import re

from treadle_local.aws.service import Region
from treadle_local.sns.errors import invalid, invalid_because, missing

_QUEUE = re.compile(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?")
_FUNCTION = re.compile(r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?")


def check_arn(arn: str | None, parameter: str, region: Region) -> None:
    """Raises `InvalidParameter` for what cannot be the ARN of something that SNS has in this account and region."""
    parts = (arn or "").split(":")
    if len(parts) < 6:
        raise invalid_because(parameter, f"An ARN must have at least 6 elements, not {len(parts)}")
    if parts[:3] != ["arn", "aws", "sns"] or parts[3] != region.name or not parts[5]:
        raise invalid(parameter)


def check_subscription_arn(arn: str | None, region: Region) -> None:
    """Raises `InvalidParameter` for what cannot be the ARN of a subscription: a topic's, and what follows it."""
    if arn == "":
        raise missing("SubscriptionArn")
    check_arn(arn, "SubscriptionArn", region)
    if len((arn or "").split(":")) != 7:
        raise invalid("SubscriptionId")


def is_queue_arn(arn: str) -> bool:
    return _QUEUE.fullmatch(arn) is not None


def is_function_arn(arn: str) -> bool:
    """True for the ARN of a function, of a version or of an alias."""
    return _FUNCTION.fullmatch(arn) is not None


def is_fifo(arn: str) -> bool:
    """Whether it is a FIFO topic's or a FIFO queue's."""
    return arn.endswith(".fifo")
