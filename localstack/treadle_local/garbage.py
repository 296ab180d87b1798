"""How the emulator has Python collect garbage."""

from __future__ import annotations

import gc


def no_collections() -> None:
    """Stops the garbage collector until `spare_collections`: a start makes much and throws little away."""
    gc.disable()


def spare_collections() -> None:
    """Lets the garbage collector leave alone what was made for the start, and look at the rest less often.

    Stored items and messages are many and never in cycles: looking through all of them pauses everything.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
