"""CloudFormation's API over the engine, and the direct way in for `treadle dev`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.cloudformation import requests, responses
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.engine import Engine, Wanted
from treadle_local.cloudformation.errors import not_here, validation_error
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.stacks import UPDATABLE, Stack
from treadle_local.cloudformation.template import Template

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
_PAGE = 100
_NOTHING_TO_DO = "No updates are to be performed."
# Operations that concern a stack by the parameter `StackName`.
_ON_STACKS = frozenset(
    {
        "ContinueUpdateRollback",
        "CreateStack",
        "DeleteStack",
        "DescribeStackEvents",
        "DescribeStackResource",
        "DescribeStackResources",
        "DescribeStacks",
        "GetTemplate",
        "ListStackResources",
        "UpdateStack",
        "UpdateTerminationProtection",
    }
)
_ON_ALL = frozenset({"GetTemplateSummary", "ListStacks", "ValidateTemplate"})


class CloudFormation:
    """The service `cloudformation`. Create, update and delete answer at once and go on in the background."""

    def __init__(
        self,
        region: Region,
        clock: Clock,
        aws: Aws,
        on_event: Callable[[StackEvent], None] = lambda event: None,
    ) -> None:
        self._region = region
        self._aws = aws
        self._engine = Engine(region, clock, aws, on_event)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """Does one operation. Raises: AwsError; what AWS has and this service has not is refused by its name."""
        match operation:
            case "CreateStack":
                return self._create_stack(params)
            case "UpdateStack":
                return self._update_stack(params)
            case "DeleteStack":
                return self._delete_stack(params)
            case "ContinueUpdateRollback":
                return self._continue_update_rollback(params)
            case "UpdateTerminationProtection":
                return self._update_termination_protection(params)
            case "DescribeStacks":
                return self._describe_stacks(params)
            case "ListStacks":
                return self._list_stacks(params)
            case "DescribeStackEvents":
                return self._describe_stack_events(params)
            case "DescribeStackResources":
                return self._describe_stack_resources(params)
            case "DescribeStackResource":
                return self._describe_stack_resource(params)
            case "ListStackResources":
                return self._list_stack_resources(params)
            case "GetTemplate":
                return self._get_template(params)
            case "GetTemplateSummary":
                return self._get_template_summary(params)
            case "ValidateTemplate":
                return self._validate_template(params)
            case _:
                raise AwsError("UnknownOperationException", f"{operation} is not in Treadle's emulator yet")

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """`cloudformation:<Operation>` on the stack's ARN, or on everything for calls that name no stack."""
        action = f"cloudformation:{operation}"
        name = params.get("StackName")
        if operation not in _ON_STACKS | _ON_ALL or not isinstance(name, str):
            return (Target(action, "*"),)
        stack = self._engine.find(name)
        if stack is not None:
            return (Target(action, stack.id),)
        return (
            Target(action, name if name.startswith("arn:") else self._region.arn("cloudformation", f"stack/{name}/*")),
        )

    async def deploy(
        self,
        name: str,
        template: str | Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Stack:
        """The stack of this name after it was created or updated; its status tells whether that went well.

        A stack that can only be deleted (its creation was rolled back) is deleted first; one that is as wanted
        already is returned as it is. All capabilities are granted. Raises: AwsError for what CloudFormation refuses
        before it begins.
        """
        body = template if isinstance(template, str) else json.dumps(template)
        wanted = Wanted(
            template=requests.checked_template(body),
            parameters=parameters or {},
            tags=tags or {},
            capabilities=("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
        )
        stack = self._engine.find(name)
        if stack is not None:
            await self._engine.settled(stack)
            if stack.status in UPDATABLE:
                try:
                    return await self._engine.settled(self._engine.update(stack, wanted))
                except AwsError as error:
                    if error.message == _NOTHING_TO_DO:
                        return stack
                    raise
            if not stack.is_deleted:
                self._engine.delete(stack)
                await self._engine.settled(stack)
        return await self._engine.settled(self._engine.create(name, wanted))

    async def remove(self, name: str) -> Stack | None:
        """The stack of this name after its deletion, or None where there is none. Raises: AwsError."""
        stack = self._engine.find(name)
        if stack is not None:
            await self._engine.settled(stack)
            self._engine.delete(stack)
            await self._engine.settled(stack)
        return stack

    async def settled(self, name: str) -> Stack | None:
        """The stack of this name, once nothing works on it any more; None where there is none."""
        stack = self._engine.find(name)
        return None if stack is None else await self._engine.settled(stack)

    async def stop(self) -> None:
        """Ends what is going on; no task is left."""
        await self._engine.stop()

    async def _create_stack(self, params: Params) -> Result:
        requests.refuse_unsupported(params, "CreateStack")
        name = requests.required(params, "StackName")
        stack = self._engine.create(
            name,
            await self._wanted(params, None),
            on_failure=requests.on_failure(params),
            termination_protection=bool(params.get("EnableTerminationProtection")),
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
        )
        return {"StackId": stack.id}

    async def _update_stack(self, params: Params) -> Result:
        requests.refuse_unsupported(params, "UpdateStack")
        for name in ("DisableRollback", "RetainExceptOnCreate"):
            if params.get(name):
                raise not_here(f"UpdateStack with {name}")
        stack = self._stack(params, "Stack [{}] does not exist")
        self._engine.update(stack, await self._wanted(params, stack))
        return {"StackId": stack.id}

    def _delete_stack(self, params: Params) -> Result:
        for name in ("DeletionMode", "DeploymentConfig", "RoleARN"):
            if params.get(name):
                raise not_here(f"DeleteStack with {name}")
        stack = self._engine.find(requests.required(params, "StackName"))
        if stack is not None:
            retain: Sequence[str] = params.get("RetainResources") or ()
            self._engine.delete(stack, retain=retain, token=params.get("ClientRequestToken"))
        return {}

    def _continue_update_rollback(self, params: Params) -> Result:
        for name in ("ForceRollback", "RoleARN"):
            if params.get(name):
                raise not_here(f"ContinueUpdateRollback with {name}")
        stack = self._stack(params, "Stack [{}] does not exist")
        self._engine.continue_rollback(
            stack, skip=params.get("ResourcesToSkip") or (), token=params.get("ClientRequestToken")
        )
        return {}

    def _update_termination_protection(self, params: Params) -> Result:
        stack = self._stack(params, "Stack [{}] does not exist")
        stack.termination_protection = bool(params.get("EnableTerminationProtection"))
        return {"StackId": stack.id}

    def _describe_stacks(self, params: Params) -> Result:
        if params.get("StackName"):
            return {"Stacks": [responses.stack(self._stack(params, "Stack with id {} does not exist"))]}
        return _paged("Stacks", [responses.stack(each) for each in self._engine if not each.is_deleted], params)

    def _list_stacks(self, params: Params) -> Result:
        statuses: Sequence[str] = params.get("StackStatusFilter") or ()
        found = [responses.summary(each) for each in self._engine if not statuses or each.status in statuses]
        return _paged("StackSummaries", found, params)

    def _describe_stack_events(self, params: Params) -> Result:
        stack = self._stack(params, "Stack [{}] does not exist")
        newest_first = stack.events[::-1]
        page = _paged("StackEvents", newest_first, params)
        return page | {"StackEvents": [responses.event(each) for each in page["StackEvents"]]}

    def _describe_stack_resources(self, params: Params) -> Result:
        physical_id, logical_id = params.get("PhysicalResourceId"), params.get("LogicalResourceId")
        if physical_id is not None and not params.get("StackName"):
            owners = [each for each in self._engine if not each.is_deleted and _has(each, physical_id)]
            if not owners:
                raise validation_error(f"Stack for {physical_id} does not exist")
            stack = owners[0]
        else:
            stack = self._stack(params, "Stack with id {} does not exist")
        records = [
            record
            for record in stack.resources.values()
            if logical_id in (None, record.logical_id) and physical_id in (None, record.physical_id)
        ]
        if logical_id is not None and not records:
            raise _no_resource(stack, logical_id)
        return {"StackResources": [responses.resource(stack, record) for record in records[:_PAGE]]}

    def _describe_stack_resource(self, params: Params) -> Result:
        stack = self._stack(params, "Stack '{}' does not exist")
        logical_id = requests.required(params, "LogicalResourceId")
        record = stack.resources.get(logical_id)
        if record is None:
            raise _no_resource(stack, logical_id)
        return {"StackResourceDetail": responses.resource_detail(stack, record)}

    def _list_stack_resources(self, params: Params) -> Result:
        stack = self._stack(params, "Stack with id {} does not exist")
        found = [responses.resource_summary(record) for record in stack.resources.values()]
        return _paged("StackResourceSummaries", found, params)

    def _get_template(self, params: Params) -> Result:
        if params.get("ChangeSetName"):
            raise not_here("GetTemplate with ChangeSetName")
        if params.get("TemplateStage") == "Processed":
            raise not_here("GetTemplate with TemplateStage Processed")
        stack = self._stack(params, "Stack with id {} does not exist")
        return {"TemplateBody": stack.deployment.template.body, "StagesAvailable": ["Original"]}

    async def _get_template_summary(self, params: Params) -> Result:
        for name in ("StackSetName", "TemplateSummaryConfig"):
            if params.get(name):
                raise not_here(f"GetTemplateSummary with {name}")
        if params.get("StackName"):
            stack = self._stack(params, "Stack with id {} does not exist")
            return responses.template_summary(stack.deployment.template)
        return responses.template_summary(await requests.template(params, self._aws))

    async def _validate_template(self, params: Params) -> Result:
        return responses.validation(await requests.template(params, self._aws))

    async def _wanted(self, params: Params, stack: Stack | None) -> Wanted:
        template: Template = await requests.template(params, self._aws, stack)
        capabilities = requests.check_capabilities(template, params)
        given = requests.tags(params) if stack is None or "Tags" in params else dict(stack.deployment.tags)
        return Wanted(
            template=template,
            parameters=requests.parameters(params, stack),
            tags=given,
            capabilities=capabilities,
            token=params.get("ClientRequestToken"),
        )

    def _stack(self, params: Params, absent: str) -> Stack:
        """The stack that a call names. Raises: ValidationError with the text `absent`, which holds `{}`."""
        name = requests.required(params, "StackName")
        stack = self._engine.find(name)
        if stack is None:
            raise validation_error(absent.format(name))
        return stack


def _has(stack: Stack, physical_id: str) -> bool:
    return any(record.physical_id == physical_id for record in stack.resources.values())


def _no_resource(stack: Stack, logical_id: str) -> AwsError:
    return validation_error(f"Resource {logical_id} does not exist for stack {stack.name}")


def _paged(member: str, found: Sequence[Any], params: Params) -> Result:
    """One page of a list; the token is the number of the first item of the next."""
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise validation_error("Invalid NextToken")
    start = int(token)
    page = {member: list(found[start : start + _PAGE])}
    return page | ({"NextToken": str(start + _PAGE)} if start + _PAGE < len(found) else {})
