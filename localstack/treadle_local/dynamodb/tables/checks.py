"""The rules that a table's keys, attributes, indexes and throughput must keep, in AWS's words.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Params
from treadle_local.dynamodb.errors import broken_constraint, invalid, invalid_parameter
from treadle_local.dynamodb.tables.definition import BillingMode, KeyElements, key_names

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (secondary indexes)
MAXIMUM_GLOBAL_INDEXES = 20
MAXIMUM_LOCAL_INDEXES = 5
MAXIMUM_PROJECTED_ATTRIBUTES = 100

# What the API model has and no table here can have.
_NOT_BUILT = (
    "GlobalTableSettingsReplicationMode",
    "GlobalTableSourceArn",
    "GlobalTableWitnessUpdates",
    "MultiRegionConsistency",
    "ReplicaUpdates",
    "VectorIndexes",
    "VectorIndexUpdates",
)


def refuse_not_built(params: Params) -> None:
    """Passes when the request asks for nothing that the local DynamoDB does not have.

    Raises: ValidationException that names the member.
    """
    for member in _NOT_BUILT:
        if params.get(member):
            raise invalid(f"{member} is not built in the local DynamoDB")


def check_shape(params: Params) -> None:
    """Passes when the keys, attributes and indexes of a CreateTable fit together.

    Raises: ValidationException.
    """
    if params.get("AttributeDefinitions") is None:
        raise broken_constraint(None, "attributeDefinitions", "Member must not be null")
    if params.get("KeySchema") is None:
        raise broken_constraint(None, "keySchema", "Member must not be null")
    names = [definition["AttributeName"] for definition in params["AttributeDefinitions"]]
    if len(set(names)) != len(names):
        raise invalid_parameter("Cannot have two attributes with the same name")
    key_schema: KeyElements = params["KeySchema"]
    check_key_schema(key_schema, names)
    local, across = _given(params, "LocalSecondaryIndexes"), _given(params, "GlobalSecondaryIndexes")
    if local and len(key_schema) == 1:
        raise invalid_parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    for index in (*local, *across):
        check_index(index, names)
    for index in local:
        _check_local(index, key_schema)
    if len(local) > MAXIMUM_LOCAL_INDEXES:
        raise invalid_parameter(f"Number of LocalSecondaryIndexes exceeds per-table limit of {MAXIMUM_LOCAL_INDEXES}")
    check_global_count(len(across))
    check_index_names([index["IndexName"] for index in (*local, *across)])
    check_projected_count(index["Projection"] for index in (*local, *across))
    _check_all_used(names, key_schema, [index["KeySchema"] for index in (*local, *across)])


def check_key_schema(key_schema: KeyElements, attributes: Collection[str]) -> None:
    """Passes for a hash key, or a hash and a range key, of defined attributes.

    Raises: ValidationException.
    """
    kinds = [element["KeyType"] for element in key_schema]
    if kinds.count("HASH") > 1 or kinds.count("RANGE") > 1:
        raise invalid("Keys of several partition or sort attributes are not built in the local DynamoDB")
    if kinds[0] != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(kinds) == 2 and key_schema[0]["AttributeName"] == key_schema[1]["AttributeName"]:
        raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if any(element["AttributeName"] not in attributes for element in key_schema):
        raise invalid("Invalid KeySchema: Some index key attribute have no definition")


def check_index(index: Mapping[str, Any], attributes: Sequence[str]) -> None:
    """Passes when an index's keys are defined and its projection says what it keeps.

    Raises: ValidationException.
    """
    keys = [element["AttributeName"] for element in index["KeySchema"]]
    if any(name not in attributes for name in keys):
        raise invalid_parameter(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(keys)}], AttributeDefinitions: [{', '.join(attributes)}]"
        )
    check_key_schema(index["KeySchema"], attributes)
    projection: Mapping[str, Any] = index["Projection"]
    kind, kept = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    if kind == "INCLUDE" and not kept:
        raise invalid_parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and kept is not None:
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")


def check_index_names(names: Sequence[str]) -> None:
    """Passes when no two indexes have one name. Raises ValidationException."""
    for number, name in enumerate(names):
        if name in names[:number]:
            raise invalid_parameter(f"Duplicate index name: {name}")


def check_global_count(count: int) -> None:
    """Passes for as many global indexes as a table may have. Raises ValidationException."""
    if count > MAXIMUM_GLOBAL_INDEXES:
        raise invalid_parameter(f"GlobalSecondaryIndex count exceeds the per-table limit of {MAXIMUM_GLOBAL_INDEXES}")


def check_projected_count(projections: Iterable[Mapping[str, Any]]) -> None:
    """Passes for as many projected attributes, over all indexes, as a table may have. Raises ValidationException."""
    count = sum(len(projection.get("NonKeyAttributes") or ()) for projection in projections)
    if count > MAXIMUM_PROJECTED_ATTRIBUTES:
        raise invalid_parameter(
            f"Number of NonKeyAttributes in all indexes exceeds per-table limit of {MAXIMUM_PROJECTED_ATTRIBUTES}"
        )


def check_throughput(
    billing: BillingMode, given: Mapping[str, Any] | None, indexes: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Passes when throughput is given for a provisioned table and each of its global indexes, and for no other.

    Raises: ValidationException.
    """
    if billing == "PROVISIONED" and given is None:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    if billing == "PAY_PER_REQUEST" and given is not None:
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    for index in indexes:
        check_index_throughput(billing, index)


def check_index_throughput(billing: BillingMode, index: Mapping[str, Any]) -> None:
    """As `check_throughput`, for one global index."""
    given = index.get("ProvisionedThroughput")
    if billing == "PROVISIONED" and given is None:
        raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {index['IndexName']}")
    if billing == "PAY_PER_REQUEST" and given is not None:
        raise invalid_parameter(
            f"ProvisionedThroughput should not be specified for index: {index['IndexName']} "
            "when BillingMode is PAY_PER_REQUEST"
        )


def check_stream(specification: Mapping[str, Any]) -> None:
    """Passes when a stream that is turned on has a view type, and one that is off none. Raises ValidationException."""
    view = specification.get("StreamViewType")
    if specification["StreamEnabled"] and view is None:
        raise invalid_parameter("StreamViewType must be specified when StreamEnabled is true")
    if not specification["StreamEnabled"] and view is not None:
        raise invalid_parameter("Table is being created with a stream disabled, UpdateViewType should not be specified")


def _given(params: Params, member: str) -> Sequence[Mapping[str, Any]]:
    indexes: Sequence[Mapping[str, Any]] | None = params.get(member)
    if indexes is not None and not indexes:
        raise invalid_parameter(f"List of {member} is empty")
    return indexes or ()


def _check_local(index: Mapping[str, Any], table: KeyElements) -> None:
    name, keys = index["IndexName"], index["KeySchema"]
    if len(keys) == 1:
        raise invalid_parameter(f"Index KeySchema does not have a range key for index: {name}")
    own, tables = keys[0]["AttributeName"], table[0]["AttributeName"]
    if own != tables:
        raise invalid_parameter(
            f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. "
            f"index hash key: {own}, table hash key: {tables}"
        )


def _check_all_used(names: Sequence[str], key_schema: KeyElements, index_schemas: Sequence[KeyElements]) -> None:
    used = key_names([key_schema, *index_schemas])
    if all(name in used for name in names):
        return
    if not index_schemas:
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid_parameter(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(names)}], "
        f"keys used: [{', '.join(name for name in names if name in used)}]"
    )
