"""Memory given back to the machine when a long queue has run empty."""

from __future__ import annotations

import contextlib
import ctypes


def release() -> None:
    """Returns free memory to the operating system, where its C library is glibc: about a millisecond.

    The garbage collector is left out of it: messages are in no cycles, and to look at all else there is takes a
    quarter of a microsecond for each object, in which nobody is answered.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
