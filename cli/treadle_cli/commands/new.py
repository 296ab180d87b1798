"""`treadle new`: a project to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Project


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new project's folder.")],
    template: Annotated[
        str, typer.Option("--template", "-t", metavar="NAME", help="What to start from.")
    ] = "messaging",
    project: Project = None,
) -> None:
    """Make a new project in a new folder.

    Its template `messaging` has an API step that answers and emits a message, and an event step that works on it.
    """
    from treadle_infra.scaffold import create_project

    folder = (project or Path()) / name
    written = create_project(folder, template)
    terminal.say(f"{folder}: {len(written)} files")
    for path in written:
        terminal.say(f"  {path}")
    terminal.say(f"\nNext:  treadle dev {shlex.quote(str(folder))}")
