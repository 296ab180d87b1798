"""Commands that are promised and not there yet: refused by name instead of as a misspelling."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from treadle_infra.app.findings import TreadleError

PLANNED = frozenset({"cost", "diff"})


class Commands(TyperGroup):
    """The group of all commands."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Raises TreadleError `not-there-yet` for a command that is promised."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in PLANNED:
            raise TreadleError("not-there-yet", f"`treadle {cmd_name}` is not there yet")
        return found
