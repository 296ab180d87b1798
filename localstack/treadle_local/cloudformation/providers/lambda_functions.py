"""AWS::Lambda::Function."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.properties import TEXT, TEXT_MAP, TEXTS, Record, Text, Whole
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

_CODE = Record(
    {"S3Bucket": TEXT, "S3Key": TEXT, "S3ObjectVersion": TEXT, "ZipFile": TEXT},
    elsewhere=frozenset({"ImageUri", "S3ObjectStorageMode", "SourceKMSKeyArn"}),
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
        properties=Record(
            {
                "Architectures": TEXTS,
                "Code": _CODE,
                "DeadLetterConfig": Record({"TargetArn": TEXT}),
                "Description": TEXT,
                "Environment": Record({"Variables": TEXT_MAP}),
                "EphemeralStorage": Record({"Size": Whole(512, 10240)}, required=("Size",)),
                "FunctionName": TEXT,
                "Handler": TEXT,
                "KmsKeyArn": TEXT,
                "Layers": TEXTS,
                "LoggingConfig": Record(
                    {
                        "ApplicationLogLevel": TEXT,
                        "LogFormat": Text(("Text", "JSON")),
                        "LogGroup": TEXT,
                        "SystemLogLevel": TEXT,
                    }
                ),
                "MemorySize": Whole(128, 10240),
                "PackageType": Text(("Zip",)),
                "ReservedConcurrentExecutions": Whole(0),
                "Role": TEXT,
                "Runtime": TEXT,
                "SnapStart": Record({"ApplyOn": Text(("PublishedVersions", "None"))}, required=("ApplyOn",)),
                "Timeout": Whole(1, 900),
                "TracingConfig": Record({"Mode": Text(("Active", "PassThrough"))}),
            },
            required=("Code", "Role"),
            elsewhere=frozenset(
                {
                    "CapacityProviderConfig",
                    "CodeSigningConfigArn",
                    "DurableConfig",
                    "FileSystemConfigs",
                    "FunctionScalingConfig",
                    "ImageConfig",
                    "PublishToLatestPublished",
                    "RecursiveLoop",
                    "RuntimeManagementConfig",
                    "TenancyConfig",
                    "VpcConfig",
                }
            ),
        ),
        create_only=frozenset({"FunctionName", "PackageType"}),
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
