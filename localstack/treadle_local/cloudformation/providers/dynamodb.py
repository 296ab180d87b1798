"""AWS::DynamoDB::Table."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.properties import FLAG, TEXT, TEXTS, ListOf, Record, Text, Whole
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    pick,
    removed_keys,
)

_KEY_SCHEMA = ListOf(
    Record(
        {"AttributeName": TEXT, "KeyType": Text(("HASH", "RANGE"))},
        required=("AttributeName", "KeyType"),
    )
)
_PROJECTION = Record({"NonKeyAttributes": TEXTS, "ProjectionType": Text(("ALL", "INCLUDE", "KEYS_ONLY"))})
_PROVISIONED = Record(
    {"ReadCapacityUnits": Whole(1), "WriteCapacityUnits": Whole(1)},
    required=("ReadCapacityUnits", "WriteCapacityUnits"),
)
_ON_DEMAND = Record({"MaxReadRequestUnits": Whole(1), "MaxWriteRequestUnits": Whole(1)})

_BASIC = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "DeletionProtectionEnabled", "TableClass")
# What a removed property goes back to. Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
_BASIC_DEFAULTS: dict[str, Any] = {
    "BillingMode": "PROVISIONED",
    "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1},
    "DeletionProtectionEnabled": False,
    "TableClass": "STANDARD",
}


class Table:
    schema = Schema(
        properties=Record(
            {
                "AttributeDefinitions": ListOf(
                    Record(
                        {"AttributeName": TEXT, "AttributeType": Text(("B", "N", "S"))},
                        required=("AttributeName", "AttributeType"),
                    )
                ),
                "BillingMode": Text(("PAY_PER_REQUEST", "PROVISIONED")),
                "DeletionProtectionEnabled": FLAG,
                "GlobalSecondaryIndexes": ListOf(
                    Record(
                        {
                            "IndexName": TEXT,
                            "KeySchema": _KEY_SCHEMA,
                            "OnDemandThroughput": _ON_DEMAND,
                            "Projection": _PROJECTION,
                            "ProvisionedThroughput": _PROVISIONED,
                        },
                        required=("IndexName", "KeySchema", "Projection"),
                        elsewhere=frozenset({"ContributorInsightsSpecification", "WarmThroughput"}),
                    )
                ),
                "KeySchema": _KEY_SCHEMA,
                "LocalSecondaryIndexes": ListOf(
                    Record(
                        {"IndexName": TEXT, "KeySchema": _KEY_SCHEMA, "Projection": _PROJECTION},
                        required=("IndexName", "KeySchema", "Projection"),
                    )
                ),
                "OnDemandThroughput": _ON_DEMAND,
                "PointInTimeRecoverySpecification": Record(
                    {"PointInTimeRecoveryEnabled": FLAG, "RecoveryPeriodInDays": Whole(1, 35)}
                ),
                "ProvisionedThroughput": _PROVISIONED,
                "SSESpecification": Record(
                    {"KMSMasterKeyId": TEXT, "SSEEnabled": FLAG, "SSEType": Text(("KMS",))}, required=("SSEEnabled",)
                ),
                "StreamSpecification": Record(
                    {"StreamViewType": Text(("KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE"))},
                    required=("StreamViewType",),
                    elsewhere=frozenset({"ResourcePolicy", "Tags"}),
                ),
                "TableClass": Text(("STANDARD", "STANDARD_INFREQUENT_ACCESS")),
                "TableName": TEXT,
                "TimeToLiveSpecification": Record({"AttributeName": TEXT, "Enabled": FLAG}, required=("Enabled",)),
            },
            required=("KeySchema",),
            elsewhere=frozenset(
                {
                    "ContributorInsightsSpecification",
                    "ImportSourceSpecification",
                    "KinesisStreamSpecification",
                    "ResourcePolicy",
                    "VectorIndexes",
                    "WarmThroughput",
                }
            ),
        ),
        create_only=frozenset({"KeySchema", "LocalSecondaryIndexes", "TableName"}),
        attributes=frozenset({"Arn", "StreamArn"}),
        name_property="TableName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("TableName") or context.generated_name(255)
        await context.call_tagged(
            "dynamodb",
            "CreateTable",
            TagForm.PAIRS,
            model.tags,
            TableName=name,
            StreamSpecification=_stream(properties),
            **pick(properties, "AttributeDefinitions", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes"),
            **pick(properties, "SSESpecification", *_BASIC),
        )
        context.initiated(name)
        await self._set_extras(context, {}, properties)
        return await self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        old, new = before.properties, after.properties
        await self._set_indexes(context, old, new)
        changes = {
            name: new.get(name, default) for name, default in _BASIC_DEFAULTS.items() if old.get(name) != new.get(name)
        }
        if "ProvisionedThroughput" in new and (
            old.get("ProvisionedThroughput") != new["ProvisionedThroughput"] or changes
        ):
            changes["ProvisionedThroughput"] = new["ProvisionedThroughput"]
        if old.get("SSESpecification") != new.get("SSESpecification"):
            changes["SSESpecification"] = new.get("SSESpecification", {"SSEEnabled": False})
        if changes:
            await context.call("dynamodb", "UpdateTable", TableName=context.physical_id, **changes)
        await self._set_stream(context, old, new)
        await self._set_extras(context, old, new)
        attributes = await self._attributes(context)
        if before.tags != after.tags:
            arn = attributes["Arn"]
            if removed := removed_keys(before, after):
                await context.call("dynamodb", "UntagResource", ResourceArn=arn, TagKeys=removed)
            await context.tag("dynamodb", "TagResource", TagForm.PAIRS, after.tags, ResourceArn=arn)
        return attributes

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("dynamodb", "DeleteTable", TableName=context.physical_id)

    async def _attributes(self, context: Context) -> Attributes:
        table = (await context.call("dynamodb", "DescribeTable", TableName=context.physical_id))["Table"]
        enabled = table.get("StreamSpecification", {}).get("StreamEnabled", False)
        stream = {"StreamArn": table["LatestStreamArn"]} if enabled else {}
        return {"Arn": table["TableArn"], **stream}

    async def _set_indexes(self, context: Context, old: Properties, new: Properties) -> None:
        was = {index["IndexName"]: index for index in old.get("GlobalSecondaryIndexes", ())}
        wanted = {index["IndexName"]: index for index in new.get("GlobalSecondaryIndexes", ())}
        removed = [name for name in was if name not in wanted]
        added = [name for name in wanted if name not in was]
        if len(removed) + len(added) > 1:
            raise ResourceError("Cannot perform more than one GSI creation or deletion in a single update")
        for name, index in wanted.items():
            if name in was and (was[name]["KeySchema"], was[name]["Projection"]) != (
                index["KeySchema"],
                index["Projection"],
            ):
                raise ResourceError(f"Cannot update GSI's properties other than throughput: {name}")
        for update in (
            [{"Delete": {"IndexName": name}} for name in removed]
            + [{"Create": wanted[name]} for name in added]
            + [{"Update": _throughput(wanted[name])} for name in wanted if was.get(name, wanted[name]) != wanted[name]]
        ):
            await context.call(
                "dynamodb",
                "UpdateTable",
                TableName=context.physical_id,
                AttributeDefinitions=new["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[update],
            )

    async def _set_stream(self, context: Context, old: Properties, new: Properties) -> None:
        """Turns the stream off before it is turned on in another form: AWS changes no view in place."""
        before, after = _stream(old), _stream(new)
        if before == after:
            return
        if before is not None:
            await context.call(
                "dynamodb",
                "UpdateTable",
                TableName=context.physical_id,
                StreamSpecification={"StreamEnabled": False},
            )
        if after is not None:
            await context.call("dynamodb", "UpdateTable", TableName=context.physical_id, StreamSpecification=after)

    async def _set_extras(self, context: Context, old: Properties, new: Properties) -> None:
        await self._set_time_to_live(context, old, new)
        recovery = new.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False})
        if old.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False}) != recovery:
            await context.call(
                "dynamodb",
                "UpdateContinuousBackups",
                TableName=context.physical_id,
                PointInTimeRecoverySpecification=recovery,
            )

    async def _set_time_to_live(self, context: Context, old: Properties, new: Properties) -> None:
        """Turns the old attribute off before a new one is turned on: DynamoDB knows one at a time."""
        before, after = _time_to_live(old), _time_to_live(new)
        if before == after:
            return
        for attribute, enabled in ((before, False), (after, True)):
            if attribute is not None:
                await context.call(
                    "dynamodb",
                    "UpdateTimeToLive",
                    TableName=context.physical_id,
                    TimeToLiveSpecification={"AttributeName": attribute, "Enabled": enabled},
                )


def _stream(properties: Properties) -> dict[str, Any] | None:
    stream: dict[str, Any] | None = properties.get("StreamSpecification")
    return None if stream is None else {"StreamEnabled": True, **stream}


def _time_to_live(properties: Properties) -> str | None:
    """The attribute whose time ends an item, if that is on."""
    specification: dict[str, Any] = properties.get("TimeToLiveSpecification", {})
    return specification.get("AttributeName") if specification.get("Enabled") else None


def _throughput(index: dict[str, Any]) -> dict[str, Any]:
    return {name: index[name] for name in ("IndexName", "ProvisionedThroughput", "OnDemandThroughput") if name in index}
