"""AWS::IAM::Policy, AWS::IAM::RolePolicy and AWS::IAM::ManagedPolicy."""

from __future__ import annotations

from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.properties import json_text
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Properties, Schema, pick
from treadle_local.cloudformation.providers.iam import policy_document

_BEARERS = {"Groups": "Group", "Roles": "Role", "Users": "User"}
"""What bears a policy, by the property that lists it: IAM's operations and parameters have its name in theirs."""


class Policy:
    """One inline policy on each bearer that the resource lists."""

    schema = Schema(
        "AWS::IAM::Policy", implemented=("PolicyDocument", "PolicyName", *_BEARERS), attributes=frozenset({"Id"})
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        context.initiated(context.generated_name(128))
        await self._put(context, model.properties)
        return {"Id": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        old, new = before.properties, after.properties
        await self._put(context, new)
        renamed = old["PolicyName"] != new["PolicyName"]
        for listing, bearer in _BEARERS.items():
            for name in old.get(listing, ()):
                if renamed or name not in new.get(listing, ()):
                    await _remove(context, bearer, name, old["PolicyName"])
        return {"Id": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        for listing, bearer in _BEARERS.items():
            for name in model.properties.get(listing, ()):
                await _remove(context, bearer, name, model.properties["PolicyName"])

    async def read(self, context: Context, model: Model) -> Model | None:
        """The bearers that still have the policy. AWS does not check this type for drift."""
        properties = model.properties
        found: dict[str, Any] = {}
        document = ""
        for listing, bearer in _BEARERS.items():
            for name in properties.get(listing, ()):
                answer = await _inline(context, bearer, name, properties["PolicyName"])
                if answer is not None:
                    found.setdefault(listing, []).append(name)
                    document = answer
        if not found:
            return None
        return Model(self.schema.observed({**pick(properties, "PolicyName"), **found, "PolicyDocument": document}))

    async def _put(self, context: Context, properties: Properties) -> None:
        document = json_text(properties["PolicyDocument"])
        for listing, bearer in _BEARERS.items():
            for name in properties.get(listing, ()):
                place = {f"{bearer}Name": name, "PolicyName": properties["PolicyName"]}
                await context.call("iam", f"Put{bearer}Policy", PolicyDocument=document, **place)


class RolePolicy:
    """One inline policy of one role."""

    schema = Schema("AWS::IAM::RolePolicy", implemented=("PolicyDocument", "PolicyName", "RoleName"))

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        if await _inline(context, "Role", properties["RoleName"], properties["PolicyName"]) is not None:
            raise AlreadyExistsError(properties["PolicyName"])
        await self._put(context, properties)
        context.initiated(f"{properties['PolicyName']}|{properties['RoleName']}")
        return {}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        await self._put(context, after.properties)
        return {}

    async def delete(self, context: Context, model: Model) -> None:
        await _remove(context, "Role", model.properties["RoleName"], model.properties["PolicyName"])

    async def read(self, context: Context, model: Model) -> Model | None:
        properties = model.properties
        document = await _inline(context, "Role", properties["RoleName"], properties["PolicyName"])
        return None if document is None else Model(self.schema.observed({**properties, "PolicyDocument": document}))

    async def _put(self, context: Context, properties: Properties) -> None:
        # without a document the policy is an empty one
        document = json_text(properties.get("PolicyDocument", {}))
        place = pick(properties, "RoleName", "PolicyName")
        await context.call("iam", "PutRolePolicy", PolicyDocument=document, **place)


class ManagedPolicy:
    """A policy of its own, attached to the bearers that it lists."""

    schema = Schema(
        "AWS::IAM::ManagedPolicy",
        implemented=("Description", "ManagedPolicyName", "Path", "PolicyDocument", *_BEARERS),
        attributes=frozenset(
            {
                *("AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable", "PermissionsBoundaryUsageCount"),
                *("PolicyArn", "PolicyId", "UpdateDate"),
            }
        ),
        name_property="ManagedPolicyName",
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("ManagedPolicyName") or context.generated_name(128)
        created = await context.call(
            "iam",
            "CreatePolicy",
            PolicyName=name,
            PolicyDocument=json_text(properties["PolicyDocument"]),
            **pick(properties, "Description", "Path"),
        )
        context.initiated(created["Policy"]["Arn"])
        await self._attach(context, {}, properties)
        return await self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        arn = context.physical_id
        if before.properties["PolicyDocument"] != after.properties["PolicyDocument"]:
            await self._drop_versions(context)  # first, since a policy has five at most
            document = json_text(after.properties["PolicyDocument"])
            await context.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
            await self._drop_versions(context)
        await self._attach(context, before.properties, after.properties)
        return await self._attributes(context)

    async def delete(self, context: Context, model: Model) -> None:
        if await context.call_if_there("iam", "GetPolicy", PolicyArn=context.physical_id) is None:
            return
        await self._attach(context, model.properties, {})
        await self._drop_versions(context)
        await context.call_if_there("iam", "DeletePolicy", PolicyArn=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        arn = context.physical_id
        found = await context.call_if_there("iam", "GetPolicy", PolicyArn=arn)
        if found is None:
            return None
        policy = found["Policy"]
        version = await context.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
        bearers = await context.call("iam", "ListEntitiesForPolicy", PolicyArn=arn)
        listed = {
            listing: [each[f"{bearer}Name"] for each in bearers[f"Policy{bearer}s"]]
            for listing, bearer in _BEARERS.items()
        }
        document = policy_document(version["PolicyVersion"]["Document"])
        return Model(
            self.schema.observed(policy, ManagedPolicyName=policy["PolicyName"], PolicyDocument=document, **listed)
        )

    async def _attach(self, context: Context, old: Properties, new: Properties) -> None:
        arn = context.physical_id
        for listing, bearer in _BEARERS.items():
            was, wanted = old.get(listing, ()), new.get(listing, ())
            for name in was:
                if name not in wanted:
                    place = {f"{bearer}Name": name}
                    await context.call_if_there("iam", f"Detach{bearer}Policy", PolicyArn=arn, **place)
            for name in wanted:
                if name not in was:
                    await context.call("iam", f"Attach{bearer}Policy", PolicyArn=arn, **{f"{bearer}Name": name})

    async def _drop_versions(self, context: Context) -> None:
        """Deletes all versions but the one that holds."""
        arn = context.physical_id
        for version in (await context.call("iam", "ListPolicyVersions", PolicyArn=arn))["Versions"]:
            if not version["IsDefaultVersion"]:
                await context.call_if_there("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version["VersionId"])

    async def _attributes(self, context: Context) -> Attributes:
        policy = (await context.call("iam", "GetPolicy", PolicyArn=context.physical_id))["Policy"]
        dates = {name: policy[name].isoformat() for name in ("CreateDate", "UpdateDate")}
        return {
            "AttachmentCount": str(policy["AttachmentCount"]),
            "DefaultVersionId": policy["DefaultVersionId"],
            "IsAttachable": str(policy.get("IsAttachable", True)).lower(),
            "PermissionsBoundaryUsageCount": str(policy.get("PermissionsBoundaryUsageCount", 0)),
            "PolicyArn": policy["Arn"],
            "PolicyId": policy["PolicyId"],
            **dates,
        }


async def _inline(context: Context, bearer: str, name: str, policy: str) -> str | None:
    """The text of a bearer's inline policy; None where the one or the other is gone."""
    place = {f"{bearer}Name": name, "PolicyName": policy}
    found = await context.call_if_there("iam", f"Get{bearer}Policy", **place)
    return None if found is None else json_text(policy_document(found["PolicyDocument"]))


async def _remove(context: Context, bearer: str, name: str, policy: str) -> None:
    place = {f"{bearer}Name": name, "PolicyName": policy}
    await context.call_if_there("iam", f"Delete{bearer}Policy", **place)
