"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle_infra.app.findings import TreadleError

if TYPE_CHECKING:
    from treadle_local.running import Running


class TargetName(StrEnum):
    """The values of `--target`."""

    AWS = "aws"
    HOST = "host"


Folder = Annotated[Path | None, typer.Argument(metavar="DIR", help="The project's folder.", show_default="here")]
Project = Annotated[
    Path | None, typer.Option("--project", "-C", metavar="DIR", help="The project's folder.", show_default="here")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of text.")]
PackageTarget = Annotated[
    TargetName | None,
    typer.Option("--target", help="Where third-party packages are to run: on AWS, or on this machine."),
]
Stage = Annotated[str, typer.Option("--stage", "-s", metavar="NAME", help="The stage to build for.")]
ObservedStage = Annotated[
    str, typer.Option("--stage", "-s", metavar="NAME", help="The stage to look at; `dev` is the running emulator.")
]


def observed_project(project: Path | None, stage: str) -> Running:
    """What runs on a stage. Raises TreadleError `stage-not-deployed`, `not-running`."""
    from treadle_local.running import find_running

    if stage != "dev":
        raise TreadleError(
            "stage-not-deployed",
            f"stage `{stage}` cannot be looked at yet: only the running emulator can",
            hint="leave --stage out to look at the running emulator",
        )
    return find_running(project_folder(None, project))


def project_folder(folder: Path | None, project: Path | None) -> Path:
    """The project a command is about. Raises TreadleError where it is named twice or is no folder."""
    if folder is not None and project is not None and folder != project:
        raise typer.BadParameter(f"the project is named twice: {folder} and --project {project}")
    chosen = (folder or project or Path()).resolve()
    if not chosen.is_dir():
        raise TreadleError(
            "no-such-project", f"{folder or project} is not a folder", hint="`treadle new NAME` makes a project"
        )
    return chosen


def write_output(file: Path, text: str) -> None:
    """Writes a file that a command was asked for. Raises TreadleError `output-not-writable`."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise TreadleError(
            "output-not-writable", f"{file} cannot be written: {problem.strerror}", hint="choose another file"
        ) from None
