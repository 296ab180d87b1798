"""Memory given back to the machine when a long queue has run empty."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def release() -> None:
    """Returns free memory to the operating system, as far as Python and glibc can: a fraction of a second.

    Few things that are in use, or that Python keeps for reuse, would hold all the memory around them.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
