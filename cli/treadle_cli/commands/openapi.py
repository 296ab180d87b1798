"""`treadle openapi`: the HTTP API as its callers see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Project, project_folder, write_output


def openapi(
    folder: Folder = None,
    project: Project = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="the screen")
    ] = None,
    title: Annotated[
        str | None,
        typer.Option("--title", "-t", metavar="TEXT", help="The API's title.", show_default="the app's name"),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", "-v", metavar="TEXT", help="The API's version.", show_default="the project's, or 1.0.0"
        ),
    ] = None,
    server: Annotated[
        list[str] | None, typer.Option("--server", metavar="URL", help="Where the API answers; may be repeated.")
    ] = None,
) -> None:
    """Write the OpenAPI 3.1 document of the HTTP routes.

    Paths, parameters, bodies and responses are those of the steps' configs. Nothing is deployed or started.
    """
    from treadle_infra.interface.project import project_openapi
    from treadle_infra.options import usual_options

    chosen = project_folder(folder, project)
    document, findings = project_openapi(
        chosen, usual_options(chosen), title=title, version=version, servers=tuple(server or ())
    )
    if findings:
        terminal.show_findings(findings)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if output is None:
        terminal.show(text)
    else:
        write_output(output, f"{text}\n")
        terminal.say(f"{output}: OpenAPI 3.1")
