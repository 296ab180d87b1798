"""Reserved concurrency: how many events of a function may run at once, set by operations and held to at every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.functions.model import Backing, FunctionVersion, InvokeOutcome, InvokeRequest
from treadle_local.functions.references import parse_unqualified
from treadle_local.functions.refusals import invalid
from treadle_local.functions.registry import Function, Registry

# Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
ACCOUNT_CONCURRENCY = 1_000
_MINIMUM_UNRESERVED = 100


class Concurrency:
    """Counts running events per function and refuses those above its reservation."""

    def __init__(self, registry: Registry, backing: Backing) -> None:
        self._registry = registry
        self._backing = backing
        self._running: Counter[str] = Counter()
        self.on_throttled: Callable[[str], None] = lambda _name: None

    async def run(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        """Runs the function once. Raises TooManyRequestsException above the function's reserved concurrency."""
        function = self._registry.functions.get(version.name)
        limit = function.reserved_concurrency if function is not None else None
        if limit is not None and self._running[version.name] >= limit:
            self.on_throttled(version.name)
            raise AwsError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                status=429,
                fields={"Type": "User", "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"},
            )
        self._running[version.name] += 1
        try:
            return await self._backing.invoke(version, payload, request)
        finally:
            self._running[version.name] -= 1

    @property
    def running(self) -> int:
        """How many events run now, of all functions."""
        return self._running.total()

    @property
    def unreserved(self) -> int:
        return ACCOUNT_CONCURRENCY - sum(
            function.reserved_concurrency or 0 for function in self._registry.functions.values()
        )

    def put(self, params: Params) -> Result:
        function = self._function(params)
        wanted: int = params["ReservedConcurrentExecutions"]
        if self.unreserved + (function.reserved_concurrency or 0) - wanted < _MINIMUM_UNRESERVED:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{_MINIMUM_UNRESERVED}]."
            )
        function.reserved_concurrency = wanted
        return {"ReservedConcurrentExecutions": wanted}

    def get(self, params: Params) -> Result:
        reserved = self._function(params).reserved_concurrency
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete(self, params: Params) -> Result:
        self._function(params).reserved_concurrency = None
        return {}

    def _function(self, params: Params) -> Function:
        return self._registry.find(parse_unqualified(params["FunctionName"], self._registry.region))
