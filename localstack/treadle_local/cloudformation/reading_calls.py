"""The calls of CloudFormation's API that only read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.cloudformation import requests, responses
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.change_sets import ChangeSet
from treadle_local.cloudformation.engine import Engine
from treadle_local.cloudformation.errors import validation_error
from treadle_local.cloudformation.operation_events import operation_events
from treadle_local.cloudformation.pages import PAGE, paged
from treadle_local.cloudformation.stacks import Stack
from treadle_local.cloudformation.template import Template

_NO_STACK = "Stack [{}] does not exist"
_NO_STACK_WITH_ID = "Stack with id {} does not exist"


class ReadingCalls:
    """Operations by name, each a function of its parameters; `change_set` finds the one that a call names."""

    def __init__(self, engine: Engine, aws: Aws, change_set: Callable[[Params], ChangeSet]) -> None:
        self._engine = engine
        self._aws = aws
        self._change_set = change_set
        self.operations: Mapping[str, Callable[[Params], Result | Awaitable[Result]]] = MappingProxyType(
            {
                "DescribeEvents": self._describe_events,
                "DescribeStackEvents": self._describe_stack_events,
                "DescribeStackResource": self._describe_stack_resource,
                "DescribeStackResources": self._describe_stack_resources,
                "DescribeStacks": self._describe_stacks,
                "GetTemplate": self._get_template,
                "GetTemplateSummary": self._get_template_summary,
                "ListExports": self._list_exports,
                "ListImports": self._list_imports,
                "ListStackResources": self._list_stack_resources,
                "ListStacks": self._list_stacks,
                "ValidateTemplate": self._validate_template,
            }
        )

    def _describe_stacks(self, params: Params) -> Result:
        if params.get("StackName"):
            return {"Stacks": [responses.stack(self._stack(params, _NO_STACK_WITH_ID))]}
        return paged("Stacks", [responses.stack(each) for each in self._engine if not each.is_deleted], params)

    def _list_stacks(self, params: Params) -> Result:
        statuses: Sequence[str] = params.get("StackStatusFilter") or ()
        found = [responses.summary(each) for each in self._engine if not statuses or each.status in statuses]
        return paged("StackSummaries", found, params)

    def _describe_stack_events(self, params: Params) -> Result:
        stack = self._stack(params, _NO_STACK)
        page = paged("StackEvents", stack.events[::-1], params)
        return page | {"StackEvents": [responses.event(each) for each in page["StackEvents"]]}

    def _describe_events(self, params: Params) -> Result:
        filters: Mapping[str, bool] = params.get("Filters") or {}
        failed_only = bool(filters.get("FailedEvents"))
        operation_id = params.get("OperationId")
        if params.get("ChangeSetName"):
            chosen = self._change_set(params)
            operations = [] if chosen.execution is None else [chosen.execution]
            return paged("OperationEvents", operation_events(chosen.stack, operations, failed_only=failed_only), params)
        if params.get("StackName"):
            stack = self._stack(params, _NO_STACK)
        elif operation_id is not None:
            stack = self._stack_of_operation(operation_id)
        else:
            raise validation_error("One of ChangeSetName, OperationId or StackName must be specified as input")
        operations = [each for each in stack.operations if operation_id in (None, each.id)]
        return paged("OperationEvents", operation_events(stack, operations, failed_only=failed_only), params)

    def _stack_of_operation(self, operation_id: str) -> Stack:
        for stack in self._engine:
            if any(each.id == operation_id for each in stack.operations):
                return stack
        raise validation_error(f"Operation [{operation_id}] does not exist")

    def _describe_stack_resources(self, params: Params) -> Result:
        physical_id, logical_id = params.get("PhysicalResourceId"), params.get("LogicalResourceId")
        if physical_id is not None and not params.get("StackName"):
            owners = [each for each in self._engine if not each.is_deleted and _has(each, physical_id)]
            if not owners:
                raise validation_error(f"Stack for {physical_id} does not exist")
            stack = owners[0]
        else:
            stack = self._stack(params, _NO_STACK_WITH_ID)
        records = [
            record
            for record in stack.resources.values()
            if logical_id in (None, record.logical_id) and physical_id in (None, record.physical_id)
        ]
        if logical_id is not None and not records:
            raise _no_resource(stack, logical_id)
        return {"StackResources": [responses.resource(stack, record) for record in records[:PAGE]]}

    def _describe_stack_resource(self, params: Params) -> Result:
        stack = self._stack(params, "Stack '{}' does not exist")
        logical_id = requests.required(params, "LogicalResourceId")
        record = stack.resources.get(logical_id)
        if record is None:
            raise _no_resource(stack, logical_id)
        return {"StackResourceDetail": responses.resource_detail(stack, record)}

    def _list_stack_resources(self, params: Params) -> Result:
        stack = self._stack(params, _NO_STACK_WITH_ID)
        found = [responses.resource_summary(record) for record in stack.resources.values()]
        return paged("StackResourceSummaries", found, params)

    def _get_template(self, params: Params) -> Result:
        if params.get("ChangeSetName"):
            template = self._change_set(params).deployment.template
        else:
            template = self._stack(params, _NO_STACK_WITH_ID).deployment.template
        # The one transform that is known is applied while resources are made: both stages show the same text.
        return {"TemplateBody": template.body, "StagesAvailable": ["Original", "Processed"]}

    async def _get_template_summary(self, params: Params) -> Result:
        requests.refuse(params, "GetTemplateSummary", "StackSetName", "TemplateSummaryConfig")
        if params.get("StackName"):
            return responses.template_summary(self._stack(params, _NO_STACK_WITH_ID).deployment.template)
        return responses.template_summary(await self._template(params))

    async def _validate_template(self, params: Params) -> Result:
        return responses.validation(await self._template(params))

    def _list_exports(self, params: Params) -> Result:
        found = [
            {"ExportingStackId": stack.id, "Name": name, "Value": value}
            for stack in self._engine
            if not stack.is_deleted
            for name, value in stack.exports.items()
        ]
        return paged("Exports", sorted(found, key=lambda each: each["Name"]), params)

    def _list_imports(self, params: Params) -> Result:
        name = requests.required(params, "ExportName")
        exports = self._engine.exports()
        if name not in exports.owners:
            raise validation_error(f"No export named {name} found.")
        importers = exports.importers.get(name, ())
        if not importers:
            raise validation_error(f"Export '{name}' is not imported by any stack.")
        return paged("Imports", importers, params)

    async def _template(self, params: Params) -> Template:
        return await requests.template(params, self._aws)

    def _stack(self, params: Params, absent: str) -> Stack:
        return requests.stack_of(self._engine, params, absent)


def _has(stack: Stack, physical_id: str) -> bool:
    return any(record.physical_id == physical_id for record in stack.resources.values())


def _no_resource(stack: Stack, logical_id: str) -> AwsError:
    return validation_error(f"Resource {logical_id} does not exist for stack {stack.name}")
