"""API Gateway invokes a function: who lets it, and for how long it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from treadle_local.aws.errors import access_denied
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import Target
from treadle_local.functions.inspection import PATIENCE_SECONDS
from treadle_local.functions.model import InvokeOutcome, InvokeRequest
from treadle_local.functions.service import LambdaService
from treadle_local.gateway.routes import Integration

_PRINCIPAL = "apigateway.amazonaws.com"
_ACTION = "lambda:InvokeFunction"


class Invoker:
    """Invokes the functions behind integrations."""

    def __init__(self, functions: LambdaService, identity: Identity, is_inspected: Callable[[str], bool]) -> None:
        """`is_inspected` says of a function whether a debugger may hold it up."""
        self._is_inspected = is_inspected
        self._functions = functions
        self._identity = identity
        self._working: set[asyncio.Task[None]] = set()

    async def invoke(self, integration: Integration, payload: bytes, request_id: str) -> InvokeOutcome | None:
        """What the function made of it; None where it takes longer than the integration waits.

        The function goes on when API Gateway, or its client, has given up on it. Raises: what `run` raises.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[InvokeOutcome | None] = loop.create_future()

        async def run() -> None:
            try:
                outcome = await self.run(integration, payload, request_id)
            except Exception as problem:
                if answer.done():
                    raise
                answer.set_exception(problem)
            else:
                _settle(answer, outcome)
            finally:
                answer.cancel()  # where it has none: the emulator stops

        work = loop.create_task(run())
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        timer = loop.call_later(self.patience_seconds(integration), _settle, answer, None)
        try:
            return await answer
        finally:
            timer.cancel()

    def patience_seconds(self, integration: Integration) -> float:
        """How long a caller is kept waiting for an answer."""
        name = integration.function_arn.partition(":function:")[2].partition(":")[0]
        return PATIENCE_SECONDS if self._is_inspected(name) else integration.timeout_seconds

    async def run(self, integration: Integration, payload: bytes, request_id: str) -> InvokeOutcome:
        """What the function made of it, however long that takes.

        Raises: AwsError where the integration's role may not invoke it, or Lambda refuses.
        """
        if integration.credentials_role is not None:
            role = integration.credentials_role
            caller = self._identity.service_session(role, _PRINCIPAL, "BackplaneAssumeRoleSession")
            self._identity.authorize(caller, (Target(_ACTION, integration.function_arn),))
        version, invoked_arn = self._functions.resolve(integration.function_arn, None)
        return await self._functions.run(version, payload, InvokeRequest("RequestResponse", request_id, invoked_arn))

    def check_policy(self, integration: Integration, source_arn: str) -> None:
        """Returns when the function's own policy lets API Gateway in, which counts where no role does.

        Raises: AwsError AccessDeniedException.
        """
        if integration.credentials_role is not None:
            return
        document = self._functions.resource_policy(integration.function_arn)
        if not self._identity.admits(_PRINCIPAL, document, _ACTION, integration.function_arn, source_arn):
            raise access_denied(_PRINCIPAL, _ACTION, integration.function_arn, policy="resource-based policy")


def _settle(answer: asyncio.Future[InvokeOutcome | None], outcome: InvokeOutcome | None) -> None:
    if not answer.done():
        answer.set_result(outcome)
