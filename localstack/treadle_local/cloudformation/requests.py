"""What the calls of CloudFormation's API ask for, read from their parameters."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.cloudformation import document
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.engine import Engine, Wanted
from treadle_local.cloudformation.errors import not_here, validation_error
from treadle_local.cloudformation.flows import OnFailure
from treadle_local.cloudformation.stacks import Stack
from treadle_local.cloudformation.template import Template, read_template
from treadle_local.cloudformation.validation import validate

# Parameters of CreateStack and UpdateStack that this engine would have to ignore.
_ELSEWHERE = (
    "DeploymentConfig",
    "NotificationARNs",
    "ResourceTypes",
    "RoleARN",
    "RollbackConfiguration",
    "StackPolicyBody",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "StackPolicyURL",
    "TimeoutInMinutes",
)
_IAM = "AWS::IAM::"
# What gives a resource of IAM a name of the template's choice. A policy within a role has to have one, and an access
# key says whose it is: neither counts.
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (Capabilities)
_NAMES_IN_IAM = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
_TOKEN = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}")
_CHANGE_SET_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_PATH_STYLE_HOSTS = ("s3.", "s3-", "localhost", "127.0.0.1", "0.0.0.0", "[::1]")  # noqa: S104 - names, not a bind


def required(params: Params, name: str) -> str:
    """A parameter that must be there. Raises: ValidationError."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        member = name[0].lower() + name[1:]
        raise validation_error(
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return value


def refuse(params: Params, operation: str, *names: str) -> None:
    """Refuses by name what the engine would have to ignore. Raises: ValidationError."""
    for name in names:
        if params.get(name):
            raise not_here(f"{operation} with {name}")


def refuse_unsupported(params: Params, operation: str) -> None:
    """Refuses what no operation that deploys a template has here. Raises: ValidationError."""
    refuse(params, operation, *_ELSEWHERE)


def stack_of(engine: Engine, params: Params, absent: str) -> Stack:
    """The stack that a call names. Raises: ValidationError with the text `absent`, which holds `{}`."""
    name = required(params, "StackName")
    stack = engine.find(name)
    if stack is None:
        raise validation_error(absent.format(name))
    return stack


_EnumT = TypeVar("_EnumT", bound=Enum)


def member_of(choices: type[_EnumT], params: Params, name: str) -> _EnumT | None:
    """A parameter that is one of a few words. Raises: ValidationError for any other."""
    value = params.get(name)
    if value is None:
        return None
    try:
        return choices(value)
    except ValueError:
        listed = ", ".join(str(each.value) for each in choices)
        member = name[0].lower() + name[1:]
        raise validation_error(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{listed}]"
        ) from None


def token(params: Params) -> str | None:
    """The caller's ClientRequestToken. Raises: ValidationError."""
    value = params.get("ClientRequestToken")
    if value is not None and not _TOKEN.fullmatch(value):
        raise validation_error(
            f"1 validation error detected: Value '{value}' at 'clientRequestToken' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"
        )
    return value


