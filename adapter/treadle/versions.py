"""Versions of state values: a write that takes place only where nobody else has written meanwhile."""

from __future__ import annotations

import time

from treadle.aws.dynamodb import ConditionFailed
from treadle.aws.expressions import Expressions
from treadle.errors import VersionConflict
from treadle.expiry import absent, live
from treadle.table import has_expired

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from treadle.table import Item

    T = TypeVar("T")


def version_of(item: Item) -> int:
    """An item's version: 1 after the first write; 0 for an item that was written by something else."""
    return int(item.get("version", {"N": "0"})["N"])


def guarded(
    method: str, group: str, key: str, expected_version: object, write: Callable[[Expressions], T]
) -> Callable[[], T]:
    """A call of `write` with the demand that the item has this version, 0 for no item.

    Raises: TypeError, ValueError; the call VersionConflict.
    """
    version = _checked(method, expected_version)

    def run() -> T:
        try:
            return write(_demand(version))
        except ConditionFailed as failed:
            item = failed.item
            present = 0 if item is None or has_expired(item, time.time()) else version_of(item)
            raise VersionConflict(method, group, key, version, present) from None

    return run


def _checked(method: str, version: object) -> int:
    if isinstance(version, bool) or not isinstance(version, int):
        raise TypeError(f"{method}: `expected_version` must be a whole number, not {type(version).__qualname__}")
    if version < 0:
        raise ValueError(f"{method}: `expected_version` must not be negative; 0 means that there is no value yet")
    return version


def _demand(version: int) -> Expressions:
    expressions = Expressions()
    if version == 0:
        expressions.demand(absent(expressions, "version"))
    else:
        sign = expressions.value("expected", {"N": str(version)})
        expressions.demand(f"{expressions.name('version')} = {sign}")
        expressions.demand(live(expressions))
    return expressions
