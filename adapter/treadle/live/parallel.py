"""Does things side by side in threads that end with it: Lambda freezes the process after each invocation.

Not `concurrent.futures`: that brings `logging`, which costs more at a cold start than all of this function's code.
"""

from __future__ import annotations

from threading import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    A = TypeVar("A")
    R = TypeVar("R")

WORKERS = 16


def work_together(workers: int, work: Callable[[], None]) -> None:
    """Runs `work`, which must not raise, in so many threads at once; the caller's is one of them."""
    threads = [Thread(target=work, daemon=True) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()


def for_each(function: Callable[[A], R], arguments: Sequence[A], workers: int = WORKERS) -> list[R | Exception]:
    """What `function` returns or raises for each argument, in their order; at most `workers` at once."""
    results: list[R | Exception | None] = [None] * len(arguments)
    waiting = list(enumerate(arguments))
    waiting.reverse()

    def work() -> None:
        while True:
            try:
                index, argument = waiting.pop()
            except IndexError:
                return
            try:
                results[index] = function(argument)
            except Exception as error:
                results[index] = error

    if arguments:
        work_together(min(workers, len(arguments)), work)
    return results  # type: ignore[return-value] # every place is filled
