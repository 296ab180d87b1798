"""A function's configuration: from AWS's parameters to a `FunctionVersion`, and back to AWS's FunctionConfiguration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from treadle_local.aws.service import Params, Result
from treadle_local.functions.constraints import values_of
from treadle_local.functions.model import LATEST, CodePackage, FunctionVersion, LoggingSettings
from treadle_local.functions.refusals import constraint, invalid, not_here

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAXIMUM_MEMORY_MB = 10_240
MAXIMUM_TIMEOUT_SECONDS = 900
MAXIMUM_ENVIRONMENT_BYTES = 4_096
MAXIMUM_EPHEMERAL_STORAGE_MB = 10_240

# Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED_ENVIRONMENT = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)

# Runtimes that no function can be created with any more.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtimes-deprecated
_RETIRED_RUNTIMES = re.compile(
    r"nodejs|nodejs([468]|1[02468])\..*|python(2\.7|3\.[678])|dotnetcore.*|dotnet6|java8|go1\.x|provided|ruby2\..*"
)

_NOT_YET = (
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "DurableConfig",
    "FileSystemConfigs",
    "ImageConfig",
    "KMSKeyArn",
    "PublishTo",
    "RuntimeConfig",
    "TenancyConfig",
    "VpcConfig",
)


def new_version(name: str, arn: str, code: CodePackage, params: Params) -> FunctionVersion:
    """A function as CreateFunction's parameters describe it, with AWS's defaults."""
    if not params.get("Runtime") or not params.get("Handler"):
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    logging = LoggingSettings(_default_log_group(name))
    blank = FunctionVersion(name, LATEST, arn, params["Runtime"], params["Handler"], params["Role"], code, logging)
    return changed(blank, params)


def check_settings(params: Params) -> None:
    """Returns when what the parameters ask for is legal and can be had here; what they leave out is not looked at."""
    for member in _NOT_YET:
        if _asks(params.get(member)):
            raise not_here(f"{member} of a function")
    if params.get("PackageType", "Zip") != "Zip":
        raise not_here("PackageType Image of a function")
    if params.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise not_here("SnapStart of a function")
    if "Runtime" in params:
        _check_runtime(params["Runtime"])
    _check_maximum(params.get("MemorySize", 0), "MemorySize", MAXIMUM_MEMORY_MB)
    _check_maximum(
        params.get("EphemeralStorage", {}).get("Size", 0), "EphemeralStorage.Size", MAXIMUM_EPHEMERAL_STORAGE_MB
    )
    timeout_seconds = params.get("Timeout", 0)
    if timeout_seconds > MAXIMUM_TIMEOUT_SECONDS:
        rule = f"Member must have value less than or equal to {MAXIMUM_TIMEOUT_SECONDS}"
        raise constraint(timeout_seconds, "timeout", rule)
    _check_environment(params.get("Environment", {}).get("Variables", {}))
    _check_logging(params.get("LoggingConfig", {}))


def changed(version: FunctionVersion, params: Params) -> FunctionVersion:
    """The version with the settings that the parameters carry; an absent parameter changes nothing."""
    fields: dict[str, Any] = {
        field: params[member] for member, field in _PLAIN_MEMBERS.items() if params.get(member) is not None
    }
    if "Environment" in params:
        fields["environment"] = dict(params["Environment"].get("Variables") or {})
    if "Architectures" in params:
        fields["architectures"] = tuple(params["Architectures"])
    if "EphemeralStorage" in params:
        fields["ephemeral_storage_mb"] = params["EphemeralStorage"]["Size"]
    if "TracingConfig" in params:
        fields["tracing_mode"] = params["TracingConfig"].get("Mode", "PassThrough")
    if "LoggingConfig" in params:
        fields["logging"] = _logging(version.name, params["LoggingConfig"])
    return replace(version, **fields)


_PLAIN_MEMBERS = {
    "Role": "role_arn",
    "Handler": "handler",
    "Runtime": "runtime",
    "Description": "description",
    "Timeout": "timeout_seconds",
    "MemorySize": "memory_mb",
}


def render(version: FunctionVersion, arn: str) -> Result:
    """AWS's FunctionConfiguration of a version, under the ARN that it was asked for by."""
    result: Result = {
        "FunctionName": version.name,
        "FunctionArn": arn,
        "Runtime": version.runtime,
        "Role": version.role_arn,
        "Handler": version.handler,
        "CodeSize": version.code.size,
        "Description": version.description,
        "Timeout": version.timeout_seconds,
        "MemorySize": version.memory_mb,
        "LastModified": moment(version.last_modified),
        "CodeSha256": version.code.sha256_base64,
        "Version": version.version,
        "TracingConfig": {"Mode": version.tracing_mode},
        "RevisionId": version.revision_id,
        "State": version.state,
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": list(version.architectures),
        "EphemeralStorage": {"Size": version.ephemeral_storage_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": _rendered_logging(version.logging),
    }
    if version.layers:
        packages = zip(version.layers, version.layer_packages, strict=True)
        result["Layers"] = [{"Arn": layer, "CodeSize": package.size} for layer, package in packages]
    if version.environment:
        result["Environment"] = {"Variables": dict(version.environment)}
    return result


def moment(seconds: float) -> str:
    """A time as Lambda writes it: 2026-01-31T12:00:00.000+0000"""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _asks(value: object) -> bool:
    """Whether a parameter asks for something: an empty structure, as tools send it, does not."""
    if isinstance(value, Mapping):
        return any(_asks(member) for member in cast("Mapping[str, object]", value).values())
    return bool(value)


def _check_runtime(runtime: str) -> None:
    known = values_of("Runtime")
    if runtime not in known:
        offered = ", ".join(sorted(one for one in known if not _RETIRED_RUNTIMES.fullmatch(one)))
        raise invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{offered}] or be a valid ARN"
        )
    if _RETIRED_RUNTIMES.fullmatch(runtime):
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )


def _check_maximum(value: int, member: str, maximum: int) -> None:
    """AWS's model allows more than an account does; the account's own bound is worded differently."""
    if value > maximum:
        raise invalid(
            f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {maximum}"
        )


def _check_environment(variables: Mapping[str, str]) -> None:
    unable = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(RESERVED_ENVIRONMENT.intersection(variables))
    if reserved:
        raise invalid(
            f"{unable} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > MAXIMUM_ENVIRONMENT_BYTES:
        raise invalid(f"{unable} exceeded the 4KB limit. String measured: {measured}")


def _check_logging(logging: Mapping[str, Any]) -> None:
    if logging.get("LogFormat") != "JSON":
        for level in ("ApplicationLogLevel", "SystemLogLevel"):
            if logging.get(level):
                raise invalid(f"{level} is only supported when LogFormat is set to JSON.")


def _logging(name: str, logging: Mapping[str, Any]) -> LoggingSettings:
    """A LoggingConfig replaces the earlier one whole."""
    group = logging.get("LogGroup") or _default_log_group(name)
    if logging.get("LogFormat") != "JSON":
        return LoggingSettings(group)
    levels = logging.get("ApplicationLogLevel", "INFO"), logging.get("SystemLogLevel", "INFO")
    return LoggingSettings(group, "JSON", *levels)


def _default_log_group(name: str) -> str:
    return f"/aws/lambda/{name}"


def _rendered_logging(logging: LoggingSettings) -> Result:
    result: Result = {"LogFormat": logging.format, "LogGroup": logging.group}
    if logging.format == "JSON":
        result["ApplicationLogLevel"] = logging.application_level
        result["SystemLogLevel"] = logging.system_level
    return result
