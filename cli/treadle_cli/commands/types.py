"""`treadle types`: the project's types, for editors and type checkers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Project, project_folder, write_output


def types(
    folder: Folder = None,
    project: Project = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="treadle_types.py"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the file is out of date.")
    ] = False,
) -> None:
    """Write the types of requests, messages, streams and contexts.

    A module for annotations: `async def handler(req: PlaceOrderRequest, context: PlaceOrderContext)`.
    """
    from treadle_infra.app.findings import TreadleError
    from treadle_infra.interface.project import TYPES_FILE, project_types
    from treadle_infra.options import usual_options

    chosen = project_folder(folder, project)
    text = project_types(chosen, usual_options(chosen))
    file = output or chosen / TYPES_FILE
    if not check:
        write_output(file, text)
        terminal.say(f"{file}: types")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        raise TreadleError("types-out-of-date", f"{file} is not what the steps say now", hint="run `treadle types`")
