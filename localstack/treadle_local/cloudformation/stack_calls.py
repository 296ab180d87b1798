"""The calls of CloudFormation's API that change stacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from treadle_local.aws.service import Params, Result
from treadle_local.cloudformation import requests
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.engine import Engine, Manner
from treadle_local.cloudformation.errors import validation_error
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.stacks import Stack

_NO_STACK = "Stack [{}] does not exist"


class StackCalls:
    """Operations by name, each a function of its parameters. They answer at once; the work goes on."""

    def __init__(self, engine: Engine, aws: Aws) -> None:
        self._engine = engine
        self._aws = aws
        self.operations: Mapping[str, Callable[[Params], Result | Awaitable[Result]]] = MappingProxyType(
            {
                "CreateStack": self._create,
                "UpdateStack": self._update,
                "DeleteStack": self._delete,
                "CancelUpdateStack": self._cancel_update,
                "ContinueUpdateRollback": self._continue_update_rollback,
                "RollbackStack": self._roll_back,
                "UpdateTerminationProtection": self._update_termination_protection,
            }
        )

    async def _create(self, params: Params) -> Result:
        requests.refuse_unsupported(params, "CreateStack")
        name = requests.required(params, "StackName")
        manner = Manner(
            token=requests.token(params),
            on_failure=requests.on_failure(params),
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
        )
        wanted = await requests.wanted(params, self._aws, None)
        protected = bool(params.get("EnableTerminationProtection"))
        return _begun(self._engine.create(name, wanted, manner, termination_protection=protected))

    async def _update(self, params: Params) -> Result:
        requests.refuse_unsupported(params, "UpdateStack")
        stack = requests.stack_of(self._engine, params, _NO_STACK)
        disable = bool(params.get("DisableRollback"))
        manner = Manner(
            token=requests.token(params),
            on_failure=OnFailure.DO_NOTHING if disable else OnFailure.ROLLBACK,
            disable_rollback=disable,
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
        )
        return _begun(self._engine.update(stack, await requests.wanted(params, self._aws, stack), manner))

    def _delete(self, params: Params) -> Result:
        requests.refuse(params, "DeleteStack", "DeletionMode", "DeploymentConfig", "RoleARN")
        stack = self._engine.find(requests.required(params, "StackName"))
        if stack is not None:
            retain: Sequence[str] = params.get("RetainResources") or ()
            self._engine.delete(stack, retain=retain, token=requests.token(params))
        return {}

    def _cancel_update(self, params: Params) -> Result:
        self._engine.cancel_update(requests.stack_of(self._engine, params, _NO_STACK), requests.token(params))
        return {}

    def _continue_update_rollback(self, params: Params) -> Result:
        requests.refuse(params, "ContinueUpdateRollback", "RoleARN")
        stack = requests.stack_of(self._engine, params, _NO_STACK)
        skip: Sequence[str] = params.get("ResourcesToSkip") or ()
        force = bool(params.get("ForceRollback"))
        if force and skip:
            raise validation_error("You can specify either ForceRollback or ResourcesToSkip, but not both.")
        self._engine.continue_rollback(stack, skip=skip, force=force, token=requests.token(params))
        return {}

    def _roll_back(self, params: Params) -> Result:
        requests.refuse(params, "RollbackStack", "DeploymentConfig", "RoleARN")
        stack = requests.stack_of(self._engine, params, _NO_STACK)
        retain = bool(params.get("RetainExceptOnCreate"))
        operation = self._engine.roll_back(stack, Manner(requests.token(params), retain_except_on_create=retain))
        return {"StackId": stack.id, "OperationId": operation.id}

    def _update_termination_protection(self, params: Params) -> Result:
        stack = requests.stack_of(self._engine, params, _NO_STACK)
        stack.termination_protection = bool(params.get("EnableTerminationProtection"))
        return {"StackId": stack.id}


def _begun(stack: Stack) -> Result:
    return {"StackId": stack.id, "OperationId": stack.operations[-1].id}
