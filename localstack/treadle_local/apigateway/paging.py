"""Pages of what is listed, in the order in which it was made; the token of a page is the number of the last on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from treadle_local.apigateway.refusals import bad_request
from treadle_local.aws.service import Params, Result

_MOST_RESULTS = 500
"""Also the size of a page where none is asked for; AWS's own is not documented."""


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


T = TypeVar("T", bound=Numbered)


def page(things: Iterable[T], params: Params, show: Callable[[T], Result]) -> Result:
    """The answer of a listing operation. Raises: AwsError BadRequestException for a malformed page or token."""
    most, after = _number(params, "MaxResults", _MOST_RESULTS), _number(params, "NextToken", 0)
    if not 1 <= most <= _MOST_RESULTS:
        raise bad_request(f"Invalid value for MaxResults: must be between 1 and {_MOST_RESULTS}")
    rest: Sequence[T] = [thing for thing in things if thing.number > after]
    answer: Result = {"Items": [show(thing) for thing in rest[:most]]}
    if len(rest) > most:
        answer["NextToken"] = str(rest[most - 1].number)
    return answer


def _number(params: Params, name: str, default: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if not str(text).isdecimal():
        raise bad_request(f"Invalid value {text!r} for {name}")
    return int(text)
