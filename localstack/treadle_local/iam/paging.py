"""Lists, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from treadle_local.aws.service import Params, Result
from treadle_local.iam.refusals import invalid_value

T = TypeVar("T")
_PAGE = 100


def page(member: str, found: Sequence[T], params: Params, render: Callable[[T], object]) -> Result:
    """One page of a list under its name in AWS's answer, and where the next begins.

    Raises: AwsError ValidationError for a marker that is none of ours.
    """
    marker = str(params.get("Marker", "0"))
    if not marker.isdecimal():
        raise invalid_value(f"Invalid Marker: {marker}")
    start, size = int(marker), int(params.get("MaxItems", _PAGE))
    result: Result = {member: [render(one) for one in found[start : start + size]]}
    more = start + size < len(found)
    result["IsTruncated"] = more
    if more:
        result["Marker"] = str(start + size)
    return result
