"""Runs things side by side that stop at certain points, in every order, or in orders drawn at random."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

Choose = Callable[[int], int]
"""Picks one of so many."""


class Actor:
    """Does something in a thread of its own, one stretch at a time: up to where `stop` is called, or the end."""

    def __init__(self, work: Callable[[Actor], None], until: Callable[[], bool] = lambda: True) -> None:
        """The first stretch comes when `until` holds."""
        self.waits_for = until
        self.ended = False
        self.error: BaseException | None = None
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, until: Callable[[], bool] = lambda: True) -> None:
        """Called by the work: waits for its next turn, which comes when `until` holds."""
        self.waits_for = until
        self._stopped.release()
        self._go.acquire()

    def can_go(self) -> bool:
        return not self.ended and self.waits_for()

    def go(self) -> None:
        """Runs the next stretch."""
        self._go.release()
        assert self._stopped.acquire(timeout=20)
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._work(self)
        except BaseException as error:
            self.error = error
        self.ended = True
        self._stopped.release()


def run_to_the_end(actors: list[Actor], choose: Choose) -> None:
    """Gives turns until all have ended."""
    while not all(actor.ended for actor in actors):
        ready = [actor for actor in actors if actor.can_go()]
        assert ready, "nobody can go on"
        ready[choose(len(ready)) if len(ready) > 1 else 0].go()


def all_orders(run: Callable[[Choose], None]) -> int:
    """Calls `run` once for each row of choices that it can be given, and returns how many there are."""
    count = 0
    fixed: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []

        def choose(options: int, fixed: list[int] = fixed, taken: list[tuple[int, int]] = taken) -> int:
            choice = fixed[len(taken)] if len(taken) < len(fixed) else 0
            taken.append((choice, options))
            return choice

        run(choose)
        count += 1
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return count
        fixed = [choice for choice, _ in taken]
        fixed[-1] += 1


def random_orders(count: int, seed: int) -> Iterator[Choose]:
    """`count` ways to choose at random, the same for the same seed."""
    for number in range(count):
        yield random.Random(f"{seed}-{number}").randrange
