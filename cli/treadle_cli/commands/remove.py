"""`treadle remove`: a stage off AWS."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from treadle_cli import terminal
from treadle_cli.aws_options import (
    DeployStage,
    Endpoint,
    Profile,
    Region,
    Yes,
    check_somebody_can_answer,
    check_stage,
    confirmed,
)
from treadle_cli.options import Folder, Json, Project, project_folder

if TYPE_CHECKING:
    from treadle_infra.deploy.account import Account
    from treadle_infra.deploy.happenings import Happening
    from treadle_infra.deploy.removal import NotRemoved, Removal, Removed


def remove(
    stage: DeployStage,
    folder: Folder = None,
    project: Project = None,
    yes: Yes = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Remove the tables that a production stage keeps, too.")
    ] = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: Json = False,
) -> None:
    """Take a stage off AWS.

    Shows what would go, with the messages and items in it, and asks. The tables of a production stage (`prod`) stay;
    the next deployment takes them back.

    Exit code 1 when something is left that should not be.
    """
    check_somebody_can_answer(yes=yes)
    check_stage(stage)
    chosen = project_folder(folder, project)

    from treadle_infra.deploy.account import AccountOptions, sign_in
    from treadle_infra.deploy.aws_errors import aws_errors
    from treadle_infra.discovery.project import read_settings

    app = read_settings(chosen, stage).app_name
    with aws_errors():
        account = sign_in(AccountOptions(profile, region, endpoint_url))
        _Removing(account, app, stage, yes=yes, as_json=as_json).run(deletes_data=delete_data)


class _Removing:
    def __init__(self, account: Account, app: str, stage: str, *, yes: bool, as_json: bool) -> None:
        from treadle.names import Names

        self._account = account
        self._app = app
        self._stage = stage
        self._stack_name = Names(app, stage).stack()
        self._yes = yes
        self._json = as_json
        self._on = terminal.wants_colour(sys.stderr)

    def run(self, *, deletes_data: bool) -> None:
        from treadle_infra.deploy.removal import Removed, prepare_removal

        removal = prepare_removal(
            self._account, self._app, self._stage, self._stack_name, deletes_data=deletes_data, tell=self._tell
        )
        self._show_plan(removal)
        if removal.is_empty:
            self._show_nothing(removal)
            return
        if not confirmed(f"Remove this from {self._account.id}?", yes=self._yes):
            terminal.say("Nothing was removed.")
            raise typer.Exit(1)
        outcome = self._carry_out(removal)
        if isinstance(outcome, Removed):
            self._show_removed(outcome)
        else:
            self._show_failure(outcome)
        if not isinstance(outcome, Removed) or outcome.leftovers:
            raise typer.Exit(1)

    def _carry_out(self, removal: Removal) -> Removed | NotRemoved:
        from treadle_cli.stack_lines import only_resources
        from treadle_cli.stack_progress import progress_view
        from treadle_infra.deploy.origins import origins_of
        from treadle_infra.deploy.removal import remove as carry_out

        origins = origins_of(removal.template)
        totals = Counter(
            origins[one.logical_id].step if one.logical_id in origins else None for one in removal.resources
        )
        try:
            if self._json or removal.stack is None:
                return carry_out(removal, self._tell)
            with progress_view(totals) as view:
                return carry_out(removal, only_resources(view.moved, view.note))
        except KeyboardInterrupt:
            from treadle_infra.deploy.stacks import look_command

            terminal.say("\nYou do not watch any more; AWS goes on with the removal. Run it again for the rest.")
            terminal.say(f"To look: {look_command(self._account, self._stack_name)}")
            raise typer.Exit(1) from None

    def _tell(self, happening: Happening) -> None:
        from treadle_cli.stack_json import happening_json
        from treadle_cli.stack_lines import preparation_text

        if self._json:
            terminal.show_json(happening_json(happening))
            return
        text = preparation_text(happening, on=self._on)
        if text is not None:
            terminal.say(text)

    def _show_plan(self, removal: Removal) -> None:
        from treadle_cli.removal_view import removal_json, removal_text

        if self._json:
            terminal.show_json(removal_json(removal))
        elif text := removal_text(removal, on=self._on):
            terminal.say(f"\n{text}\n")

    def _show_nothing(self, removal: Removal) -> None:
        if self._json:
            terminal.show_json({"event": "nothing-to-remove", "kept": [table.name for table in removal.kept]})
            return
        terminal.say(f"There is no stack {self._stack_name}: nothing to remove.")

    def _show_removed(self, outcome: Removed) -> None:
        from treadle_cli.removal_view import kept_text, leftovers_text

        if self._json:
            left = [{"type": one.type, "id": one.id} for one in outcome.leftovers]
            kept = [table.name for table in outcome.kept]
            seconds = round(outcome.seconds, 3)
            terminal.show_json({"event": "removed", "kept": kept, "leftovers": left, "seconds": seconds})
            return
        told = f"Removed {self._stack_name} in {outcome.seconds:.1f} s"
        terminal.say(f"\n{terminal.paint(told, 'green', bold=True, on=self._on)}")
        if outcome.kept:
            terminal.say("These tables are kept; --delete-data removes them, a deployment takes them back:")
            terminal.say(kept_text(outcome.kept, on=self._on))
        if outcome.leftovers:
            warning = "These carry the tags of this stage and are still there, outside of its stack:"
            terminal.say(terminal.paint(warning, "red", bold=True, on=self._on))
            terminal.show(leftovers_text(outcome.leftovers))

    def _show_failure(self, outcome: NotRemoved) -> None:
        from treadle_cli.failure_view import failure_json, show_failures

        if self._json:
            failures = [failure_json(failure) for failure in outcome.failures]
            terminal.show_json({"event": "failed", "status": outcome.status, "failures": failures})
            return
        terminal.say()
        show_failures("remove-failed", outcome.failures, on=self._on)
        told = f"Not removed to the end ({outcome.status}). Mend what AWS says, and run it again."
        terminal.say(terminal.paint(told, "red", bold=True, on=self._on))
