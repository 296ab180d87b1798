"""`treadle dev`: the whole backend on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from enum import StrEnum
from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Json, Project, project_folder


class ClockKind(StrEnum):
    """Which clock the emulator runs on."""

    real = "real"
    manual = "manual"


def dev(
    folder: Folder = None,
    project: Project = None,
    port: Annotated[
        int,
        typer.Option("--port", "-p", metavar="PORT", min=0, max=65535, help="Where your routes answer; 0 picks one."),
    ] = 3000,
    aws_port: Annotated[
        int, typer.Option("--aws-port", metavar="PORT", min=0, max=65535, help="Where AWS answers; 0 picks one.")
    ] = 4566,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="A loopback address.")] = "127.0.0.1",
    clock: Annotated[
        ClockKind, typer.Option("--clock", help="`manual`: time moves only when told to.")
    ] = ClockKind.real,
    once: Annotated[
        bool, typer.Option("--once", help="Deploy, say ready and exit; 1 when there was an error.")
    ] = False,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Do not reload on edits.")] = False,
    iam_report: Annotated[
        bool,
        typer.Option("--iam-report", help="When it stops, tell which permissions were granted and which were used."),
    ] = False,
    persist: Annotated[
        bool, typer.Option("--persist", help="Keep tables and queues in .treadle/data, for the next start.")
    ] = False,
    inspect: Annotated[
        list[str] | None,
        typer.Option("--inspect", metavar="STEP", help="Let a debugger into a step; may be given more than once."),
    ] = None,
    inspect_port: Annotated[
        int | None,
        typer.Option(
            "--inspect-port",
            metavar="PORT",
            min=1,
            max=65535,
            help="Where the debugger finds the step, and the next ones after it; 5678 or the next free one otherwise.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the project on this machine.

    What runs is the template that would go to AWS, in an emulator of AWS.

    Prints a line for each request and each message; reloads what you edit; Ctrl-C stops it.
    """
    address = _loopback(host)
    chosen = project_folder(folder, project)

    from treadle_local.garbage import no_collections

    no_collections()
    from treadle_cli.reporting import JsonReporter, TextReporter
    from treadle_local.dev.happenings import Progress
    from treadle_local.dev.session import DevOptions, run_dev

    options = DevOptions(
        project=chosen,
        http_port=port,
        aws_port=aws_port,
        host=address,
        clock="manual" if clock is ClockKind.manual else "real",
        once=once,
        watch=not no_watch,
        persist=persist,
        iam_report=iam_report,
        inspected=tuple(inspect or ()),
        inspect_port=inspect_port,
    )
    reporter = JsonReporter() if as_json else TextReporter(colour=terminal.wants_colour())
    if not as_json:
        reporter.tell(Progress(f"starting {chosen.name}"))

    async def until_stopped() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        return await run_dev(options, reporter.tell, stop)

    code = _run(until_stopped)
    if not (as_json or once):
        terminal.say("\nStopped.")
    if code:
        raise typer.Exit(code)


def _loopback(host: str) -> str:
    import ipaddress

    if host == "localhost":
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return host
    raise typer.BadParameter(f"{host} is not a loopback address: the emulator is for this machine only")


def _run(main: object) -> int:
    from collections.abc import Callable, Coroutine
    from typing import Any, cast

    start = cast("Callable[[], Coroutine[Any, Any, int]]", main)
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(start())
    return uvloop.run(start())
