"""AWS::S3::Bucket."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.properties import FLAG, TEXT, WHOLE, ListOf, Record, Text
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Properties, Schema, TagForm

_NO_LOCATION = "us-east-1"

_ENCRYPTION = Record(
    {
        "ServerSideEncryptionConfiguration": ListOf(
            Record(
                {
                    "BucketKeyEnabled": FLAG,
                    "ServerSideEncryptionByDefault": Record(
                        {"KMSMasterKeyID": TEXT, "SSEAlgorithm": Text(("AES256", "aws:kms", "aws:kms:dsse"))},
                        required=("SSEAlgorithm",),
                    ),
                },
                elsewhere=frozenset({"BlockedEncryptionTypes"}),
            )
        )
    },
    required=("ServerSideEncryptionConfiguration",),
)
_LIFECYCLE_RULE = Record(
    {
        "AbortIncompleteMultipartUpload": Record({"DaysAfterInitiation": WHOLE}, required=("DaysAfterInitiation",)),
        "ExpirationInDays": WHOLE,
        "Id": TEXT,
        "NoncurrentVersionExpiration": Record(
            {"NewerNoncurrentVersions": WHOLE, "NoncurrentDays": WHOLE}, required=("NoncurrentDays",)
        ),
        "Prefix": TEXT,
        "Status": Text(("Enabled", "Disabled")),
    },
    required=("Status",),
    elsewhere=frozenset(
        {
            "ExpirationDate",
            "ExpiredObjectDeleteMarker",
            "NoncurrentVersionExpirationInDays",
            "NoncurrentVersionTransition",
            "NoncurrentVersionTransitions",
            "ObjectSizeGreaterThan",
            "ObjectSizeLessThan",
            "TagFilters",
            "Transition",
            "Transitions",
        }
    ),
)


class Bucket:
    schema = Schema(
        properties=Record(
            {
                "BucketEncryption": _ENCRYPTION,
                "BucketName": TEXT,
                "LifecycleConfiguration": Record({"Rules": ListOf(_LIFECYCLE_RULE)}, required=("Rules",)),
                "PublicAccessBlockConfiguration": Record(
                    {
                        "BlockPublicAcls": FLAG,
                        "BlockPublicPolicy": FLAG,
                        "IgnorePublicAcls": FLAG,
                        "RestrictPublicBuckets": FLAG,
                    }
                ),
                "VersioningConfiguration": Record(
                    {"Status": Text(("Enabled", "Suspended"))},
                    required=("Status",),
                ),
            },
            elsewhere=frozenset(
                {
                    "AbacStatus",
                    "AccelerateConfiguration",
                    "AccessControl",
                    "AnalyticsConfigurations",
                    "BucketNamePrefix",
                    "BucketNamespace",
                    "CorsConfiguration",
                    "IntelligentTieringConfigurations",
                    "InventoryConfigurations",
                    "LoggingConfiguration",
                    "MetadataConfiguration",
                    "MetadataTableConfiguration",
                    "MetricsConfigurations",
                    "NotificationConfiguration",
                    "ObjectLockConfiguration",
                    "ObjectLockEnabled",
                    "OwnershipControls",
                    "ReplicationConfiguration",
                    "WebsiteConfiguration",
                }
            ),
        ),
        create_only=frozenset({"BucketName"}),
        attributes=frozenset({"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName"}),
        name_property="BucketName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name: str = model.properties.get("BucketName") or context.generated_name(63).lower()
        region = context.region.name
        owned = await context.call("s3", "ListBuckets")
        if any(bucket["Name"] == name for bucket in owned.get("Buckets", ())):
            raise AlreadyExistsError(name)
        location = None if region == _NO_LOCATION else {"LocationConstraint": region}
        await context.call("s3", "CreateBucket", Bucket=name, CreateBucketConfiguration=location)
        context.initiated(name)
        await self._configure(context, {}, model.properties)
        await self._tag(context, model)
        return self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        await self._configure(context, before.properties, after.properties)
        if before.tags != after.tags:
            await context.call("s3", "DeleteBucketTagging", Bucket=context.physical_id)
            await self._tag(context, after)
        return self._attributes(context)

    async def delete(self, context: Context, model: Model) -> None:
        """Removes an empty bucket; one that holds objects is refused, as on AWS."""
        await context.call_if_there("s3", "DeleteBucket", Bucket=context.physical_id)

    async def _tag(self, context: Context, model: Model) -> None:
        await context.tag(
            "s3", "PutBucketTagging", TagForm.TAG_SET, model.tags, member="Tagging", Bucket=context.physical_id
        )

    async def _configure(self, context: Context, old: Properties, new: Properties) -> None:
        name = context.physical_id
        changed = {part for part in old.keys() | new.keys() if old.get(part) != new.get(part)}
        if "VersioningConfiguration" in changed:
            versioning = new.get("VersioningConfiguration", {"Status": "Suspended"})
            await context.call("s3", "PutBucketVersioning", Bucket=name, VersioningConfiguration=versioning)
        for part, put, remove, member in (
            ("BucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption", "ServerSideEncryptionConfiguration"),
            (
                "PublicAccessBlockConfiguration",
                "PutPublicAccessBlock",
                "DeletePublicAccessBlock",
                "PublicAccessBlockConfiguration",
            ),
            (
                "LifecycleConfiguration",
                "PutBucketLifecycleConfiguration",
                "DeleteBucketLifecycle",
                "LifecycleConfiguration",
            ),
        ):
            if part not in changed:
                continue
            if part in new:
                await context.call("s3", put, Bucket=name, **{member: _as_called(part, new[part])})
            else:
                await context.call("s3", remove, Bucket=name)

    def _attributes(self, context: Context) -> Attributes:
        name, region = context.physical_id, context.region.name
        return {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        }


def _as_called(part: str, value: dict[str, Any]) -> dict[str, Any]:
    """A property's value in the shape of the S3 API, where that differs from the template's."""
    match part:
        case "BucketEncryption":
            rules: list[dict[str, Any]] = value["ServerSideEncryptionConfiguration"]
            renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
            return {"Rules": [{renamed.get(name, name): member for name, member in rule.items()} for rule in rules]}
        case "LifecycleConfiguration":
            return {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}
        case _:
            return value


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    called = {name: member for name, member in rule.items() if name not in ("ExpirationInDays", "Id", "Prefix")}
    called["Filter"] = {"Prefix": rule.get("Prefix", "")}
    if "Id" in rule:
        called["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        called["Expiration"] = {"Days": rule["ExpirationInDays"]}
    return called
