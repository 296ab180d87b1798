"""`treadle synth`: the assembly that would be deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Json, Project, Stage, project_folder


def synth(
    folder: Folder = None,
    project: Project = None,
    stage: Stage = "dev",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to write.", show_default=".treadle/assembly/STAGE"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what would be deployed to AWS.

    A CloudFormation template, a manifest and a zip for each step. Prints the folder they are in.

    The same project gives the same bytes, on any machine and from any folder.
    """
    from treadle_infra.app.findings import FindingsError, TreadleError, has_errors
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options
    from treadle_infra.synth.assembly import write_assembly

    chosen = project_folder(folder, project)
    compilation = compile_project(chosen, stage, usual_options(chosen))
    if has_errors(compilation.findings):
        raise FindingsError(compilation.findings)
    if compilation.findings:
        terminal.show_findings(compilation.findings)
    if compilation.assembly is None:
        raise TreadleError("nothing-to-synthesize", f"{chosen} has no step", hint="`treadle new NAME` makes a project")
    target = (out or chosen / ".treadle" / "assembly" / stage).resolve()
    try:
        write_assembly(compilation.assembly, target)
    except OSError as problem:
        raise TreadleError(
            "assembly-not-writable",
            f"the assembly cannot be written to {target}: {problem.strerror}",
            hint="choose another folder with --out",
        ) from None
    template = target / "template.json"
    resources = len(json.loads(template.read_text())["Resources"])
    if as_json:
        terminal.show_json({"assembly": str(target), "template": str(template), "resources": resources})
    else:
        terminal.say(f"{len(compilation.app.steps)} steps, {resources} resources")
        terminal.show(str(target))
