"""The `treadle` command: one module a command, each parses, calls and prints."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.commands import (
    check,
    cron,
    deploy,
    dev,
    emit,
    graph,
    invoke,
    logs,
    new,
    openapi,
    remove,
    secrets,
    step,
    synth,
    trace,
    types,
)
from treadle_cli.planned import Commands
from treadle_infra.app.findings import TreadleError

EXIT_FAILED = 1
EXIT_BUG = 70

app = typer.Typer(
    cls=Commands,
    name="treadle",
    help="Turn a folder of steps into a backend on your own AWS account; run the same topology on your laptop.",
    epilog="Exit codes: 0 done, 1 findings or a failed operation, 2 wrong usage, 70 a bug in Treadle.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("dev")(dev.dev)
app.command("check")(check.check)
app.command("graph")(graph.graph)
app.command("openapi")(openapi.openapi)
app.command("types")(types.types)
app.command("synth")(synth.synth)
app.command("deploy")(deploy.deploy)
app.command("remove")(remove.remove)
app.command("invoke")(invoke.invoke)
app.command("emit")(emit.emit)
app.command("logs")(logs.logs)
app.command("trace")(trace.trace)
app.add_typer(cron.app, name="cron")
app.add_typer(step.app, name="step")
app.add_typer(secrets.app, name="secrets")
app.command("new")(new.new)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"treadle {version('treadle')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What every command shares."""


def run() -> None:
    """The console script.

    Exit codes: 0 done, 1 findings or a failed operation, 2 wrong usage, 70 a bug of Treadle's.
    """
    try:
        app()
    except TreadleError as problem:
        terminal.show_error(problem)
        sys.exit(EXIT_FAILED)
    except Exception:
        traceback.print_exc()
        terminal.say("\nThis is a bug in Treadle, not in your project. Please report it with the lines above.")
        sys.exit(EXIT_BUG)
