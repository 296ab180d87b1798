"""`treadle check`: everything that is wrong with a project, at once."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Json, Project, Stage, project_folder


def check(
    folder: Folder = None,
    project: Project = None,
    stage: Stage = "dev",
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
    as_json: Json = False,
) -> None:
    """Find everything wrong with the project.

    In its steps, and in what AWS would be asked for; nothing is sent.

    Exit code 1 when there is an error (with --strict: or a warning).
    """
    from treadle_infra.app.findings import has_errors
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    chosen = project_folder(folder, project)
    compilation = compile_project(chosen, stage, usual_options(chosen, stage=stage))
    if as_json:
        terminal.show_json({"findings": [terminal.finding_json(finding) for finding in compilation.findings]})
    else:
        terminal.show_findings(compilation.findings)
        steps = len(compilation.app.steps)
        if not compilation.findings:
            terminal.say(f"{compilation.app.name}: {steps} step{'s' * (steps != 1)}, nothing to complain about")
    if has_errors(compilation.findings) or (strict and compilation.findings):
        raise typer.Exit(1)
