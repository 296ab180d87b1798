"""Memory given back to the machine when a long queue has run empty."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def release() -> None:
    """Returns free memory to the operating system, where its C library is glibc: about a millisecond.

    A full collection empties Python's lists of free objects, each of which keeps a megabyte of pages from being given
    back. What lives is frozen before: to look at all of it takes a quarter of a microsecond for each object, in which
    nobody is answered. Messages are in no cycles, so they are freed all the same.
    """
    gc.freeze()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
