"""Runs things side by side that stop at certain points, in every order, or in orders drawn at random."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import getcurrent, greenlet

Choose = Callable[[int], int]
"""Picks one of so many."""


class Actor(greenlet):
    """Does something on a stack of its own, one stretch at a time: up to its next stop, or its end.

    Threads would do the same in three times as long: they are woken by the system at each stop.
    """

    def __init__(self, work: Callable[[], None], until: Callable[[], bool] = lambda: True) -> None:
        """The first stretch comes when `until` holds."""
        super().__init__(work)
        self.waits_for = until

    def can_go(self) -> bool:
        return not self.dead and self.waits_for()

    def go(self) -> None:
        """Runs the next stretch. Raises what the work raises."""
        self.parent = getcurrent()
        self.switch()


def stop_here(until: Callable[[], bool] = lambda: True) -> None:
    """Ends the stretch of the actor that calls this; the next comes when `until` holds. Others go on."""
    actor = getcurrent()
    if isinstance(actor, Actor):
        actor.waits_for = until
        assert actor.parent is not None
        actor.parent.switch()


def run_to_the_end(actors: list[Actor], choose: Choose) -> None:
    """Gives turns until all have ended."""
    while not all(actor.dead for actor in actors):
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
