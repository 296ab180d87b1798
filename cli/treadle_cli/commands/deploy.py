"""`treadle deploy`: the project to AWS."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING

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
    target_for,
)
from treadle_cli.options import Folder, Json, PackageTarget, Project, project_folder

if TYPE_CHECKING:
    from pathlib import Path

    from treadle_infra.compile import Compilation
    from treadle_infra.deploy.account import Account
    from treadle_infra.deploy.addresses import Addresses
    from treadle_infra.deploy.aftermath import NotDeployed
    from treadle_infra.deploy.deployment import Deployed, Prepared
    from treadle_infra.deploy.happenings import Happening
    from treadle_infra.packages.platforms import Target
    from treadle_infra.synth.assembly import Assembly


def deploy(
    stage: DeployStage,
    folder: Folder = None,
    project: Project = None,
    yes: Yes = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    target: PackageTarget = None,
    as_json: Json = False,
) -> None:
    """Bring the project to AWS.

    Shows what would change, in resources and in permissions, and asks; then shows how it goes. A deployment that fails
    is rolled back. Prints where the stage answers.

    Deploying the same again changes nothing.
    """
    check_somebody_can_answer(yes=yes)
    check_stage(stage)
    chosen = project_folder(folder, project)

    from treadle_infra.deploy.account import AccountOptions, sign_in
    from treadle_infra.deploy.aws_errors import aws_errors
    from treadle_infra.deploy.secrets import check_secrets

    options = AccountOptions(profile, region, endpoint_url)
    compilation, assembly = _compiled(chosen, stage, target_for(target, endpoint_url))
    with aws_errors():
        account = sign_in(options)
        check_secrets(account, compilation.app.name, stage, compilation.app.secrets)
        _Deploying(account, assembly, yes=yes, as_json=as_json).run()


def _compiled(project: Path, stage: str, target: Target) -> tuple[Compilation, Assembly]:
    from treadle_cli.sizes import untried_line
    from treadle_infra.app.findings import FindingsError, TreadleError, has_errors
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    options = dataclasses.replace(usual_options(project, target, stage), proves=True)
    compilation = compile_project(project, stage, options)
    if has_errors(compilation.findings):
        raise FindingsError(compilation.findings)
    if compilation.findings:
        terminal.show_findings(compilation.findings)
    if compilation.assembly is None:
        hint = "`treadle new NAME` makes a project; `treadle remove` takes a stage off AWS"
        raise TreadleError("nothing-to-deploy", f"{project} has no step", hint=hint)
    if compilation.untried:
        terminal.say(untried_line(compilation))
    return compilation, compilation.assembly


class _Deploying:
    def __init__(self, account: Account, assembly: Assembly, *, yes: bool, as_json: bool) -> None:
        self._account = account
        self._assembly = assembly
        self._yes = yes
        self._json = as_json
        self._on = terminal.wants_colour(sys.stderr)

    def run(self) -> None:
        from treadle_infra.deploy.deployment import Unchanged, abandon, prepare

        try:
            prepared = prepare(self._account, self._assembly, self._tell)
        except KeyboardInterrupt:
            terminal.say("\nStopped. Nothing was changed.")
            raise typer.Exit(1) from None
        if isinstance(prepared, Unchanged):
            self._show_unchanged(prepared.addresses)
            return
        self._show_plan(prepared)
        if not confirmed(f"Deploy this to {self._assembly.stack_name}?", yes=self._yes):
            abandon(prepared)
            terminal.say("Nothing was changed.")
            raise typer.Exit(1)
        self._carry_out(prepared)

    def _carry_out(self, prepared: Prepared) -> None:
        from treadle_cli.stack_lines import only_resources
        from treadle_cli.stack_progress import progress_view
        from treadle_infra.deploy.deployment import Deployed, carry_out

        try:
            if self._json:
                outcome = carry_out(prepared, self._tell)
            else:
                totals = Counter(change.origin.step for change in prepared.plan.changes)
                with progress_view(totals) as view:
                    outcome = carry_out(prepared, only_resources(view.moved, view.note))
        except KeyboardInterrupt:
            self._say_it_goes_on(prepared)
            raise typer.Exit(1) from None
        if isinstance(outcome, Deployed):
            self._show_deployed(outcome)
        else:
            self._show_failure(prepared, outcome)
            raise typer.Exit(1)

    def _tell(self, happening: Happening) -> None:
        if self._json:
            from treadle_cli.stack_json import happening_json

            terminal.show_json(happening_json(happening))
            return
        from treadle_cli.stack_lines import preparation_text

        text = preparation_text(happening, on=self._on)
        if text is not None:
            terminal.say(text)

    def _show_plan(self, prepared: Prepared) -> None:
        if self._json:
            from treadle_cli.stack_json import plan_json

            terminal.show_json(plan_json(prepared.plan))
            return
        from treadle_cli.plan_view import plan_text

        terminal.say(f"\n{plan_text(prepared.plan, on=self._on)}\n")

    def _show_unchanged(self, addresses: Addresses) -> None:
        if self._json:
            terminal.show_json({"event": "unchanged", **_addresses_json(addresses)})
            return
        terminal.say(f"Nothing to change: {self._assembly.stack_name} is as the project says.")
        self._show_addresses(addresses)

    def _show_deployed(self, outcome: Deployed) -> None:
        seconds = round(outcome.seconds, 3)
        if self._json:
            terminal.show_json({"event": "deployed", "seconds": seconds, **_addresses_json(outcome.addresses)})
            return
        told = f"Deployed {self._assembly.stack_name} in {outcome.seconds:.1f} s"
        terminal.say(f"\n{terminal.paint(told, 'green', bold=True, on=self._on)}")
        self._show_addresses(outcome.addresses)

    def _show_addresses(self, addresses: Addresses) -> None:
        if addresses.http_url is not None:
            terminal.show(f"HTTP       {addresses.http_url}")
        if addresses.websocket_url is not None:
            terminal.show(f"WebSocket  {addresses.websocket_url}")

    def _show_failure(self, prepared: Prepared, outcome: NotDeployed) -> None:
        from treadle_cli.failure_view import failure_json, show_failures

        if self._json:
            failures = [failure_json(failure) for failure in outcome.failures]
            seconds = round(outcome.seconds, 3)
            told = {"event": "failed", "status": outcome.status, "failures": failures, "kept": list(outcome.kept)}
            terminal.show_json({**told, "seconds": seconds})
            return
        terminal.say()
        show_failures("deploy-failed", outcome.failures, on=self._on)
        terminal.say(terminal.paint(self._state_after(prepared, outcome), "red", bold=True, on=self._on))
        for table in outcome.kept:
            terminal.say(f"The table {table} is kept, since something is in it; the next deployment takes it back.")

    def _state_after(self, prepared: Prepared, outcome: NotDeployed) -> str:
        took = f"after {outcome.seconds:.1f} s"
        if outcome.is_stuck:
            from treadle_infra.deploy.stacks import look_command

            look = look_command(self._account, self._assembly.stack_name)
            return f"Not deployed, and the rollback failed too ({outcome.status}) {took}. To look: {look}"
        if prepared.plan.is_new:
            return f"Not deployed: what had been made is removed again, {took}."
        return f"Not deployed: everything is as it was before, {took}."

    def _say_it_goes_on(self, prepared: Prepared) -> None:
        from treadle_infra.deploy.stacks import cancel_command, look_command

        name = self._assembly.stack_name
        terminal.say("\nYou do not watch any more; AWS goes on with the deployment, or undoes it should it fail.")
        terminal.say("The next `treadle deploy` or `treadle remove` waits for the end of that.")
        terminal.say(f"To look: {look_command(self._account, name)}")
        if not prepared.plan.is_new:
            terminal.say(f"To undo: {cancel_command(self._account, name)}")


def _addresses_json(addresses: Addresses) -> dict[str, object]:
    return {"http": addresses.http_url, "ws": addresses.websocket_url, "outputs": dict(addresses.others)}
