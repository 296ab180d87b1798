"""What the commands that change an AWS account share: options, and asking before anything changes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from treadle_cli import terminal
from treadle_cli.options import TargetName
from treadle_infra.app.findings import TreadleError

if TYPE_CHECKING:
    from treadle_infra.packages.platforms import Target

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

DeployStage = Annotated[str, typer.Option("--stage", "-s", metavar="NAME", help="The stage, such as `prod`.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="The AWS profile.", show_default="AWS_PROFILE")
]
Region = Annotated[
    str | None, typer.Option("--region", metavar="NAME", help="The AWS region.", show_default="the profile's")
]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="Talk to an emulator of AWS.", show_default="AWS_ENDPOINT_URL"),
]


def target_for(chosen: TargetName | None, endpoint_url: str | None) -> Target:
    """What packages are installed for: as chosen, else this machine where something else than AWS is talked to."""
    if chosen is not None:
        return chosen.value
    host = urlsplit(endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or "").hostname
    return "aws" if host is None or host.endswith(_AWS_DOMAINS) else "host"


def check_stage(stage: str) -> None:
    """Raises TreadleError `stage-name-not-allowed`."""
    from treadle_infra.app.scopes import stage_name_problem

    problem = stage_name_problem(stage)
    if problem is not None:
        raise TreadleError(problem.code, problem.message, hint=problem.hint)


def check_somebody_can_answer(*, yes: bool) -> None:
    """Raises TreadleError `confirmation-needed` where a question would have nobody to answer it."""
    if not yes and not sys.stdin.isatty():
        raise TreadleError(
            "confirmation-needed",
            "this changes an AWS account and there is no terminal to ask at",
            hint="give --yes",
        )


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on."""
    if yes:
        return True
    try:
        return typer.confirm(question, err=True)
    except (typer.Abort, KeyboardInterrupt):
        terminal.say()
        return False
