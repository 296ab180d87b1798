"""All AWS services of the emulator under one call: ours where we have one, else moto's; and whom changes wake."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import ROOT, Caller, Params, Result, Service, Target

_READS = ("Get", "List", "Describe", "Filter", "Head")


class Services:
    """Dispatch by AWS's own names; `call` is how the emulator's parts talk to one another."""

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        self.own: dict[str, Service] = {}
        self._changed: dict[str, list[Callable[[str, Params], None]]] = {}

    def on_change(self, service: str, callback: Callable[[str, Params], None]) -> None:
        """Calls back, with operation and parameters, after what may have changed something in a service of moto's."""
        self._changed.setdefault(service, []).append(callback)

    def find(self, service: str, operation: str) -> Service | None:
        """Our own service for an operation; None where moto keeps it."""
        return self.own.get(service)

    async def call(self, service: str, operation: str, params: Params, caller: Caller = ROOT) -> Result:
        """Does one operation in process. Raises AwsError."""
        own = self.find(service, operation)
        if own is not None:
            result = own.handle(operation, params, caller)
            return await result if inspect.isawaitable(result) else result
        result = await self.moto.call(service, operation, params)
        self.after(service, operation, params)
        return result

    def after(self, service: str, operation: str, params: Params) -> None:
        """What follows from an operation of moto's that succeeded."""
        if not operation.startswith(_READS):
            for callback in self._changed.get(service, ()):
                callback(operation, params)


class NotBuilt:
    """A service that the emulator does not have: every operation is refused by name."""

    def __init__(self, service: str) -> None:
        self._service = service

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        raise unknown_operation(self._service, operation)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return ()


def unknown_operation(service: str, operation: str) -> AwsError:
    """The refusal of an operation that this emulator does not have."""
    return AwsError("UnknownOperationException", f"{service} {operation} is not in Treadle's emulator yet", status=400)
