"""The table operations of the local DynamoDB: CreateTable and whatever else is not about items."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock
from treadle_local.dynamodb.errors import invalid, table_not_found
from treadle_local.dynamodb.parameters import check_table_name
from treadle_local.dynamodb.service import DynamoDbItems
from treadle_local.dynamodb.tables import backups, creation, tags, time_to_live, updates
from treadle_local.dynamodb.tables.definition import TableDefinition
from treadle_local.dynamodb.tables.description import Counts, described
from treadle_local.dynamodb.tables.policies import Policies

_MOST_LISTED = 100

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
_ACCOUNT_UNITS = 80_000
_TABLE_UNITS = 40_000
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Endpoint.html
_ENDPOINT_MINUTES = 1440


class TableOperations:
    """The tables of one region, by name; their items are in `items`."""

    def __init__(self, region: Region, clock: Clock, items: DynamoDbItems) -> None:
        self._region = region
        self._clock = clock
        self._items = items
        self._arn_prefix = region.arn("dynamodb", "table/")
        self.endpoint = f"dynamodb.{region.name}.amazonaws.com"
        self.tables: dict[str, TableDefinition] = {}
        self.policies = Policies()
        self.operations: Mapping[str, Callable[[Params], Result]] = {
            "CreateTable": self._create,
            "DeleteResourcePolicy": self._delete_policy,
            "DeleteTable": self._delete,
            "DescribeContinuousBackups": self._describe_backups,
            "DescribeEndpoints": self._describe_endpoints,
            "DescribeLimits": self._describe_limits,
            "DescribeTable": self._describe,
            "DescribeTimeToLive": lambda params: time_to_live.described(self._named(params)),
            "GetResourcePolicy": self._get_policy,
            "ListTables": self._list,
            "ListTagsOfResource": self._list_tags,
            "PutResourcePolicy": self._put_policy,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "UpdateContinuousBackups": self._update_backups,
            "UpdateTable": self._update,
            "UpdateTimeToLive": self._update_time_to_live,
        }

    def _create(self, params: Params) -> Result:
        table = creation.new_table(self._region, params, self._clock.now())
        if table.name in self.tables:
            raise AwsError("ResourceInUseException", f"Table already exists: {table.name}")
        if table.stream is not None:
            table.latest_stream = self._stream_label(table)
        policy = params.get("ResourcePolicy")
        if policy is not None:
            self.policies.put({"ResourceArn": table.arn, "Policy": policy}, self._clock.now())
        self.tables[table.name] = table
        self._items.table_created(described(table, {}))
        return {"TableDescription": described(table, {}, "CREATING")}

    def _update(self, params: Params) -> Result:
        before = self._named(params)
        table = updates.updated(before, params, self._clock.now())
        if table.stream is not None and before.stream is None:
            table.latest_stream = self._stream_label(table)
        self.tables[table.name] = table
        self._items.table_updated(described(table, {}))
        new = next((name for name in table.global_indexes if name not in before.global_indexes), "")
        return {"TableDescription": described(table, self._counts(table), "UPDATING", new)}

    def _delete(self, params: Params) -> Result:
        table = self._named(params)
        if table.deletion_protected:
            raise invalid(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        answer = described(table, self._counts(table), "DELETING")
        del self.tables[table.name]
        self.policies.table_deleted(table.arn)
        self._items.table_deleted(table.name)
        return {"TableDescription": answer}

    def _describe(self, params: Params) -> Result:
        table = self._named(params)
        return {"Table": described(table, self._counts(table))}

    def _list(self, params: Params) -> Result:
        names = sorted(self.tables)
        start = bisect_right(names, params.get("ExclusiveStartTableName") or "")
        limit = params.get("Limit") or _MOST_LISTED
        result: Result = {"TableNames": names[start : start + limit]}
        if start + limit < len(names):
            result["LastEvaluatedTableName"] = names[start + limit - 1]
        return result

    def _update_time_to_live(self, params: Params) -> Result:
        table = self._named(params)
        table.time_to_live = time_to_live.attribute_after(table, params)
        self._items.ttl_updated(table.name, table.time_to_live)
        return {"TimeToLiveSpecification": params["TimeToLiveSpecification"]}

    def _describe_backups(self, params: Params) -> Result:
        return backups.described(self._backed_up(params), self._clock.now())

    def _update_backups(self, params: Params) -> Result:
        table = self._backed_up(params)
        table.recovery = backups.recovery_after(table, params, self._clock.now())
        return backups.described(table, self._clock.now())

    def _tag(self, params: Params) -> Result:
        table = self._by_arn(params)
        if not params["Tags"]:
            raise invalid("Atleast one Tag needs to be provided as Input.")
        merged = {**table.tags, **tags.tags_of(params["Tags"])}
        tags.check_count(merged)
        table.tags = merged
        return {}

    def _untag(self, params: Params) -> Result:
        table = self._by_arn(params)
        if not params["TagKeys"]:
            raise invalid("Atleast one Tag Key needs to be provided as Input.")
        table.tags = {key: value for key, value in table.tags.items() if key not in params["TagKeys"]}
        return {}

    def _list_tags(self, params: Params) -> Result:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._by_arn(params).tags.items()]}

    def _put_policy(self, params: Params) -> Result:
        self._check_resource(params)
        return self.policies.put(params, self._clock.now())

    def _get_policy(self, params: Params) -> Result:
        self._check_resource(params)
        return self.policies.get(params)

    def _delete_policy(self, params: Params) -> Result:
        self._check_resource(params)
        return self.policies.delete(params)

    def _describe_limits(self, _params: Params) -> Result:
        return {
            "AccountMaxReadCapacityUnits": _ACCOUNT_UNITS,
            "AccountMaxWriteCapacityUnits": _ACCOUNT_UNITS,
            "TableMaxReadCapacityUnits": _TABLE_UNITS,
            "TableMaxWriteCapacityUnits": _TABLE_UNITS,
        }

    def _describe_endpoints(self, _params: Params) -> Result:
        return {"Endpoints": [{"Address": self.endpoint, "CachePeriodInMinutes": _ENDPOINT_MINUTES}]}

    def _named(self, params: Params) -> TableDefinition:
        """The table that TableName names, by name or ARN.

        Raises: ResourceNotFoundException, ValidationException.
        """
        name = str(params["TableName"]).removeprefix(self._arn_prefix)
        table = self.tables.get(name)
        if table is None:
            if not name.startswith("arn:"):
                check_table_name(name)
            raise table_not_found(f"Table: {name}")
        return table

    def _backed_up(self, params: Params) -> TableDefinition:
        name = str(params["TableName"]).removeprefix(self._arn_prefix)
        if name not in self.tables:
            raise AwsError("TableNotFoundException", f"Table not found: {name}")
        return self.tables[name]

    def _by_arn(self, params: Params) -> TableDefinition:
        arn = str(params["ResourceArn"])
        if not arn.startswith("arn:"):
            raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
        table = self.tables.get(arn.removeprefix(self._arn_prefix))
        if table is None:
            raise table_not_found(f"ResourcArn: {arn}")  # as AWS spells it
        return table

    def _check_resource(self, params: Params) -> None:
        """Passes for the ARN of a table or of one of its streams."""
        arn = str(params["ResourceArn"])
        name, _, stream = arn.removeprefix(self._arn_prefix).partition("/")
        is_there = arn.startswith(self._arn_prefix) and name in self.tables
        if not is_there or (stream and self._items.streams.find(arn) is None):
            raise table_not_found(f"ResourceArn: {arn}")

    def _counts(self, table: TableDefinition) -> Counts:
        return self._items.counts(table.name)

    def _stream_label(self, table: TableDefinition) -> str:
        """The moment to the millisecond; a later one where that is the label of the stream before."""
        millisecond = int(self._clock.now() * 1000)
        used = {stream.label for stream in self._items.streams.of_table(table.name)}
        while (label := _label(millisecond)) in used:
            millisecond += 1
        return label


def _label(millisecond: int) -> str:
    moment = datetime.fromtimestamp(millisecond / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millisecond % 1000:03d}"
