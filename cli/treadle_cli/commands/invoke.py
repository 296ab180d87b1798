"""`treadle invoke`: one run of one step in the running emulator."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, Project, project_folder
from treadle_cli.outcomes import exit_on_error
from treadle_cli.payload import parse_data


def invoke(
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step's name.")],
    data: Annotated[
        str,
        typer.Option("--data", "-d", metavar="JSON", help="The message, or the request's body; @FILE or - to read it."),
    ] = "{}",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Run one step once in the running emulator.

    Prints what the handler returns, as JSON. An event step is not retried; an error of the handler is printed and gives
    exit code 1.
    """
    from treadle_local.running import find_running

    value = parse_data(data)
    outcome = find_running(project_folder(None, project)).invoke(step, value)
    exit_on_error(outcome, as_json=as_json)
    if as_json:
        terminal.show_json({"result": outcome.result, "traceId": outcome.trace_id})
    else:
        terminal.show_json(outcome.result)
        terminal.say(f"trace {outcome.trace_id}")
