"""What `context.state.set(...)` and its like return: a call that runs when it is awaited, or else before the run ends.

Motia's writes take effect without `await`, and programs rely on it. A call is made complete (arguments checked, values
encoded) at once, so that a value changed later is not what is written.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


class Call:
    """An awaitable that asyncio takes for a coroutine too (`create_task`, `gather`); it never suspends.

    Awaited twice, it runs once.
    """

    __slots__ = ("_calls", "_run", "_value", "error", "name", "writes")

    def __init__(self, calls: Calls, name: str, run: Callable[[], object] | None, *, writes: bool) -> None:
        self._calls = calls
        self._run = run
        self._value: object = None
        self.error: Exception | None = None
        self.name = name
        self.writes = writes

    def execute(self) -> None:
        """Runs the call unless it has run; an error is kept for whoever awaits it."""
        run, self._run = self._run, None
        if run is not None:
            try:
                self._value = run()
            except Exception as error:
                self.error = error

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Call:
        return self

    def __next__(self) -> object:
        return self.send(None)

    def send(self, _value: object) -> object:
        self._calls.settle_until(self)
        if self.error is not None:
            raise self.error
        raise StopIteration(self._value)

    def throw(self, error: BaseException, _value: object = None, _traceback: object = None) -> object:
        raise error

    def close(self) -> None:
        """Nothing to do: a call holds no frame."""


class Calls:
    """The calls of one run of a handler that nobody has awaited yet, in the order in which they were made."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Call] = []

    def add(self, name: str, run: Callable[[], T], *, writes: bool) -> Awaitable[T]:
        """A call of `run`. One that `writes` runs even where nobody awaits it."""
        call = Call(self, name, run, writes=writes)
        self._waiting.append(call)
        return call

    def nothing(self, name: str) -> Awaitable[None]:
        """A call that does nothing, awaited or not."""
        return Call(self, name, None, writes=False)

    def settle_until(self, last: Call) -> None:
        """Runs `last`, and before it the earlier writes that nobody has awaited: effects keep the program's order."""
        if last in self._waiting:
            index = self._waiting.index(last)
            for earlier in self._waiting[:index]:
                if earlier.writes:
                    earlier.execute()
            del self._waiting[index]
        last.execute()

    def settle(self) -> list[Call]:
        """Runs every write that is left, in order; returns all the calls that nobody awaited."""
        forgotten, self._waiting = self._waiting, []
        for call in forgotten:
            if call.writes:
                call.execute()
        return forgotten
