"""Telling a moment later: who waits for an answer gets it before a line is written about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ParamSpec

from treadle_local.dev.happenings import Happening, Tell
from treadle_local.emulator import Watcher

P = ParamSpec("P")
_MOMENT_SECONDS = 0.005


class Later:
    """Puts off what a watcher does by a moment, on the running event loop; all in the order in which it came."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._untold: list[Callable[[], None]] = []
        self._telling: asyncio.TimerHandle | None = None

    def watcher(self, told: Watcher) -> Watcher:
        """One that has everything told later by `told`; a stack's events are told at once, nobody is kept waiting."""
        return replace(
            told,
            exchange=self._later(told.exchange),
            batch=self._later(told.batch),
            log=self._later(told.log),
            denied=self._later(told.denied),
            undelivered=self._later(told.undelivered),
            dropped=self._later(told.dropped),
            schedule=self._later(told.schedule),
            socket=self._later(told.socket),
        )

    def _later(self, told: Callable[P, None]) -> Callable[P, None]:
        def note(*args: P.args, **kwargs: P.kwargs) -> None:
            self._untold.append(partial(told, *args, **kwargs))
            if self._telling is None:
                self._telling = asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self.tell_all)

        return note

    def tell(self, happening: Happening) -> None:
        """Tells what is no affair of the emulator's, after what was put off."""
        self.tell_all()
        self._tell(happening)

    def tell_all(self) -> None:
        """Tells what was put off."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        untold, self._untold = self._untold, []
        for tell in untold:
            tell()
