"""`treadle synth`: the assembly that would be deployed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Json, PackageTarget, Project, Stage, TargetName, project_folder


def synth(
    folder: Folder = None,
    project: Project = None,
    stage: Stage = "dev",
    target: PackageTarget = TargetName.AWS,
    sizes: Annotated[bool, typer.Option("--sizes", help="Show how large the zips and their packages are.")] = False,
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
    from treadle_cli.sizes import size_lines, sizes_json, untried_line
    from treadle_infra.app.findings import FindingsError, TreadleError, has_errors
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options
    from treadle_infra.synth.assembly import write_assembly

    chosen = project_folder(folder, project)
    options = usual_options(chosen, (target or TargetName.AWS).value, stage)
    compilation = compile_project(chosen, stage, dataclasses.replace(options, proves=True))
    if has_errors(compilation.findings):
        raise FindingsError(compilation.findings)
    if compilation.findings:
        terminal.show_findings(compilation.findings)
    if compilation.assembly is None:
        raise TreadleError("nothing-to-synthesize", f"{chosen} has no step", hint="`treadle new NAME` makes a project")
    folder_of_assembly = (out or chosen / ".treadle" / "assembly" / stage).resolve()
    try:
        write_assembly(compilation.assembly, folder_of_assembly)
    except OSError as problem:
        raise TreadleError(
            "assembly-not-writable",
            f"the assembly cannot be written to {folder_of_assembly}: {problem.strerror}",
            hint="choose another folder with --out",
        ) from None
    template = folder_of_assembly / "template.json"
    resources = len(json.loads(template.read_text())["Resources"])
    if as_json:
        shown = {"assembly": str(folder_of_assembly), "template": str(template), "resources": resources}
        terminal.show_json({**shown, "sizes": sizes_json(compilation)} if sizes else shown)
    else:
        steps = len(compilation.app.steps)
        terminal.say(f"{steps} step{'s' if steps != 1 else ''}, {resources} resources")
        if compilation.untried:
            terminal.say(untried_line(compilation))
        if sizes:
            terminal.say("\n".join(size_lines(compilation)))
        terminal.show(str(folder_of_assembly))
