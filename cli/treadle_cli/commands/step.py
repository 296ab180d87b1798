"""`treadle step`: more steps for a project."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Project, project_folder

app = typer.Typer(
    help="Add steps to the project.", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)


class StepTypeName(StrEnum):
    """The values of `--type`."""

    API = "api"
    EVENT = "event"
    CRON = "cron"
    STREAM = "stream"
    NOOP = "noop"


Texts = list[str] | None


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called: ResizeImage, or `resize image`.")],
    kind: Annotated[StepTypeName, typer.Option("--type", "-t", help="What makes it run.")] = StepTypeName.API,
    path: Annotated[str | None, typer.Option("--path", metavar="PATH", help="Of an api step: /orders/:id.")] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="METHOD", help="Of an api step: POST.")] = None,
    subscribes: Annotated[
        Texts, typer.Option("--subscribes", metavar="TOPIC", help="Of an event step; may be repeated.")
    ] = None,
    emits: Annotated[Texts, typer.Option("--emits", metavar="TOPIC", help="What it emits; may be repeated.")] = None,
    cron: Annotated[
        str | None, typer.Option("--cron", metavar="EXPRESSION", help="Of a cron step: '0 9 * * *'.")
    ] = None,
    flow: Annotated[Texts, typer.Option("--flow", metavar="FLOW", help="What it belongs to; may be repeated.")] = None,
    folder: Annotated[
        str | None,
        typer.Option("--dir", "-d", metavar="DIR", help="Where, in the project.", show_default="steps or src"),
    ] = None,
    project: Project = None,
) -> None:
    """Write a new step, or the definition of a stream, into a file of its own.

    What is not said follows from the name.
    """
    from treadle_infra.step_scaffold import StepWishes, create_step

    wishes = StepWishes(method, path, tuple(subscribes or ()), tuple(emits or ()), cron, tuple(flow or ()), folder)
    written = create_step(project_folder(None, project), name, kind.value, wishes)
    terminal.say(written)
