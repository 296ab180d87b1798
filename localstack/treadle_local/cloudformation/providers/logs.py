"""AWS::Logs::LogGroup."""

from __future__ import annotations

from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    removed_keys,
    tags_of,
)


class LogGroup:
    schema = Schema(
        "AWS::Logs::LogGroup",
        implemented=("KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays"),
        attributes=frozenset({"Arn"}),
        name_property="LogGroupName",
        tags=TagForm.PAIRS,
        also_create_only=frozenset({"LogGroupClass"}),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("LogGroupName") or context.generated_name(512)
        await context.call_tagged(
            "logs",
            "CreateLogGroup",
            TagForm.MAP,
            model.tags,
            member="tags",
            logGroupName=name,
            kmsKeyId=properties.get("KmsKeyId"),
            logGroupClass=properties.get("LogGroupClass"),
        )
        context.initiated(name)
        await self._set_retention(context, properties.get("RetentionInDays"))
        return self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        changed = before.changed(after)
        if "RetentionInDays" in changed:
            await self._set_retention(context, after.properties.get("RetentionInDays"), reset=True)
        if "KmsKeyId" in changed:
            key = after.properties.get("KmsKeyId")
            operation = "DisassociateKmsKey" if key is None else "AssociateKmsKey"
            await context.call("logs", operation, logGroupName=context.physical_id, kmsKeyId=key)
        if "Tags" in changed:
            arn = context.region.arn("logs", f"log-group:{context.physical_id}")
            if removed := removed_keys(before, after):
                await context.call("logs", "UntagResource", resourceArn=arn, tagKeys=removed)
            await context.tag("logs", "TagResource", TagForm.MAP, after.tags, member="tags", resourceArn=arn)
        return self._attributes(context)

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("logs", "DeleteLogGroup", logGroupName=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        name = context.physical_id
        found = await context.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
        for group in found["logGroups"]:
            if group["logGroupName"] == name:
                arn = context.region.arn("logs", f"log-group:{name}")
                tags = await context.call("logs", "ListTagsForResource", resourceArn=arn)
                named = {member[0].upper() + member[1:]: value for member, value in group.items()}
                return Model(self.schema.observed(named), tags_of(tags.get("tags")))
        return None

    async def _set_retention(self, context: Context, days: int | None, *, reset: bool = False) -> None:
        name = context.physical_id
        if days is not None:
            await context.call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=days)
        elif reset:
            await context.call_if_there("logs", "DeleteRetentionPolicy", logGroupName=name)

    def _attributes(self, context: Context) -> Attributes:
        return {"Arn": context.region.arn("logs", f"log-group:{context.physical_id}:*")}
