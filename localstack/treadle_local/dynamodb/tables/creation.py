"""CreateTable's parameters as the definition of a table."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from treadle_local.aws.service import Params, Region
from treadle_local.dynamodb.parameters import check_table_name
from treadle_local.dynamodb.tables import checks
from treadle_local.dynamodb.tables.definition import BillingMode, IndexDefinition, TableDefinition, Throughput
from treadle_local.dynamodb.tables.tags import tags_of


def new_table(region: Region, params: Params, now: float) -> TableDefinition:
    """The definition of the table that CreateTable asks for; its stream has no label yet.

    Raises: ValidationException.
    """
    checks.refuse_not_built(params)
    arn = region.arn("dynamodb", "table/")
    name = str(params["TableName"]).removeprefix(arn)
    check_table_name(name)
    billing: BillingMode = params.get("BillingMode") or "PROVISIONED"
    given = params.get("ProvisionedThroughput")
    checks.check_throughput(billing, given, params.get("GlobalSecondaryIndexes") or ())
    checks.check_shape(params)
    stream: Mapping[str, Any] | None = params.get("StreamSpecification")
    if stream is not None:
        checks.check_stream(stream)
    return TableDefinition(
        name=name,
        arn=arn + name,
        id=str(uuid.uuid4()),
        created_at=now,
        attributes={one["AttributeName"]: one["AttributeType"] for one in params["AttributeDefinitions"]},
        key_schema=params["KeySchema"],
        billing=billing,
        throughput=throughput_of(given),
        on_demand_since=now if billing == "PAY_PER_REQUEST" else None,
        global_indexes={one["IndexName"]: index_of(one) for one in params.get("GlobalSecondaryIndexes") or ()},
        local_indexes={one["IndexName"]: index_of(one) for one in params.get("LocalSecondaryIndexes") or ()},
        stream=stream if stream is not None and stream["StreamEnabled"] else None,
        encryption=encryption_of(params.get("SSESpecification")),
        table_class=params.get("TableClass"),
        on_demand=params.get("OnDemandThroughput"),
        deletion_protected=bool(params.get("DeletionProtectionEnabled")),
        tags=tags_of(params.get("Tags") or ()),
    )


def index_of(given: Mapping[str, Any]) -> IndexDefinition:
    """The definition of an index as CreateTable and UpdateTable name it."""
    return IndexDefinition(
        given["IndexName"],
        given["KeySchema"],
        given["Projection"],
        throughput_of(given.get("ProvisionedThroughput")),
        given.get("OnDemandThroughput"),
    )


def throughput_of(given: Mapping[str, Any] | None) -> Throughput:
    """The provisioned units; none on demand."""
    return Throughput() if given is None else Throughput(given["ReadCapacityUnits"], given["WriteCapacityUnits"])


def encryption_of(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The SSESpecification of a table under a key of KMS; None for DynamoDB's own key."""
    return given if given is not None and given.get("Enabled") else None
