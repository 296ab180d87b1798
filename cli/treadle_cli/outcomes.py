"""What a direct run of a step came to, when it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from treadle_cli import terminal
from treadle_cli.stacks import readable_frames

if TYPE_CHECKING:
    from treadle_local.running import Outcome


def exit_on_error(outcome: Outcome, *, as_json: bool) -> None:
    """Returns where the run went well; else shows its error and ends the command with exit code 1."""
    if outcome.error is None:
        return
    if as_json:
        terminal.show_json({"error": outcome.error, "traceId": outcome.trace_id})
    else:
        error = f"{outcome.error.get('errorType', 'Error')}: {outcome.error.get('errorMessage', '')}"
        terminal.say("\n  ".join(terminal.visible_lines(error)))
        for line in readable_frames("".join(str(frame) for frame in outcome.error.get("stackTrace") or ())):
            terminal.say(f"  {terminal.visible(line)}")
        terminal.say(f"trace {outcome.trace_id}")
    raise typer.Exit(1)
