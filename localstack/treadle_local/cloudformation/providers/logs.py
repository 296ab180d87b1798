"""AWS::Logs::LogGroup."""

from __future__ import annotations

from treadle_local.cloudformation.properties import TEXT, Record, Text, Whole
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    removed_keys,
)

# Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


class LogGroup:
    schema = Schema(
        properties=Record(
            {
                "KmsKeyId": TEXT,
                "LogGroupClass": Text(("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")),
                "LogGroupName": TEXT,
                "RetentionInDays": Whole(allowed=_RETENTION_DAYS),
            },
            elsewhere=frozenset(
                {
                    "BearerTokenAuthenticationEnabled",
                    "DataProtectionPolicy",
                    "DeletionProtectionEnabled",
                    "FieldIndexPolicies",
                    "ResourcePolicyDocument",
                }
            ),
        ),
        create_only=frozenset({"LogGroupClass", "LogGroupName"}),
        attributes=frozenset({"Arn"}),
        name_property="LogGroupName",
        tags=TagForm.PAIRS,
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

    async def _set_retention(self, context: Context, days: int | None, *, reset: bool = False) -> None:
        name = context.physical_id
        if days is not None:
            await context.call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=days)
        elif reset:
            await context.call_if_there("logs", "DeleteRetentionPolicy", logGroupName=name)

    def _attributes(self, context: Context) -> Attributes:
        return {"Arn": context.region.arn("logs", f"log-group:{context.physical_id}:*")}
