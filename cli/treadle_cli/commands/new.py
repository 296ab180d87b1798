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

    The templates, each with its own tests: `messaging` (an API step emits, an event step works on it, a cron step
    counts), `todo-api` (a REST API and a page that shows every change at once), `ai-agent` (a flow that plans, looks
    up and streams its answer), `human-approval` (a flow that waits for a person).
    """
    from treadle_infra.scaffold import create_project

    folder = (project or Path()) / name
    written = create_project(folder, template)
    terminal.say(f"{folder}: {len(written)} files")
    for path in written:
        terminal.say(f"  {path}")
    terminal.say(f"\nNext:  treadle dev {shlex.quote(str(folder))}")
