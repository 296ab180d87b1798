"""AWS::Lambda::Function."""

from __future__ import annotations

import io
import zipfile
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

# What a removed property goes back to. Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_DEFAULTS: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Handler": None,
    "KMSKeyArn": "",
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Role": None,
    "Runtime": None,
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


class Function:
    schema = Schema(
        "AWS::Lambda::Function",
        implemented=(
            *("Architectures", "Code/S3Bucket", "Code/S3Key", "Code/ZipFile"),
            *("DeadLetterConfig", "Description", "Environment", "EphemeralStorage", "FunctionName", "Handler"),
            *("KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType", "ReservedConcurrentExecutions"),
            *("Role", "Runtime", "SnapStart", "Timeout", "TracingConfig"),
        ),
        attributes=frozenset({"Arn"}),
        name_property="FunctionName",
        tags=TagForm.PAIRS,
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        properties = model.properties
        name = properties.get("FunctionName") or context.generated_name(64)
        created = await context.call_tagged(
            "lambda",
            "CreateFunction",
            TagForm.MAP,
            model.tags,
            FunctionName=name,
            Code=_code(properties),
            **_configuration(properties),
            **pick(properties, "Architectures", "PackageType"),
        )
        context.initiated(name)
        await self._reserve(context, properties.get("ReservedConcurrentExecutions"))
        return {"Arn": created["FunctionArn"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        name, changed = context.physical_id, before.changed(after)
        if changed & {"Code", "Architectures"}:
            await context.call(
                "lambda",
                "UpdateFunctionCode",
                FunctionName=name,
                Architectures=after.properties.get("Architectures", ["x86_64"]),
                **_code(after.properties),
            )
        old, new = _configuration(before.properties), _configuration(after.properties)
        settings = {
            setting: new.get(setting, default)
            for setting, default in _DEFAULTS.items()
            if old.get(setting) != new.get(setting)
        }
        if settings:
            await context.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, **settings)
        if "ReservedConcurrentExecutions" in changed:
            await self._reserve(context, after.properties.get("ReservedConcurrentExecutions"), reset=True)
        arn = context.region.arn("lambda", f"function:{name}")
        if "Tags" in changed:
            if removed := removed_keys(before, after):
                await context.call("lambda", "UntagResource", Resource=arn, TagKeys=removed)
            await context.tag("lambda", "TagResource", TagForm.MAP, after.tags, Resource=arn)
        return {"Arn": arn}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("lambda", "DeleteFunction", FunctionName=context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call_if_there("lambda", "GetFunction", FunctionName=context.physical_id)
        if found is None:
            return None
        configuration = found["Configuration"]
        properties = self.schema.observed(
            configuration,
            KmsKeyArn=configuration.get("KMSKeyArn"),
            Layers=[layer["Arn"] for layer in configuration.get("Layers", ())],
            ReservedConcurrentExecutions=found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        )
        return Model(properties, tags_of(found.get("Tags")))

    async def _reserve(self, context: Context, executions: int | None, *, reset: bool = False) -> None:
        name = context.physical_id
        if executions is not None:
            await context.call(
                "lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=executions
            )
        elif reset:
            await context.call_if_there("lambda", "DeleteFunctionConcurrency", FunctionName=name)


def split_qualifier(function: str) -> tuple[str, str | None]:
    """A function's name or ARN without, and its version or alias, if it has one.

    >>> split_qualifier("orders:live")
    ('orders', 'live')
    """
    unqualified_colons = 6 if function.startswith("arn:") else 0
    if function.count(":") > unqualified_colons:
        name, qualifier = function.rsplit(":", 1)
        return name, qualifier
    return function, None


def _configuration(properties: Properties) -> dict[str, Any]:
    """The members that CreateFunction and UpdateFunctionConfiguration have in common."""
    settings = {name: properties[name] for name in _DEFAULTS if name in properties}
    if "KmsKeyArn" in properties:
        settings["KMSKeyArn"] = properties["KmsKeyArn"]
    return settings


def _code(properties: Properties) -> dict[str, Any]:
    """The code as the Lambda API takes it: inline source in a zip, as `index` in the runtime's language."""
    code: dict[str, str] = properties["Code"]
    match code:
        case {"ZipFile": source}:
            runtime: str = properties.get("Runtime", "")
            if not runtime.startswith(("python", "nodejs")):
                raise ResourceError(f"ZipFile can only be used with Python and Node.js runtimes, not {runtime}")
            return {"ZipFile": _zipped("index.py" if runtime.startswith("python") else "index.js", source)}
        case {"S3Bucket": _, "S3Key": _}:
            return dict(code)
        case _:
            raise ResourceError("Please provide a source for function code.")


def _zipped(name: str, source: str) -> bytes:
    """A zip of one file, the same bytes for the same source."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return buffer.getvalue()
