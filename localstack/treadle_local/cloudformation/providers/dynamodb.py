"""AWS::DynamoDB::Table."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    pick,
    removed_keys,
    tags_of,
)

_INDEX = ("IndexName", "KeySchema", "OnDemandThroughput", "Projection", "ProvisionedThroughput")
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
        "AWS::DynamoDB::Table",
        implemented=(
            *("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "PointInTimeRecoverySpecification"),
            *("SSESpecification", "StreamSpecification/StreamViewType", "TableName", "TimeToLiveSpecification"),
            *(f"GlobalSecondaryIndexes/{member}" for member in _INDEX),
            *_BASIC,
        ),
        attributes=frozenset({"Arn", "StreamArn"}),
        name_property="TableName",
        tags=TagForm.PAIRS,
        also_create_only=frozenset({"KeySchema", "LocalSecondaryIndexes"}),
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
        # An index has throughput of its own where its table has: the table comes first into that mode.
        to_provisioned = _is_on_demand(old) and not _is_on_demand(new)
        if not to_provisioned:
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
        if to_provisioned:
            kept = [index for index in new.get("GlobalSecondaryIndexes", ()) if _is_named_in(old, index["IndexName"])]
            updates = [{"Update": _throughput(index)} for index in kept if "ProvisionedThroughput" in index]
            changes |= {"GlobalSecondaryIndexUpdates": updates} if updates else {}
        if changes:
            await context.call("dynamodb", "UpdateTable", TableName=context.physical_id, **changes)
        if to_provisioned:
            await self._set_indexes(context, old, new)
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

    async def read(self, context: Context, model: Model) -> Model | None:
        name = context.physical_id
        found = await context.call_if_there("dynamodb", "DescribeTable", TableName=name)
        if found is None:
            return None
        table = found["Table"]
        tags = await context.call("dynamodb", "ListTagsOfResource", ResourceArn=table["TableArn"])
        life = await context.call("dynamodb", "DescribeTimeToLive", TableName=name)
        backups = await context.call("dynamodb", "DescribeContinuousBackups", TableName=name)
        return Model(self.schema.observed(_described(table, life, backups)), tags_of(tags.get("Tags")))

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
        changed = [wanted[name] for name in wanted if was.get(name, wanted[name]) != wanted[name]]
        if _is_on_demand(old) and not _is_on_demand(new):
            changed = []  # set together with the mode of the table
        for update in (
            [{"Delete": {"IndexName": name}} for name in removed]
            + [{"Create": wanted[name]} for name in added]
            + [{"Update": _throughput(index)} for index in changed if len(_throughput(index)) > 1]
        ):
            # an index that is to go may never have been made, where an update was broken off
            await (context.call_if_there if "Delete" in update else context.call)(
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


def _described(table: Properties, life: Properties, backups: Properties) -> dict[str, Any]:
    """The members of DescribeTable and its companions, as they are written in a template."""
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    time_to_live = life["TimeToLiveDescription"]
    encryption = table.get("SSEDescription", {})
    stream = table.get("StreamSpecification", {})
    return {
        **table,
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            **pick(recovery, "RecoveryPeriodInDays"),
        },
        "SSESpecification": {
            "SSEEnabled": encryption.get("Status") == "ENABLED",
            "KMSMasterKeyId": encryption.get("KMSMasterKeyArn"),
            **pick(encryption, "SSEType"),
        },
        "StreamSpecification": stream if stream.get("StreamEnabled") else None,
        "TableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "TimeToLiveSpecification": {
            "Enabled": time_to_live["TimeToLiveStatus"] in ("ENABLED", "ENABLING"),
            **pick(time_to_live, "AttributeName"),
        },
    }


def _is_on_demand(properties: Properties) -> bool:
    return bool(properties.get("BillingMode") == "PAY_PER_REQUEST")


def _is_named_in(properties: Properties, index: str) -> bool:
    return any(each["IndexName"] == index for each in properties.get("GlobalSecondaryIndexes", ()))


def _throughput(index: dict[str, Any]) -> dict[str, Any]:
    return {name: index[name] for name in ("IndexName", "ProvisionedThroughput", "OnDemandThroughput") if name in index}
