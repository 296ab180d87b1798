"""How a trace or a run has ended, in a word or two and in a colour."""

from __future__ import annotations

from collections.abc import Mapping

from treadle_local.observe.spans import Result, Span
from treadle_local.observe.tree import TraceTree

RESULT_COLOURS: Mapping[str, str] = {
    "ok": "green",
    "skipped": "bright_black",
    "retry": "yellow",
    "error": "red",
    "dead-letter": "red",
    "killed": "red",
}
RESULT_WORDS: Mapping[Result, str] = {"retry": "will retry", "dead-letter": "dead-lettered"}
_TRACE_WORDS: Mapping[Result, str] = {**RESULT_WORDS, "retry": "retrying"}


def trace_outcome(tree: TraceTree) -> tuple[str, str]:
    """(text, colour): the status of the request, and the worst of the runs where one did not go well.

    Or that there should be more of them: some wait, are under way, or were killed.
    """
    incomplete = tree.result == "ok" and not tree.is_complete
    word = "incomplete" if incomplete else _TRACE_WORDS.get(tree.result, tree.result)
    colour = "yellow" if incomplete else RESULT_COLOURS.get(tree.result, "red")
    if tree.status is None:
        return word, colour
    if word != "ok":
        return f"{tree.status} {word}", _status_colour(tree.status) if tree.status >= 500 else colour
    return str(tree.status), _status_colour(tree.status)


def run_colour(span: Span) -> str:
    """The colour of a run; a response of status 4xx or 5xx is no success to who sees it."""
    if span.result == "ok" and span.status is not None:
        return _status_colour(span.status)
    return RESULT_COLOURS.get(span.result, "red")


def _status_colour(status: int) -> str:
    return "green" if status < 400 else "yellow" if status < 500 else "red"