def change_set_name(params: Params) -> str:
    """The name of a new change set. Raises: ValidationError."""
    name = required(params, "ChangeSetName")
    if not _CHANGE_SET_NAME.fullmatch(name):
        raise validation_error(
            f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    return name


async def wanted(params: Params, aws: Aws, stack: Stack | None) -> Wanted:
    """What a call wants a stack to be; what it leaves out stays as the stack has it.

    Raises: ValidationError, InsufficientCapabilitiesException.
    """
    chosen = await template(params, aws, stack)
    capabilities = check_capabilities(chosen, params)
    given = tags(params) if stack is None or "Tags" in params else dict(stack.deployment.tags)
    return Wanted(chosen, parameters(params, stack), given, capabilities)


def on_failure(params: Params) -> OnFailure:
    """What CreateStack's `OnFailure` and `DisableRollback` ask for. Raises: ValidationError for both at once."""
    chosen, disabled = params.get("OnFailure"), params.get("DisableRollback")
    if chosen is not None and disabled is not None:
        raise validation_error("You can specify either DisableRollback or OnFailure, but not both.")
    if chosen is not None:
        return member_of(OnFailure, params, "OnFailure") or OnFailure.ROLLBACK
    return OnFailure.DO_NOTHING if disabled else OnFailure.ROLLBACK


def tags(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}


def parameters(params: Params, stack: Stack | None) -> dict[str, str]:
    """The given values, those that the stack has already included. Raises: ValidationError."""
    given: dict[str, str] = {}
    for entry in params.get("Parameters") or ():
        key: str = entry["ParameterKey"]
        if entry.get("UsePreviousValue"):
            if stack is None or key not in stack.deployment.parameter_texts:
                raise validation_error(
                    f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true "
                    "for a parameter key not in the previous template"
                )
            given[key] = stack.deployment.parameter_texts[key]
        elif "ParameterValue" in entry:
            given[key] = entry["ParameterValue"]
        else:
            raise validation_error(f"Invalid input for parameter key {key}. Either specify a value or usePreviousValue")
    return given


async def template(params: Params, aws: Aws, stack: Stack | None = None) -> Template:
    """The template that a call names: in its body, at a URL in S3, or the stack's own. Raises: ValidationError."""
    if params.get("UsePreviousTemplate"):
        if stack is None:
            raise validation_error("UsePreviousTemplate needs a stack.")
        return stack.deployment.template
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if (body is None) == (url is None):
        raise validation_error("Either Template URL or Template Body must be specified.")
    if body is None:
        body = await _fetch(str(url), aws)
    else:
        document.check_inline_size(body)
    return checked_template(body)


def checked_template(body: str) -> Template:
    """The valid template of a text. Raises: ValidationError."""
    read = read_template(body)
    validate(read)
    return read


def needed_capabilities(template: Template) -> tuple[str, ...]:
    """The capabilities that a caller must acknowledge."""
    needed: list[str] = []
    resources = [each for each in template.resources.values() if each.type.startswith(_IAM)]
    if any(_is_named(each.type, each.properties) for each in resources):
        needed.append("CAPABILITY_NAMED_IAM")
    elif resources:
        needed.append("CAPABILITY_IAM")
    if template.transforms:
        needed.append("CAPABILITY_AUTO_EXPAND")
    return tuple(needed)


def check_capabilities(template: Template, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The call's capabilities. Raises: InsufficientCapabilitiesException."""
    capabilities: tuple[str, ...] = tuple(str(each) for each in given.get("Capabilities") or ())
    missing = [
        capability
        for capability in needed_capabilities(template)
        if capability not in capabilities
        and not (capability == "CAPABILITY_IAM" and "CAPABILITY_NAMED_IAM" in capabilities)
    ]
    if missing:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")
    return capabilities


def _is_named(kind: str, properties: Any) -> bool:
    return _NAMES_IN_IAM.get(kind) in getattr(properties, "members", getattr(properties, "value", ()))


async def _fetch(url: str, aws: Aws) -> str:
    bucket, key = _bucket_and_key(url)
    try:
        answer = await aws.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
    except AwsError as error:
        raise validation_error(f"S3 error: {error.message}") from error
    text: bytes = answer["Body"]
    document.check_stored_size(text)
    return text.decode()


def _bucket_and_key(url: str) -> tuple[str, str]:
    """What a TemplateURL names: `https://bucket.s3.region.amazonaws.com/key`, or `http://host:port/bucket/key`."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    path = urllib.parse.unquote(parts.path).lstrip("/")
    if parts.scheme in ("http", "https"):
        if host.startswith(_PATH_STYLE_HOSTS):
            bucket, _, key = path.partition("/")
        else:
            bucket, key = host.partition(".s3")[0], path
        if bucket and key and (".s3" in host or host.startswith(_PATH_STYLE_HOSTS)):
            return bucket, key
    raise validation_error(f"TemplateURL must be a supported URL: {url}")
