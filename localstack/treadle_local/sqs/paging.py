"""Pages of a sorted list of names; the token of a page is the last name on it."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence

from treadle_local.sqs.errors import invalid_parameter

_MOST_RESULTS = 1_000


def page(names: Sequence[str], max_results: int | None, token: str | None) -> tuple[Sequence[str], str | None]:
    """The names after `token`, and the token of the next page; without `max_results` one page of up to 1,000.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
    """
    if max_results is not None and not 1 <= max_results <= _MOST_RESULTS:
        raise invalid_parameter(max_results, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
    start = 0
    if token:
        try:
            start = bisect_right(names, base64.b64decode(token, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            raise invalid_parameter(token, "NextToken", "The token is not one of a page of queues.") from None
    some = names[start : start + (max_results or _MOST_RESULTS)]
    more = max_results is not None and start + len(some) < len(names)
    return some, base64.b64encode(some[-1].encode()).decode() if more else None
