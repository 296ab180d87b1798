"""Tells whether a call's result is awaited where the call is written.

Motia 1.0's `Stream` and `stateManager` answer at once, and those of its release candidates, which its documents still
show, are awaited: `await todos.get("inbox", "1")`. A result cannot be both, since `None` is one.
"""

from __future__ import annotations

import sys
from opcode import opmap

_GET_AWAITABLE = opmap["GET_AWAITABLE"]
_CACHE = opmap.get("CACHE", 0)
_UNIT_BYTES = 2


def is_awaited(depth: int) -> bool:
    """Whether the caller so many frames above this function's awaits what is returned to it."""
    # nothing else knows where a call stands
    frame = sys._getframe(depth + 1)  # pyright: ignore[reportPrivateUsage]
    code = frame.f_code.co_code
    place = frame.f_lasti + _UNIT_BYTES
    while place < len(code) and code[place] == _CACHE:
        place += _UNIT_BYTES
    return place < len(code) and code[place] == _GET_AWAITABLE
