"""`treadle emit`: a message on a topic of the running emulator."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, Project, project_folder
from treadle_cli.payload import parse_data


def emit(
    topic: Annotated[str, typer.Argument(help="The topic, as the steps name it.")],
    data: Annotated[str, typer.Option("--data", "-d", help="The message: JSON; @FILE or - to read it.")] = "{}",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Emit a message as a step would, and print its trace id. `treadle dev` must be running."""
    from treadle_local.running import find_running

    running = find_running(project_folder(None, project))
    trace_id = running.emit(topic, parse_data(data))
    if as_json:
        terminal.show_json({"topic": topic, "traceId": trace_id})
    else:
        terminal.show(trace_id)
