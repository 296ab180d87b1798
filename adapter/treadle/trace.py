"""Trace ids: one trace for each request or firing, inherited by all that follows from it; one span for each run.

A trace has two names. Motia's is short and for people; the W3C's 32 hex digits are for tools. Each can be told from the
other where only one is given, so that whoever passes on one of them stays in the same trace.

`tracestate` is not passed on: it is of use to the makers of outgoing requests only, and would be in every message.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TRACE_HEADER = "x-trace-id"
TRACEPARENT_HEADER = "traceparent"

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ123456789"
_ACCEPTED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_LONGEST = 64
_HEX = "0123456789abcdef"
_ODD = "13579bdf"
_LENGTH = 55


class Trace:
    """Where one run stands in its trace: `span_id` is the run's own, `parent_id` that of the run that caused it.

    `sampled` is False where a caller's `traceparent` asks for it: the trace goes through everything all the same, and
    is not exported.
    """

    __slots__ = ("parent_id", "sampled", "span_id", "trace_id", "w3c_id")

    def __init__(
        self, trace_id: str, w3c_id: str, span_id: str, parent_id: str | None = None, *, sampled: bool = True
    ) -> None:
        self.trace_id = trace_id
        self.w3c_id = w3c_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.sampled = sampled

    @property
    def traceparent(self) -> str:
        """What tells others that this run is their parent: `00-<w3c_id>-<span_id>-01`.

        Source: https://www.w3.org/TR/trace-context/#traceparent-header
        """
        return f"00-{self.w3c_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def text(self) -> str:
        """`<trace_id> <traceparent>`; `trace_of_text` reads it."""
        return f"{self.trace_id} {self.traceparent}"


def new_trace() -> Trace:
    """A trace of its own. Its id has Motia's form, `SUJU6-8751089`: the last seven digits of the Unix time in ms."""
    random = os.urandom(29)
    letters = "".join([_ALPHABET[byte & 31] for byte in random[:5]])
    trace_id = f"{letters}-{str(int(time.time() * 1000))[6:]}"
    return Trace(trace_id, random[5:21].hex(), random[21:].hex())


def trace_of(trace_id: object, traceparent: object) -> Trace:
    """A child of the span in `traceparent`, in the trace `trace_id`; what is None or no such id is ignored.

    One of the two is made from the other; a new trace where there is neither.
    """
    accepted = accepted_trace_id(trace_id)
    parent = _parent(traceparent)
    if parent is not None:
        w3c_id, parent_id, sampled = parent
        return Trace(accepted or _trace_id_of(w3c_id), w3c_id, os.urandom(8).hex(), parent_id, sampled=sampled)
    if accepted is not None:
        return Trace(accepted, _digest(accepted), os.urandom(8).hex())
    return new_trace()


def trace_of_headers(headers: Mapping[str, str]) -> Trace:
    """The trace of a request with these headers (names in lower case): `traceparent`, `x-trace-id`, both or neither."""
    return trace_of(headers.get(TRACE_HEADER), headers.get(TRACEPARENT_HEADER))


def trace_of_text(text: object) -> Trace:
    """A child of the span that gave `Trace.text()`, whatever is behind that; a new trace where it cannot be read."""
    if not isinstance(text, str):
        return new_trace()
    trace_id, _, rest = text.partition(" ")
    trace = trace_of(trace_id, rest.partition(" ")[0])
    return new_trace() if trace.parent_id is None else trace


def trace_of_event(event_id: str) -> Trace:
    """The trace of what begins with this event, the same one whenever the event is delivered; each time a new span."""
    digits = event_id.replace("-", "").lower()
    w3c_id = digits if len(digits) == 32 and not digits.strip(_HEX) and digits.strip("0") else _digest(event_id)
    return Trace(_trace_id_of(w3c_id), w3c_id, os.urandom(8).hex())


def accepted_trace_id(text: object) -> str | None:
    """`text` where it may stand as a trace id (a caller's `x-trace-id`), else None: up to 64 of `A-Za-z0-9._-`."""
    if isinstance(text, str) and 0 < len(text) <= _LONGEST and not text.strip(_ACCEPTED):
        return text
    return None


def _parent(traceparent: object) -> tuple[str, str, bool] | None:
    """Trace id, span id and whether it is sampled; None where `traceparent` is invalid, or of a version that cannot be.

    A later version may have more fields behind those of version 00, which are all that is read.
    Source: https://www.w3.org/TR/trace-context/#versioning-of-traceparent
    """
    if not isinstance(traceparent, str) or len(traceparent) < _LENGTH:
        return None
    version, w3c_id, parent_id, flags = traceparent[:2], traceparent[3:35], traceparent[36:52], traceparent[53:_LENGTH]
    dashes = traceparent[2] + traceparent[35] + traceparent[52] + traceparent[_LENGTH : _LENGTH + 1]
    if dashes != "---" and (dashes != "----" or version == "00"):
        return None
    if (version + w3c_id + parent_id + flags).strip(_HEX) or version == "ff":
        return None
    if not w3c_id.strip("0") or not parent_id.strip("0"):
        return None
    return w3c_id, parent_id, flags[1] in _ODD


def _trace_id_of(w3c_id: str) -> str:
    """Motia's form of a W3C id, made of its last seven bytes: those are random where anything in it is.

    Source: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag
    """
    rest = int(w3c_id[-14:], 16)
    letters = ""
    for _ in range(5):
        letters += _ALPHABET[rest & 31]
        rest >>= 5
    return f"{letters}-{rest % 10_000_000:07d}"


def _digest(text: str) -> str:
    """A W3C id for a name that is none: always the same for one name."""
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()[:32]
