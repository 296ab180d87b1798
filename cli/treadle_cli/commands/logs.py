"""`treadle logs`: what the steps have said."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, ObservedStage, Project, observed_project

_POLL_SECONDS = 0.5
_OVERLAP_MS = 1000


def logs(
    step: Annotated[
        str | None, typer.Argument(metavar="STEP", help="The step's name.", show_default="all steps")
    ] = None,
    steps: Annotated[
        list[str] | None, typer.Option("--step", metavar="NAME", help="A step's name; may be repeated.")
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option("--trace", "-t", metavar="ID", help="One trace only: its id, or the beginning of one."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back: 90s, 10m, 1h30m, 2d, or a date and time.")
    ] = "1h",
    errors: Annotated[bool, typer.Option("--errors", help="Errors only.")] = False,
    records: Annotated[bool, typer.Option("--records", help="The end of each run too.")] = False,
    system: Annotated[
        bool, typer.Option("--system", help="All lines of Treadle's own functions; else their warnings and errors.")
    ] = False,
    stage: ObservedStage = "dev",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Show what the steps have said.

    Their logger's lines, what they print and the errors that end them, oldest first, from the running emulator.

    With --trace, the lines that carry the trace's id: those of the logger, from its beginning on.
    """
    from treadle_cli.log_view import Wanted, json_view, text_view
    from treadle_cli.moments import parse_since

    running = observed_project(project, stage)
    app = running.app
    named = [*([step] if step else []), *(steps or [])]
    groups = app.groups(named)
    wanted = Wanted(errors_only=errors, records=records, system=system or bool(named))
    since_ms = int(parse_since(since) * 1000)
    pattern = ""
    if trace is not None:
        pattern = f'{{ $.traceId = "{app.trace_id(trace)}" }}'
        since_ms = 0
    if as_json:
        view = json_view(wanted)
    else:
        view = text_view(wanted, colour=terminal.wants_colour(), steps=groups if wanted.system else app.steps())
    if not follow:
        for line in view.lines(app.logs.read(groups, since_ms=since_ms, pattern=pattern)):
            terminal.show(line)
        return
    entries = app.logs.follow(
        lambda: running.reread().app.groups(named),
        since_ms=since_ms,
        pattern=pattern,
        overlap_ms=_OVERLAP_MS,
        pause=_pause,
    )
    try:
        for line in view.lines(entries):
            terminal.show(line)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _pause() -> None:
    import sys
    import time

    sys.stdout.flush()
    time.sleep(_POLL_SECONDS)
