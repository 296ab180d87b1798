"""Assembly -> AWS: one stack, one change set; prepared, shown, and carried out when somebody says so."""

from __future__ import annotations

from dataclasses import dataclass

from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.addresses import Addresses, addresses_of
from treadle_infra.deploy.aftermath import NotDeployed, clean_up, delete_stack
from treadle_infra.deploy.aws_errors import aws_goes_on
from treadle_infra.deploy.bootstrap import artifact_bucket
from treadle_infra.deploy.change_sets import ChangeSet, Wanted, create_change_set, discard, execute
from treadle_infra.deploy.events import last_event_id
from treadle_infra.deploy.happenings import SignedIn, Tell, Working
from treadle_infra.deploy.losses import count_contents
from treadle_infra.deploy.origins import EMPTY, Template, origins_of
from treadle_infra.deploy.plan import Plan, build_plan
from treadle_infra.deploy.stacks import (
    Stack,
    check_ownership,
    check_updatable,
    find_stack,
    quiet_stack,
    resources_in,
    template_of,
)
from treadle_infra.deploy.submission import submit_template
from treadle_infra.deploy.tables import tables_to_take_back
from treadle_infra.deploy.upload import upload_artifacts
from treadle_infra.deploy.watching import Watch
from treadle_infra.synth.assembly import Assembly
from treadle_infra.synth.resources import ARTIFACT_BUCKET_PARAMETER


@dataclass(frozen=True, slots=True)
class Prepared:
    """A deployment that waits for a yes: the artifacts are there, the stack is as it was."""

    account: Account
    assembly: Assembly
    before: Template
    change_set: ChangeSet
    plan: Plan


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The stage is as the project says already."""

    addresses: Addresses


@dataclass(frozen=True, slots=True)
class Deployed:
    addresses: Addresses
    seconds: float


def prepare(account: Account, assembly: Assembly, tell: Tell) -> Prepared | Unchanged:
    """Uploads what is missing and asks CloudFormation what it would change.

    Raises TreadleError `stack-busy`, `stack-stuck`, `stack-not-ours`, `bootstrap-failed`, `template-refused`,
    `change-set-failed`, `stage-changed-meanwhile`.
    """
    client = account.cloudformation
    if len(assembly.stacks) > 1:
        raise TreadleError(
            "several-stacks-not-deployable",
            f"the app needs {len(assembly.stacks)} stacks, and `deploy` brings up one only so far",
            hint="`treadle synth` writes their templates, and `treadle dev` runs them; split the app to deploy it",
        )
    tell(signed_in(account, assembly.stack_name))
    stack = _usable_stack(account, assembly, tell)
    bucket = artifact_bucket(account, tell)
    tell(upload_artifacts(account, bucket, assembly))
    before: Template = template_of(client, stack) if stack is not None else EMPTY
    present = [resource.logical_id for resource in resources_in(client, stack)] if stack is not None else []
    back = tables_to_take_back(account, assembly.template, present, assembly.app, assembly.stage)
    tell(Working("asking CloudFormation what would change"))
    parameters = {ARTIFACT_BUCKET_PARAMETER: bucket} if assembly.template.get("Parameters") else {}
    wanted = Wanted(
        stack_name=assembly.stack_name,
        template=assembly.template,
        submission=submit_template(account, bucket, assembly.template),
        parameters=parameters,
        tags={"treadle:app": assembly.app, "treadle:stage": assembly.stage},
        exists=stack is not None,
        takes_back=bool(back),
    )
    change_set = create_change_set(account, wanted)
    if change_set is None:
        return Unchanged(addresses_of(account, assembly.stage, stack.outputs if stack is not None else {}))
    plan = build_plan(
        assembly.stack_name,
        change_set.changes,
        before,
        assembly.template,
        lambda resource_type, physical_id: count_contents(account, resource_type, physical_id),
    )
    return Prepared(account, assembly, before, change_set, plan)


def signed_in(account: Account, stack_name: str) -> SignedIn:
    """Where a stack is, and as whom."""
    return SignedIn(stack_name, account.id, account.region, account.identity_arn, account.endpoint_url)


def abandon(prepared: Prepared) -> None:
    """Forgets a deployment that nobody wants."""
    discard(prepared.account, prepared.change_set)


def carry_out(prepared: Prepared, tell: Tell) -> Deployed | NotDeployed:
    """Carries the change set out and waits for its end, a rollback's included.

    Raises TreadleError `stage-changed-meanwhile`.
    """
    account, stack_id = prepared.account, prepared.change_set.stack_id
    origins = {**origins_of(prepared.before), **origins_of(prepared.assembly.template)}
    watch = Watch(account, origins, {change.logical_id for change in prepared.plan.changes}, tell)
    after = last_event_id(account.cloudformation, stack_id)
    execute(account, prepared.change_set, prepared.assembly.stack_name)
    with aws_goes_on(prepared.assembly.stack_name):
        status = watch.until_the_end(stack_id, after)
        stack = find_stack(account.cloudformation, stack_id)
    if "ROLLBACK" in status or status.endswith("_FAILED") or stack is None:
        return clean_up(account, stack, status, watch, tell)
    return Deployed(addresses_of(account, prepared.assembly.stage, stack.outputs), watch.seconds)


def _usable_stack(account: Account, assembly: Assembly, tell: Tell) -> Stack | None:
    """The stack to update; None where there is none to begin with, or none any more."""
    stack = quiet_stack(account, assembly.stack_name, tell)
    if stack is None:
        return None
    check_ownership(stack, assembly.app, assembly.stage)
    if stack.is_in_review:
        return None  # somebody may be about to carry it out: it is not deleted, but shared
    if not stack.was_never_created:
        check_updatable(account, stack)
        return stack
    tell(Working(f"removing what an earlier attempt left: {stack.name} never came up ({stack.status})"))
    delete_stack(account, stack)
    left = find_stack(account.cloudformation, stack.id)
    if left is not None:
        check_updatable(account, left)
    return None
