"""The TableDescription of a definition.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_local.dynamodb.tables.definition import IndexDefinition, TableDefinition, Throughput

# Items and bytes of the table (None) and of each index.
Counts = Mapping[str | None, tuple[int, int]]


def described(table: TableDefinition, counts: Counts, status: str = "ACTIVE", new_index: str = "") -> dict[str, Any]:
    """The TableDescription, with the index of that name just being filled."""
    items, size = counts.get(None, (0, 0))
    description: dict[str, Any] = {
        "AttributeDefinitions": attribute_definitions(table),
        "TableName": table.name,
        "KeySchema": table.key_schema,
        "TableStatus": status,
        "CreationDateTime": table.created_at,
        "ProvisionedThroughput": _throughput(table.throughput),
        "TableSizeBytes": size,
        "ItemCount": items,
        "TableArn": table.arn,
        "TableId": table.id,
        "DeletionProtectionEnabled": table.deletion_protected,
    }
    if table.on_demand_since is not None:
        description["BillingModeSummary"] = {
            "BillingMode": table.billing,
            "LastUpdateToPayPerRequestDateTime": table.on_demand_since,
        }
    if table.local_indexes:
        description["LocalSecondaryIndexes"] = [_index(table, index, counts) for index in table.local_indexes.values()]
    if table.global_indexes:
        state = "CREATING" if status == "CREATING" else "ACTIVE"
        description["GlobalSecondaryIndexes"] = [
            _global_index(table, index, counts, "CREATING" if index.name == new_index else state)
            for index in table.global_indexes.values()
        ]
    if table.stream is not None:
        description["StreamSpecification"] = table.stream
    if table.latest_stream is not None:
        description["LatestStreamLabel"] = table.latest_stream
        description["LatestStreamArn"] = f"{table.arn}/stream/{table.latest_stream}"
    if table.encryption is not None:
        key = table.encryption.get("KMSMasterKeyId") or "alias/aws/dynamodb"
        arn = key if key.startswith("arn:") else _key_arn(table.arn, key)
        description["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}
    if table.table_class is not None:
        description["TableClassSummary"] = {"TableClass": table.table_class}
    if table.on_demand is not None:
        description["OnDemandThroughput"] = table.on_demand
    return description


def attribute_definitions(table: TableDefinition) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in table.attributes.items()]


def _index(table: TableDefinition, index: IndexDefinition, counts: Counts) -> dict[str, Any]:
    items, size = counts.get(index.name, (0, 0))
    return {
        "IndexName": index.name,
        "KeySchema": index.key_schema,
        "Projection": index.projection,
        "IndexSizeBytes": size,
        "ItemCount": items,
        "IndexArn": f"{table.arn}/index/{index.name}",
    }


def _global_index(table: TableDefinition, index: IndexDefinition, counts: Counts, status: str) -> dict[str, Any]:
    shape = _index(table, index, counts)
    shape["IndexStatus"] = status
    shape["ProvisionedThroughput"] = _throughput(index.throughput)
    if index.on_demand is not None:
        shape["OnDemandThroughput"] = index.on_demand
    return shape


def _throughput(throughput: Throughput) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": throughput.read_units,
        "WriteCapacityUnits": throughput.write_units,
    }
    if throughput.increased_at is not None:
        shape["LastIncreaseDateTime"] = throughput.increased_at
    if throughput.decreased_at is not None:
        shape["LastDecreaseDateTime"] = throughput.decreased_at
    return shape


def _key_arn(table_arn: str, key: str) -> str:
    region, account = table_arn.split(":")[3:5]
    return f"arn:aws:kms:{region}:{account}:{key if key.startswith('alias/') else f'key/{key}'}"
