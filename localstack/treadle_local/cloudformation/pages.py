"""Pages of CloudFormation's lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treadle_local.aws.service import Params, Result
from treadle_local.cloudformation.errors import validation_error

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
PAGE = 100


def paged(member: str, found: Sequence[Any], params: Params) -> Result:
    """One page of a list; the token is the number of the first item of the next."""
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise validation_error("Invalid NextToken")
    start = int(token)
    page = {member: list(found[start : start + PAGE])}
    return page | ({"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {})
