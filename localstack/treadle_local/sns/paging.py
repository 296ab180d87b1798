"""Pages of a list that is sorted; the token of a page is the last ARN on it."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Sequence

from treadle_local.sns.errors import invalid

PAGE = 100
"""Source: https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html"""


def page(arns: Sequence[str], token: str | None) -> tuple[Sequence[str], dict[str, str]]:
    """A hundred ARNs after the token's one, and the member `NextToken` where there are more.

    Raises: `InvalidParameter`.
    """
    start = 0
    if token:
        try:
            start = bisect_right(arns, base64.b64decode(token, validate=True).decode())
        except ValueError:
            raise invalid("NextToken") from None
    some = arns[start : start + PAGE]
    if start + len(some) >= len(arns):
        return some, {}
    return some, {"NextToken": base64.b64encode(some[-1].encode()).decode()}
