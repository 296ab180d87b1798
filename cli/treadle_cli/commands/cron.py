"""`treadle cron`: when steps run on a schedule, and to run one now."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Json, ObservedStage, Project, observed_project
from treadle_cli.outcomes import exit_on_error

app = typer.Typer(help="List the schedules of cron steps, or run such a step now.", no_args_is_help=True)

_FIRINGS = 3


@app.command("list")
def list_schedules(stage: ObservedStage = "dev", project: Project = None, as_json: Json = False) -> None:
    """List when each cron step runs next.

    Its next three times, in UTC and in its own timezone, by the running emulator's clock.
    """
    from datetime import UTC, datetime

    from treadle_cli.moments import length, moment

    running = observed_project(project, stage)
    now = datetime.fromtimestamp(running.now(), UTC)
    planned = [(schedule, schedule.next_firings(now, _FIRINGS)) for schedule in running.schedules()]
    if as_json:
        shown = [
            {
                "step": schedule.step,
                "number": schedule.number,
                "name": schedule.name,
                "expression": schedule.expression,
                "timezone": schedule.timezone,
                "next": [firing.astimezone(UTC).isoformat().replace("+00:00", "Z") for firing in firings],
            }
            for schedule, firings in planned
        ]
        terminal.show_json({"schedules": shown})
        return
    if not planned:
        terminal.say("no step has a schedule")
    on = terminal.wants_colour()
    for schedule, firings in planned:
        number = f" ({schedule.number})" if schedule.number > 1 else ""
        zone = f"  {schedule.timezone}" if schedule.timezone else ""
        step = terminal.paint(schedule.step, "cyan", bold=True, on=on)
        terminal.show(f"{step}{number}  {schedule.expression}{zone}")
        for firing in firings:
            own = f"   {moment(firing, schedule.timezone)}" if schedule.timezone else ""
            wait = terminal.paint(f"   in {length((firing - now).total_seconds() * 1000)}", dim=True, on=on)
            terminal.show(f"  {moment(firing)}{own}{wait}")
        if not firings:
            terminal.show(f"  {terminal.paint('never again', 'yellow', on=on)}")


@app.command("run")
def run(
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step's name.")],
    number: Annotated[
        int, typer.Option("--schedule", metavar="N", min=1, help="Which of its schedules, where it has several.")
    ] = 1,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Run a cron step now, whatever the day, as its schedule would.

    In the running emulator. It is not retried; an error of the handler is printed and gives exit code 1.
    """
    running = observed_project(project, "dev")
    schedule = running.schedule(step, number)
    outcome = running.run_schedule(schedule)
    exit_on_error(outcome, as_json=as_json)
    if as_json:
        told = {"step": step, "schedule": schedule.name, "result": outcome.result, "traceId": outcome.trace_id}
        terminal.show_json(told)
    else:
        terminal.say(f"{step}  {outcome.result}")
        terminal.show(str(outcome.trace_id))
