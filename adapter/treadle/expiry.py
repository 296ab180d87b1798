"""Times to live: values that are gone some seconds after they were written."""

from __future__ import annotations

import math
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.expressions import Expressions
    from treadle.shapes import AttributeValue


def expiry(ttl_seconds: float) -> AttributeValue:
    """The attribute `ttl` of what is to live so long from now on: whole seconds since the epoch, rounded up.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
    """
    return {"N": str(math.ceil(time.time() + ttl_seconds))}


def live(expressions: Expressions) -> str:
    """The condition that an item has not expired; like reads, it counts what DynamoDB has not yet deleted as gone."""
    ttl = expressions.name("ttl")
    return f"(attribute_not_exists({ttl}) OR {ttl} > {_now(expressions)})"


def absent(expressions: Expressions, attribute: str) -> str:
    """The condition that there is no item (none with this attribute), or one that has expired."""
    ttl = expressions.name("ttl")
    return f"(attribute_not_exists({expressions.name(attribute)}) OR {ttl} <= {_now(expressions)})"


def _now(expressions: Expressions) -> str:
    return expressions.value("now_seconds", {"N": str(int(time.time()))})
