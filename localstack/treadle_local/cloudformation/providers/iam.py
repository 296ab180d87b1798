"""AWS::IAM::Role."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from treadle_local.cloudformation.properties import json_text
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

_DEFAULT_SESSION_SECONDS = 3600


def policy_document(document: Any) -> Any:
    """A policy of IAM's answers, which are percent-encoded where no client has decoded them."""
    return unquote(document) if isinstance(document, str) and document.startswith("%7B") else document


class Role:
    schema = Schema(
        "AWS::IAM::Role",
        implemented=(
            *("AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path"),
            *("PermissionsBoundary", "Policies", "RoleName"),
        ),
        attributes=frozenset({"Arn", "RoleId"}),
        name_property="RoleName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("RoleName") or context.generated_name(64)
        created = await context.call_tagged(
            "iam",
            "CreateRole",
            TagForm.PAIRS,
            model.tags,
            RoleName=name,
            AssumeRolePolicyDocument=json_text(properties["AssumeRolePolicyDocument"]),
            **pick(properties, "Description", "MaxSessionDuration", "Path", "PermissionsBoundary"),
        )
        context.initiated(name)
        await self._set_policies(context, {}, properties)
        return {"Arn": created["Role"]["Arn"], "RoleId": created["Role"]["RoleId"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        name, old, new, changed = context.physical_id, before.properties, after.properties, before.changed(after)
        if "AssumeRolePolicyDocument" in changed:
            await context.call(
                "iam",
                "UpdateAssumeRolePolicy",
                RoleName=name,
                PolicyDocument=json_text(new["AssumeRolePolicyDocument"]),
            )
        if changed & {"Description", "MaxSessionDuration"}:
            await context.call(
                "iam",
                "UpdateRole",
                RoleName=name,
                Description=new.get("Description", ""),
                MaxSessionDuration=new.get("MaxSessionDuration", _DEFAULT_SESSION_SECONDS),
            )
        if "PermissionsBoundary" in changed:
            await self._set_boundary(context, new.get("PermissionsBoundary"))
        await self._set_policies(context, old, new)
        if "Tags" in changed:
            if removed := removed_keys(before, after):
                await context.call("iam", "UntagRole", RoleName=name, TagKeys=removed)
            await context.tag("iam", "TagRole", TagForm.PAIRS, after.tags, RoleName=name)
        role = (await context.call("iam", "GetRole", RoleName=name))["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    async def delete(self, context: Context, model: Model) -> None:
        """Removes the role with all its policies, those included that an interrupted change has left."""
        name = context.physical_id
        inline = await context.call_if_there("iam", "ListRolePolicies", RoleName=name)
        if inline is None:
            return
        for policy in inline["PolicyNames"]:
            await context.call_if_there("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)
        for arn in model.properties.get("ManagedPolicyArns", ()):
            await context.call_if_there("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        await context.call_if_there("iam", "DeleteRole", RoleName=name)

    async def read(self, context: Context, model: Model) -> Model | None:
        name = context.physical_id
        found = await context.call_if_there("iam", "GetRole", RoleName=name)
        if found is None:
            return None
        role = found["Role"]
        inline = (await context.call("iam", "ListRolePolicies", RoleName=name))["PolicyNames"]
        attached = (await context.call("iam", "ListAttachedRolePolicies", RoleName=name))["AttachedPolicies"]
        policies = [await context.call("iam", "GetRolePolicy", RoleName=name, PolicyName=each) for each in inline]
        properties = self.schema.observed(
            role,
            AssumeRolePolicyDocument=policy_document(role["AssumeRolePolicyDocument"]),
            ManagedPolicyArns=[policy["PolicyArn"] for policy in attached],
            PermissionsBoundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            Policies=[{**each, "PolicyDocument": policy_document(each["PolicyDocument"])} for each in policies],
        )
        return Model(properties, tags_of(role.get("Tags")))

    async def _set_boundary(self, context: Context, arn: str | None) -> None:
        if arn is None:
            await context.call_if_there("iam", "DeleteRolePermissionsBoundary", RoleName=context.physical_id)
        else:
            await context.call(
                "iam", "PutRolePermissionsBoundary", RoleName=context.physical_id, PermissionsBoundary=arn
            )

    async def _set_policies(self, context: Context, old: Properties, new: Properties) -> None:
        name = context.physical_id
        was = {policy["PolicyName"]: policy["PolicyDocument"] for policy in old.get("Policies", ())}
        wanted = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", ())}
        for policy in was.keys() - wanted.keys():
            await context.call_if_there("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)
        for policy, document in wanted.items():
            if was.get(policy) != document:
                await context.call(
                    "iam", "PutRolePolicy", RoleName=name, PolicyName=policy, PolicyDocument=json_text(document)
                )
        attached, managed = old.get("ManagedPolicyArns", ()), new.get("ManagedPolicyArns", ())
        for arn in attached:
            if arn not in managed:
                await context.call_if_there("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in managed:
            if arn not in attached:
                await context.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
