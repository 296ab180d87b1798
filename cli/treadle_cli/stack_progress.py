"""How a change of a stack looks while it goes on: a live table in a terminal, a line for each resource elsewhere."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from treadle_cli import terminal
from treadle_cli.moments import length
from treadle_cli.resource_words import doing, done, kind_of
from treadle_cli.stack_lines import preparation_text

if TYPE_CHECKING:
    from treadle_infra.deploy.happenings import Happening, ResourceMoved

_REPAINT_SECONDS = 0.1
_BAR = 12
_SHARED = "shared"


class ProgressView(AbstractContextManager["ProgressView"], Protocol):
    """Shows what happens to resources while its block runs."""

    def moved(self, event: ResourceMoved) -> None: ...

    def note(self, happening: Happening) -> None:
        """Something else goes on meanwhile."""


def progress_view(totals: Mapping[str | None, int]) -> ProgressView:
    """The right one for where standard error goes; `totals`: how many resources of each step will change."""
    on = terminal.wants_colour(sys.stderr)
    return LiveTable(totals, on=on) if _is_terminal() else Lines(totals)


def _is_terminal() -> bool:
    import os

    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Lines:
    """A line for each resource that is done or has failed."""

    def __init__(self, totals: Mapping[str | None, int]) -> None:
        self._width = max((len(step or _SHARED) for step in totals), default=0)

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def note(self, happening: Happening) -> None:
        text = preparation_text(happening, on=False)
        if text is not None:
            terminal.say(text)

    def moved(self, event: ResourceMoved) -> None:
        if event.progress == "started":
            return
        step = event.origin.step or _SHARED
        told = (
            f"{length(event.seconds * 1000):>7}  {_state(event):<16}  {step}  {kind_of(event.type)} {event.logical_id}"
        )
        reason = f": {event.reason}" if event.progress == "failed" and event.reason else ""
        terminal.say(terminal.visible(f"{told}{reason}"))


def _state(event: ResourceMoved) -> str:
    match event.progress:
        case "failed":
            return "FAILED"
        case "kept":
            return "kept"
        case _:
            return f"{done(event.verb)}{' (undone)' if event.undoing else ''}"


@dataclass
class _Row:
    name: str
    total: int
    done: int = 0
    failed: int = 0
    undone: int = 0
    now: str = ""


class LiveTable:
    """One row a step, repainted in place while it goes on; what it shows last stays on the screen."""

    def __init__(self, totals: Mapping[str | None, int], *, on: bool) -> None:
        self._on = on
        self._rows = {step: _Row(step or _SHARED, total) for step, total in totals.items()}
        self._settled: set[str] = set()
        self._started = monotonic()
        self._undoing = False
        self._note: str | None = None
        self._painted = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_painting, daemon=True)

    def __enter__(self) -> LiveTable:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._paint(last=True)

    def moved(self, event: ResourceMoved) -> None:
        with self._lock:
            self._undoing = self._undoing or event.undoing
            row = self._rows.setdefault(event.origin.step, _Row(event.origin.step or _SHARED, 0))
            kind = kind_of(event.type)
            match event.progress:
                case "started":
                    row.now = f"{'undoing' if event.undoing else doing(event.verb)} {kind}"
                case "failed":
                    row.failed += 1
                    row.now = f"{kind}: {event.reason}" if event.reason else row.now
                case "done" | "kept":
                    row.now = ""
                    if event.undoing:
                        row.undone += 1
                    elif event.logical_id not in self._settled:
                        self._settled.add(event.logical_id)
                        row.done += 1
                        row.total = max(row.total, row.done)

    def note(self, happening: Happening) -> None:
        with self._lock:
            self._note = preparation_text(happening, on=self._on)

    def _keep_painting(self) -> None:
        while not self._over.wait(_REPAINT_SECONDS):
            self._paint()

    def _paint(self, *, last: bool = False) -> None:
        columns, height = shutil.get_terminal_size((100, 24))
        with self._lock:
            lines = self._lines(columns, height - 2, last=last)
        up = f"\x1b[{self._painted}A" if self._painted else ""
        sys.stderr.write(f"{up}\x1b[J" + "".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._painted = len(lines)

    def _lines(self, columns: int, limit: int, *, last: bool) -> list[str]:
        rows = list(self._rows.values())
        width = max((len(row.name) for row in rows), default=0)
        finished, total = sum(row.done for row in rows), sum(row.total for row in rows)
        seconds = length((monotonic() - self._started) * 1000)
        verb = "undoing" if self._undoing else "done" if last else "working"
        head = f"{finished}/{total} resources, {verb}, {seconds}"
        # those with something to see first, where not all fit
        shown = sorted(rows, key=lambda row: row.done >= row.total)[:limit] if len(rows) > limit else rows
        note = [self._note] if self._note is not None and not last else []
        lines = [self._row(row, width, columns) for row in shown]
        return [terminal.paint(head, dim=True, on=self._on), *lines, *note]

    def _row(self, row: _Row, width: int, columns: int) -> str:
        filled = round(_BAR * row.done / row.total) if row.total else 0
        colour = "red" if row.failed else "green" if row.done >= row.total else "yellow"
        bar = terminal.paint("━" * filled, colour, on=self._on) + terminal.paint(
            "─" * (_BAR - filled), dim=True, on=self._on
        )
        numbers = f"{row.done}/{row.total}"
        room = columns - width - _BAR - 14
        now = terminal.visible(row.now)
        now = now if len(now) <= room else f"{now[: max(0, room - 1)]}…"
        text = terminal.paint(now, "red" if row.failed else None, dim=not row.failed, on=self._on)
        return f"  {terminal.paint(f'{row.name:<{width}}', 'cyan', on=self._on)}  {bar} {numbers:>7}  {text}"
