"""All AWS services of the emulator under one call: ours where we have one, else moto's; and whom changes wake."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import ROOT, Caller, Params, Result, Service, Target
from treadle_local.dynamodb.service import DynamoDbItems

ITEM_OPERATIONS = frozenset(
    {
        "PutItem",
        "GetItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "TransactWriteItems",
        "TransactGetItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    }
)
"""DynamoDB's data plane, which is ours; its control plane is moto's."""

_READS = ("Get", "List", "Describe", "Filter", "Head")


class Services:
    """Dispatch by AWS's own names; `call` is how the emulator's parts talk to one another."""

    def __init__(self, moto: Moto, items: DynamoDbItems) -> None:
        self.moto = moto
        self.items = items
        self.own: dict[str, Service] = {}
        self._changed: dict[str, list[Callable[[], None]]] = {}

    def on_change(self, service: str, callback: Callable[[], None]) -> None:
        """Calls back after every operation that may have changed something in a service that moto keeps."""
        self._changed.setdefault(service, []).append(callback)

    def find(self, service: str, operation: str) -> Service | None:
        """Our own service for an operation; None where moto keeps it."""
        if service == "dynamodb":
            return self.items if operation in ITEM_OPERATIONS else None
        return self.own.get(service)

    async def call(self, service: str, operation: str, params: Params, caller: Caller = ROOT) -> Result:
        """Does one operation in process. Raises AwsError."""
        own = self.find(service, operation)
        if own is not None:
            result = own.handle(operation, params, caller)
            return await result if inspect.isawaitable(result) else result
        result = await self.moto.call(service, operation, params)
        self.after(service, operation, params, result)
        return result

    def after(self, service: str, operation: str, params: Params, result: Mapping[str, Any]) -> None:
        """What follows from an operation of moto's that succeeded."""
        if service == "dynamodb":
            self._table_changed(operation, params, result)
        if not operation.startswith(_READS):
            for callback in self._changed.get(service, ()):
                callback()

    def _table_changed(self, operation: str, params: Params, result: Mapping[str, Any]) -> None:
        match operation:
            case "CreateTable":
                self.items.table_created(result["TableDescription"])
            case "UpdateTable":
                description = result["TableDescription"]
                self.items.table_updated(description)
                if not description.get("StreamSpecification", {}).get("StreamEnabled"):
                    self.moto.forget_stream(description["TableName"])
            case "DeleteTable":
                self.items.table_deleted(str(params["TableName"]).rsplit("/", 1)[-1])
            case "UpdateTimeToLive":
                wanted = params["TimeToLiveSpecification"]
                attribute = wanted["AttributeName"] if wanted["Enabled"] else None
                self.items.ttl_updated(str(params["TableName"]).rsplit("/", 1)[-1], attribute)
            case _:
                return

    def patch_description(self, operation: str, body: bytes) -> bytes:
        """DescribeTable's answer with the counts of our store in it."""
        if operation != "DescribeTable":
            return body
        answer = json.loads(body)
        table = answer.get("Table")
        if table is not None:
            table["ItemCount"], table["TableSizeBytes"] = self.items.counts(table["TableName"])
        return json.dumps(answer).encode()


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
