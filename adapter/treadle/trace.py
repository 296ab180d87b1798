"""Trace ids: one for each request, inherited by all that follows from it."""

from __future__ import annotations

import os
import re
import time

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ123456789"
_ACCEPTED = r"[A-Za-z0-9._-]{1,64}"


def new_trace_id() -> str:
    """A fresh trace id in Motia's form: `SUJU6-8751089`, the digits being the last seven of the Unix time in ms."""
    letters = "".join([_ALPHABET[byte & 31] for byte in os.urandom(5)])
    return f"{letters}-{str(int(time.time() * 1000))[6:]}"


def accepted_trace_id(text: object) -> str | None:
    """`text` where it may stand as a trace id (a caller's `x-trace-id`), else None."""
    if isinstance(text, str) and re.fullmatch(_ACCEPTED, text):
        return text
    return None
