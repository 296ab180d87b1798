"""`treadle invoke`: one run of one step in the running emulator."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, Project, project_folder
from treadle_cli.payload import parse_data


def invoke(
    step: Annotated[str, typer.Argument(help="The step's name.")],
    data: Annotated[
        str, typer.Option("--data", "-d", help="JSON: the event's input, or the request's body; @FILE or - to read it.")
    ] = "{}",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Run a step once, directly, and print what it returns. `treadle dev` must be running.

    An event step is not retried; an error of the handler is printed and gives exit code 1.
    """
    from treadle_local.running import find_running

    running = find_running(project_folder(None, project))
    outcome = running.invoke(step, parse_data(data))
    if outcome.error is not None:
        if as_json:
            terminal.show_json({"error": outcome.error, "traceId": outcome.trace_id})
        else:
            terminal.say(f"{outcome.error.get('errorType', 'Error')}: {outcome.error.get('errorMessage', '')}")
            for line in outcome.error.get("stackTrace") or ():
                terminal.say(str(line).rstrip())
        raise typer.Exit(1)
    if as_json:
        terminal.show_json({"result": outcome.result, "traceId": outcome.trace_id})
    else:
        terminal.show_json(outcome.result)
        terminal.say(f"trace {outcome.trace_id}")
