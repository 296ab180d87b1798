"""Amazon DynamoDB in the emulator: the item operations and the table operations behind one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.dynamodb.tables.operations import TableOperations
from treadle_local.functions import constraints


class DynamoDb:
    """A service of the AWS endpoint; see `Service`."""

    def __init__(self, region: Region, clock: Clock, items: DynamoDbItems) -> None:
        self._region = region
        self._items = items
        self._tables = TableOperations(region, clock, items)

    @property
    def base_url(self) -> str:
        """Where the emulator answers; DescribeEndpoints tells it."""
        return f"http://{self._tables.endpoint}"

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._tables.endpoint = url.partition("://")[2].rstrip("/")

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """Does the operation and returns its response shape. Raises AwsError."""
        if operation in self._items.operations:
            return self._items.handle(operation, params, caller)
        do = self._tables.operations.get(operation)
        if do is None:
            raise AwsError("UnknownOperationException", f"{operation} is not built in the local DynamoDB")
        constraints.check(operation, params, "dynamodb")
        return do(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """What the caller must be allowed to do for this call."""
        if operation in self._items.operations:
            return self._items.targets(operation, params)
        return actions.targets(self._region, "dynamodb", operation, params)

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The resource policy of a table or stream, None where it has none."""
        return self._tables.policies.of(arn)

    def tags_of(self, arn: str) -> Mapping[str, str]:
        """The tags of a table."""
        table = self._tables.tables.get(arn.rpartition(":table/")[2].partition("/")[0])
        return {} if table is None else table.tags
