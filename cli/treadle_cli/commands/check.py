"""`treadle check`: everything that is wrong with a project, at once."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Json, Project, Stage, project_folder


def check(
    folder: Folder = None,
    project: Project = None,
    stage: Stage = "dev",
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Show what the project file says for the stage, and where.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find everything wrong with the project.

    In its steps, and in what AWS would be asked for; nothing is sent.

    Exit code 1 when there is an error (with --strict: or a warning).
    """
    from treadle_infra.app.findings import has_errors
    from treadle_infra.compile import compile_project
    from treadle_infra.discovery.project import read_settings
    from treadle_infra.options import usual_options

    chosen = project_folder(folder, project)
    compilation = compile_project(chosen, stage, usual_options(chosen, stage=stage))
    said = read_settings(chosen, stage).said if settings else ()
    if as_json:
        told = {one.name: {"value": one.value, "where": str(one.where)} for one in said}
        findings = [terminal.finding_json(finding) for finding in compilation.findings]
        terminal.show_json({"findings": findings, **({"settings": told} if settings else {})})
    else:
        for one in said:
            terminal.show(f"{one.name} = {json.dumps(one.value, ensure_ascii=False)}  {one.where}")
        terminal.show_findings(compilation.findings)
        steps = len(compilation.app.steps)
        if not compilation.findings:
            terminal.say(f"{compilation.app.name}: {steps} step{'s' * (steps != 1)}, nothing to complain about")
    if has_errors(compilation.findings) or (strict and compilation.findings):
        raise typer.Exit(1)
