"""`treadle emit`: a message on a topic of the running emulator."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, Project, project_folder
from treadle_cli.payload import parse_data


def emit(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic, as the steps name it.")],
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="JSON", help="The message; @FILE or - to read it.")
    ] = "{}",
    group: Annotated[
        str | None, typer.Option("--group", metavar="TEXT", help="The message's group, for steps with a FIFO queue.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Emit a message in the running emulator.

    It goes the way of a step's emit. Prints its trace id.
    """
    from treadle_local.running import find_running

    value = parse_data(data)
    trace_id = find_running(project_folder(None, project)).emit(topic, value, group)
    if as_json:
        terminal.show_json({"topic": topic, "traceId": trace_id})
    else:
        terminal.show(trace_id)
