"""Runs things side by side that stop at certain points, in every order, or in orders drawn at random."""

from __future__ import annotations

import threading
from collections.abc import Callable

Choose = Callable[[int], int]
"""Picks one of so many."""

_here = threading.local()


class Actor:
    """Does something in a thread of its own, one stretch at a time: up to its next stop, or its end."""

    def __init__(self, work: Callable[[], None], until: Callable[[], bool] = lambda: True) -> None:
        """The first stretch comes when `until` holds."""
        self.waits_for = until
        self.ended = False
        self.error: BaseException | None = None
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self, until: Callable[[], bool]) -> None:
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
        _here.actor = self
        self._go.acquire()
        try:
            self._work()
        except BaseException as error:
            self.error = error
        self.ended = True
        self._stopped.release()


def stop_here(until: Callable[[], bool] = lambda: True) -> None:
    """Ends the stretch of the actor whose thread this is; the next comes when `until` holds. Others go on."""
    actor: Actor | None = getattr(_here, "actor", None)
    if actor is not None:
        actor.stop(until)


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
