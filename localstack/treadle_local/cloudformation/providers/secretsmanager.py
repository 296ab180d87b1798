"""AWS::SecretsManager::Secret."""

from __future__ import annotations

import json
import uuid
from typing import Any

from treadle_local.cloudformation.errors import AlreadyExistsError, CallError, ResourceError
from treadle_local.cloudformation.json_values import is_object
from treadle_local.cloudformation.properties import parsed
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

_SERVICE = "secretsmanager"
_TEMPLATE = ("GenerateStringKey", "SecretStringTemplate")


class Secret:
    schema = Schema(
        "AWS::SecretsManager::Secret",
        implemented=("Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString"),
        attributes=frozenset({"Id"}),
        name_property="Name",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("Name") or context.generated_name(512)
        try:
            created = await context.call_tagged(
                _SERVICE,
                "CreateSecret",
                TagForm.PAIRS,
                model.tags,
                ClientRequestToken=str(uuid.uuid4()),
                Name=name,
                SecretString=await _secret(context, properties),
                **pick(properties, "Description", "KmsKeyId"),
            )
        except CallError as failure:
            if failure.code == "ResourceExistsException":
                raise AlreadyExistsError(name) from failure
            raise
        context.initiated(created["ARN"])
        return {"Id": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        arn, changed = context.physical_id, before.changed(after)
        secret = (
            await _secret(context, after.properties) if changed & {"SecretString", "GenerateSecretString"} else None
        )
        if secret is not None or changed & {"Description", "KmsKeyId"}:
            key = after.properties.get("KmsKeyId", "alias/aws/secretsmanager" if "KmsKeyId" in changed else None)
            description = after.properties.get("Description", "")
            await context.call(
                _SERVICE,
                "UpdateSecret",
                ClientRequestToken=str(uuid.uuid4()),
                Description=description,
                KmsKeyId=key,
                SecretId=arn,
                SecretString=secret,
            )
        if "Tags" in changed:
            if removed := removed_keys(before, after):
                await context.call(_SERVICE, "UntagResource", SecretId=arn, TagKeys=removed)
            await context.tag(_SERVICE, "TagResource", TagForm.PAIRS, after.tags, SecretId=arn)
        return {"Id": arn}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            _SERVICE, "DeleteSecret", SecretId=context.physical_id, ForceDeleteWithoutRecovery=True
        )

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there(_SERVICE, "DescribeSecret", SecretId=context.physical_id)
        if found is None or found.get("DeletedDate") is not None:
            return None
        return Model(self.schema.observed(found), tags_of(found.get("Tags")))


async def _secret(context: Context, properties: Properties) -> str | None:
    """The secret's text: as it is given, or generated. Raises: ResourceError."""
    if "SecretString" in properties and "GenerateSecretString" in properties:
        raise ResourceError("You can't specify both SecretString and GenerateSecretString. Specify one or the other.")
    if "GenerateSecretString" not in properties:
        return properties.get("SecretString")
    wanted: dict[str, Any] = properties["GenerateSecretString"]
    rules = {name: value for name, value in wanted.items() if name not in _TEMPLATE}
    password: str = (await context.call(_SERVICE, "GetRandomPassword", **rules))["RandomPassword"]
    if not any(name in wanted for name in _TEMPLATE):
        return password
    members = parsed(wanted.get("SecretStringTemplate"))
    if not is_object(members) or "GenerateStringKey" not in wanted:
        raise ResourceError("SecretStringTemplate must be a JSON object, and GenerateStringKey must be given with it.")
    return json.dumps({**members, wanted["GenerateStringKey"]: password})
