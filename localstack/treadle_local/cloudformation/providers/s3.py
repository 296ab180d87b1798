"""AWS::S3::Bucket and AWS::S3::BucketPolicy."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.providers.attached_policies import InlinePolicy
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Properties,
    Schema,
    TagForm,
    tags_of,
)

_NO_LOCATION = "us-east-1"

_LIFECYCLE_RULE = (
    *("AbortIncompleteMultipartUpload", "ExpirationInDays", "Id", "NoncurrentVersionExpiration", "Prefix", "Status"),
)


class Bucket:
    schema = Schema(
        "AWS::S3::Bucket",
        implemented=(
            *("BucketName", "PublicAccessBlockConfiguration", "VersioningConfiguration"),
            "BucketEncryption/ServerSideEncryptionConfiguration/BucketKeyEnabled",
            "BucketEncryption/ServerSideEncryptionConfiguration/ServerSideEncryptionByDefault",
            *(f"LifecycleConfiguration/Rules/{member}" for member in _LIFECYCLE_RULE),
        ),
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

    async def read(self, context: Context, model: Model) -> Model | None:
        name = context.physical_id
        versioning = await context.call_if_there("s3", "GetBucketVersioning", Bucket=name)
        if versioning is None:
            return None
        encryption = await context.call_if_there("s3", "GetBucketEncryption", Bucket=name)
        access = await context.call_if_there("s3", "GetPublicAccessBlock", Bucket=name)
        lifecycle = await context.call_if_there("s3", "GetBucketLifecycleConfiguration", Bucket=name)
        tags = await context.call_if_there("s3", "GetBucketTagging", Bucket=name)
        properties = self.schema.observed(
            {
                "BucketEncryption": _encryption(encryption),
                "BucketName": name,
                "LifecycleConfiguration": _lifecycle(lifecycle),
                "PublicAccessBlockConfiguration": None if access is None else access["PublicAccessBlockConfiguration"],
                "VersioningConfiguration": versioning if versioning.get("Status") else None,
            }
        )
        return Model(properties, tags_of(None if tags is None else tags["TagSet"]))

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


def _encryption(answer: Properties | None) -> dict[str, Any] | None:
    """GetBucketEncryption's answer as it is written in a template."""
    if answer is None:
        return None
    renamed = {"ApplyServerSideEncryptionByDefault": "ServerSideEncryptionByDefault"}
    rules: list[dict[str, Any]] = answer["ServerSideEncryptionConfiguration"]["Rules"]
    written = [{renamed.get(name, name): member for name, member in rule.items()} for rule in rules]
    return {"ServerSideEncryptionConfiguration": written}


def _lifecycle(answer: Properties | None) -> dict[str, Any] | None:
    """GetBucketLifecycleConfiguration's answer as it is written in a template."""
    return None if answer is None else {"Rules": [_written_rule(rule) for rule in answer["Rules"]]}


def _written_rule(rule: dict[str, Any]) -> dict[str, Any]:
    prefix: str = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    written = {**rule, "Id": rule.get("ID"), "ExpirationInDays": rule.get("Expiration", {}).get("Days")}
    return written | {"Prefix": prefix or None}


class _BucketPolicies:
    """How a policy comes onto a bucket and off it."""

    async def attach(self, context: Context, target: str, policy: str) -> None:
        await context.call("s3", "PutBucketPolicy", Bucket=target, Policy=policy)

    async def detach(self, context: Context, target: str) -> None:
        await context.call_if_there("s3", "DeleteBucketPolicy", Bucket=target)

    async def attached(self, context: Context, target: str) -> str | None:
        found = await context.call_if_there("s3", "GetBucketPolicy", Bucket=target)
        return None if found is None else found["Policy"]


def bucket_policy() -> InlinePolicy:
    return InlinePolicy("AWS::S3::BucketPolicy", "Bucket", _BucketPolicies(), refuses_other=True)
