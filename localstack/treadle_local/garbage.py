"""How the emulator has Python collect garbage."""

from __future__ import annotations

import gc


def spare_collections() -> None:
    """Lets the garbage collector leave alone what was made for the start, and look at the rest less often.

    Stored items and messages are many and never in cycles: looking through all of them pauses everything.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
