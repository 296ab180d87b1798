"""Ends a handler that takes longer than its step allows, without ending the process and the batch that it belongs to.

A signal interrupts Python code and blocking calls alike; code that never comes back to the interpreter is ended by
Lambda's own timeout.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


class HandlerTimeout(BaseException):
    """The handler took longer than its step allows. No Exception, so that a handler does not catch it unawares."""

    code = "handler-timeout"


class TimeLimit:
    """A context in which `seconds` may pass; None or 0 is no limit. For the main thread, where Lambda runs handlers.

    There is none either where a debugger is: somebody looks at the handler.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float | None) -> None:
        self._seconds = None if "pydevd" in sys.modules else seconds

    def __enter__(self) -> None:
        if self._seconds:
            import signal

            signal.signal(signal.SIGALRM, self._ring)
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_exception: object) -> None:
        if self._seconds:
            import signal

            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        raise HandlerTimeout(
            f"the handler took longer than {self._seconds:.3g} s (its step's `infrastructure.handler.timeout`)"
        )
