"""The calls of CloudFormation's API that are about change sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.cloudformation import change_set_responses, requests
from treadle_local.cloudformation.adoption import Adoption
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.change_sets import ChangeSet, ChangeSets, ChangeSetType, Proposal
from treadle_local.cloudformation.engine import Engine, Manner
from treadle_local.cloudformation.errors import validation_error
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.pages import paged
from treadle_local.cloudformation.stacks import Stack

# Parameters of CreateChangeSet that this engine would have to ignore.
_ELSEWHERE = ("DeploymentMode", "IncludeNestedStacks")


class ChangeSetCalls:
    """Operations by name, each a function of its parameters."""

    def __init__(self, engine: Engine, change_sets: ChangeSets, aws: Aws) -> None:
        self._engine = engine
        self._change_sets = change_sets
        self._aws = aws
        self.operations: Mapping[str, Callable[[Params], Result | Awaitable[Result]]] = MappingProxyType(
            {
                "CreateChangeSet": self._create,
                "DescribeChangeSet": self._describe,
                "ExecuteChangeSet": self._execute,
                "DeleteChangeSet": self._delete,
                "ListChangeSets": self._list,
            }
        )

    def named(self, params: Params) -> ChangeSet:
        """The change set that a call names, by its id or by its name and stack.

        Raises: ChangeSetNotFound, ValidationError.
        """
        name = requests.required(params, "ChangeSetName")
        found = self._find(params, name)
        if found is None:
            raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)
        return found

    def _find(self, params: Params, name: str) -> ChangeSet | None:
        if name.startswith("arn:"):
            return self._change_sets.find(name, None)
        if not params.get("StackName"):
            raise validation_error("StackName must be specified if ChangeSetName is not specified as an ARN.")
        return self._change_sets.find(name, self._stack(params))

    async def _create(self, params: Params) -> Result:
        requests.refuse_unsupported(params, "CreateChangeSet")
        requests.refuse(params, "CreateChangeSet", *_ELSEWHERE)
        stack_name = requests.required(params, "StackName")
        kind = requests.member_of(ChangeSetType, params, "ChangeSetType") or ChangeSetType.UPDATE
        on_failure = requests.member_of(OnFailure, params, "OnStackFailure")
        if on_failure is OnFailure.DELETE and kind is not ChangeSetType.CREATE:
            raise validation_error("OnStackFailure DELETE is only valid for change sets of the type CREATE")
        to_import = _to_import(params)
        if bool(to_import) is not (kind is ChangeSetType.IMPORT):
            raise validation_error(
                "ResourcesToImport must be given for change sets of the type IMPORT, and for no other"
            )
        stack = self._engine.find(stack_name)
        proposal = Proposal(
            name=requests.change_set_name(params),
            type=kind,
            wanted=await requests.wanted(params, self._aws, None if stack is None or stack.in_review else stack),
            description=params.get("Description"),
            token=params.get("ClientToken"),
            on_failure=on_failure,
            import_existing=bool(params.get("ImportExistingResources")),
            to_import=to_import,
        )
        made = self._change_sets.create(stack_name, proposal)
        return {"Id": made.id, "StackId": made.stack.id}

    def _describe(self, params: Params) -> Result:
        described = self.named(params)
        with_values = bool(params.get("IncludePropertyValues"))
        page = paged("Changes", described.changes, params)
        shown = [change_set_responses.change(each, with_values=with_values) for each in page["Changes"]]
        return change_set_responses.description(described) | page | {"Changes": shown}

    def _execute(self, params: Params) -> Result:
        chosen = self.named(params)
        decided, disable = chosen.proposal.on_failure, params.get("DisableRollback")
        if decided is not None and disable is not None:
            raise validation_error(
                "You can specify either DisableRollback for the execution or OnStackFailure for the change set, "
                "but not both."
            )
        on_failure = decided or (OnFailure.DO_NOTHING if disable else OnFailure.ROLLBACK)
        manner = Manner(
            token=requests.token(params),
            on_failure=on_failure,
            disable_rollback=on_failure is OnFailure.DO_NOTHING,
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
        )
        self._change_sets.execute(chosen, manner)
        return {}

    def _delete(self, params: Params) -> Result:
        chosen = self._find(params, requests.required(params, "ChangeSetName"))
        if chosen is not None:
            self._change_sets.delete(chosen)
        return {}

    def _list(self, params: Params) -> Result:
        found = self._change_sets.of(self._stack(params))
        return paged("Summaries", [change_set_responses.summary(each) for each in found], params)

    def _stack(self, params: Params) -> Stack:
        return requests.stack_of(self._engine, params, "Stack [{}] does not exist")


def _to_import(params: Params) -> tuple[Adoption, ...]:
    entries: list[dict[str, Any]] = params.get("ResourcesToImport") or []
    return tuple(
        Adoption(each["LogicalResourceId"], each["ResourceType"], each["ResourceIdentifier"]) for each in entries
    )
