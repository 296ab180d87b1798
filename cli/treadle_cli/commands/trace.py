"""`treadle trace`: what followed from one request, as a tree."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, ObservedStage, Project, observed_project


def trace(
    trace_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="A trace's id, as X-Trace-Id or traceparent has it, or the beginning of one."
        ),
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", metavar="N", min=1, help="How many to list, without ID.")] = 20,
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="How far back to list: 90s, 10m, 1h30m, 2d, or a date and time."),
    ] = "1h",
    stage: ObservedStage = "dev",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Show all that followed from one request, message or schedule.

    A tree of the steps that ran, each with its time, its attempts, its errors and what it did. Without ID, the last
    traces.
    """
    from shutil import get_terminal_size

    from treadle_cli.moments import parse_since
    from treadle_cli.trace_json import summary_json, trace_json
    from treadle_cli.trace_list import list_lines
    from treadle_cli.trace_view import trace_lines

    running = observed_project(project, stage)
    width, colour = get_terminal_size((80, 24)).columns, terminal.wants_colour()
    if trace_id is not None:
        tree = running.app.trace(trace_id)
        if as_json:
            terminal.show_json(trace_json(tree))
            return
        for line in trace_lines(tree, width=width, colour=colour):
            terminal.show(line)
        return
    trees = running.app.latest_traces(int(parse_since(since) * 1000), last)
    if as_json:
        terminal.show_json({"traces": [summary_json(tree) for tree in trees]})
    elif trees:
        for line in list_lines(trees, width=width, colour=colour):
            terminal.show(line)
    else:
        terminal.say(f"no trace since {since}")
