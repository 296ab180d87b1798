"""The latest traces as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from treadle_cli import terminal
from treadle_cli.log_lines import trigger_text
from treadle_cli.moments import clock_time, length
from treadle_cli.trace_outcome import trace_outcome
from treadle_local.observe.tree import Run, TraceTree

_HEADINGS = ("TIME", "TRACE", "BEGINS WITH", "STEPS", "RESULT", "DURATION")
_NARROWEST_ROOT = 16


def list_lines(trees: Sequence[TraceTree], *, width: int, colour: bool) -> Iterator[str]:
    """A heading, and a line for each trace, newest last."""
    now = datetime.now().astimezone()
    outcomes = [trace_outcome(tree) for tree in trees]
    rows = [
        (
            clock_time(tree.start_ms, now),
            tree.trace_id,
            _root(tree),
            str(len(tree.steps)),
            outcome,
            length(tree.duration_ms),
        )
        for tree, (outcome, _) in zip(trees, outcomes, strict=True)
    ]
    widths = [max(len(row[column]) for row in (_HEADINGS, *rows)) for column in range(len(_HEADINGS))]
    others = sum(widths) - widths[2] + 2 * (len(widths) - 1)
    widths[2] = min(widths[2], max(_NARROWEST_ROOT, width - others))
    yield terminal.paint(_row(_HEADINGS, widths), dim=True, on=colour)
    for row, (_, result_colour) in zip(rows, outcomes, strict=True):
        line = _row(row, widths)
        painted = terminal.paint(row[4], result_colour, on=colour)
        end = sum(widths[:4]) + 8
        yield f"{line[:end]}{painted}{line[end + len(row[4]) :]}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    time, trace_id, root, steps, result, duration = cells
    shown = root if len(root) <= widths[2] else f"{root[: widths[2] - 1]}…"
    return (
        f"{time:<{widths[0]}}  {trace_id:<{widths[1]}}  {shown:<{widths[2]}}  {steps:>{widths[3]}}"
        f"  {result:<{widths[4]}}  {duration:>{widths[5]}}"
    )


def _root(tree: TraceTree) -> str:
    first = next((root for root in tree.roots if isinstance(root, Run)), None)
    if first is None:
        return ""
    what = terminal.visible(trigger_text(first.first.trigger))
    return what if first.first.trigger.get("kind") == "api" else f"{what} → {first.step}"
