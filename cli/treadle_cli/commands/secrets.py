"""`treadle secrets`: the values of a stage's secrets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treadle_cli import terminal
from treadle_cli.aws_options import DeployStage, Endpoint, Profile, Region, check_stage
from treadle_cli.options import Json, Project, project_folder
from treadle_infra.app.findings import TreadleError

if TYPE_CHECKING:
    from treadle_infra.deploy.secrets import SecretStore
    from treadle_infra.discovery.project import ProjectSettings

app = typer.Typer(help="Set, list or unset the values of a stage's secrets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The secret, as the project file names it.")]


@app.command("set")
def set_secret(
    name: Name,
    stage: DeployStage,
    project: Project = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Give a secret its value on a stage.

    The value is asked for, or read from the standard input; it is never an argument, which others could see. Functions
    that run already keep the former value until they start anew.
    """
    from treadle_infra.deploy.aws_errors import aws_errors

    settings, store = _store(project, stage, profile, region, endpoint_url)
    _check_name(name, settings)
    value = _value(name)
    with aws_errors():
        store.set(name, value)
    terminal.say(f"{name} is set on {settings.app_name}, stage {stage}")


@app.command("list")
def list_secrets(
    stage: DeployStage,
    project: Project = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: Json = False,
) -> None:
    """List the secrets of a stage, and which of them have no value. Values are not shown.

    Exit code 1 when one has no value.
    """
    from treadle_infra.deploy.aws_errors import aws_errors

    settings, store = _store(project, stage, profile, region, endpoint_url)
    with aws_errors():
        stored = {secret.name: secret.changed for secret in store.stored()}
    names = sorted({*settings.secrets, *stored})
    if as_json:
        shown = [
            {
                "name": name,
                "isSet": name in stored,
                "isWanted": name in settings.secrets,
                "changed": stored[name].isoformat() if name in stored else None,
            }
            for name in names
        ]
        terminal.show_json({"secrets": shown})
    else:
        for name in names:
            state = f"set {stored[name]:%Y-%m-%d %H:%M}" if name in stored else "has no value"
            terminal.show(f"{name}  {state}{'' if name in settings.secrets else '  (the project does not name it)'}")
        if not names:
            terminal.say(f"{settings.app_name} has no secret on the stage {stage}")
    if set(settings.secrets) - stored.keys():
        raise typer.Exit(1)


@app.command("unset")
def unset_secret(
    name: Name,
    stage: DeployStage,
    project: Project = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
) -> None:
    """Take a secret's value away from a stage."""
    from treadle_infra.deploy.aws_errors import aws_errors

    settings, store = _store(project, stage, profile, region, endpoint_url)
    with aws_errors():
        had_one = store.unset(name)
    terminal.say(f"{name} is {'unset' if had_one else 'not set'} on {settings.app_name}, stage {stage}")


def _store(
    project: Project, stage: str, profile: Profile, region: Region, endpoint_url: Endpoint
) -> tuple[ProjectSettings, SecretStore]:
    from treadle_infra.app.findings import FindingsError, has_errors
    from treadle_infra.deploy.account import AccountOptions, sign_in
    from treadle_infra.deploy.secrets import SecretStore
    from treadle_infra.discovery.project import read_settings

    check_stage(stage)
    settings = read_settings(project_folder(None, project), stage)
    if has_errors(settings.findings):
        raise FindingsError(settings.findings)
    account = sign_in(AccountOptions(profile, region, endpoint_url))
    return settings, SecretStore(account, settings.app_name, stage)


def _check_name(name: str, settings: ProjectSettings) -> None:
    """Raises TreadleError `no-such-secret`."""
    from difflib import get_close_matches

    if name in settings.secrets:
        return
    near = get_close_matches(name, settings.secrets, 1)
    hint = f"did you mean `{near[0]}`?" if near else f'add it to the project file: secrets = ["{name}"]'
    raise TreadleError("no-such-secret", f"the project file names no secret `{name}` on this stage", hint=hint)


def _value(name: str) -> str:
    if sys.stdin.isatty():
        value: str = typer.prompt(name, hide_input=True, err=True)
        return value
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
