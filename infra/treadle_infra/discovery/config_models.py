"""What users write, as pydantic models: the configs of steps in both dialects, and of streams.

0.x has `type`, `subscribes`, `emits`; 1.0 has `triggers`, `enqueues`, and takes keys in snake_case too.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from treadle_infra.app.model import HttpMethod
from treadle_infra.app.paths import path_problems
from treadle_infra.discovery.child import FUNCTION

METHODS: dict[str, HttpMethod] = {
    "GET": "GET",
    "POST": "POST",
    "PUT": "PUT",
    "PATCH": "PATCH",
    "DELETE": "DELETE",
    "HEAD": "HEAD",
    "OPTIONS": "OPTIONS",
}
NAME_LIMIT = 128
RESERVED_PREFIX = "_treadle"

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+\Z")


def problem(code: str, message: str, hint: str | None = None) -> PydanticCustomError:
    """An error that becomes a finding with this code, message and hint."""
    return PydanticCustomError("treadle", "treadle", {"code": code, "message": message, "hint": hint})


def closest(word: str, words: list[str]) -> str | None:
    """A hint with the one of `words` that was probably meant."""
    matches = get_close_matches(word, words, 1, 0.6) or get_close_matches(word.lower(), words, 1, 0.6)
    return f"did you mean `{matches[0]}`?" if matches else None


def _name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LIMIT or _CONTROL_CHARACTERS.search(name):
        raise problem(
            "name-not-allowed",
            f"a name has 1 to {NAME_LIMIT} characters, no control characters among them; got {name!r}",
        )
    if name.lower().startswith(RESERVED_PREFIX):
        raise problem("name-not-allowed", f"names that begin with `{RESERVED_PREFIX}` are Treadle's own; got `{name}`")
    return name


def _topic(topic: str) -> str:
    if not topic.strip() or _CONTROL_CHARACTERS.search(topic):
        raise problem("step-config-invalid", f"a topic is a text without control characters; got {topic!r}")
    return topic


def _method(method: str) -> HttpMethod:
    known = METHODS.get(method.upper())
    if known is None:
        message = f"`method` must be one of {', '.join(METHODS)}; got `{method}`"
        matches = get_close_matches(method.upper(), METHODS, 1, 0.4)
        raise problem("step-config-invalid", message, f"did you mean `{matches[0]}`?" if matches else None)
    return known


def _path(path: str) -> str:
    for found in path_problems(path):
        raise problem(found.code, found.message, found.hint)
    return path


def _schema(schema: object) -> object:
    if not isinstance(schema, dict | bool):
        kind = type(schema).__name__
        raise problem("schema-invalid", f"a schema is a dict (JSON Schema), a pydantic model or None; got {kind}")
    return cast("object", schema)


def _function(value: object) -> object:
    """What the child process tells of a function."""
    if isinstance(value, dict):
        facts = cast("dict[str, object]", value).get(FUNCTION)
        if isinstance(facts, dict):
            return cast("object", facts)
    raise PydanticCustomError("function_type", "not a function")


def _emit(emit: object) -> object:
    return {"topic": emit} if isinstance(emit, str) else emit


def _without_empty(emits: object) -> object:
    """The list without empty texts, which declare nothing; the reader warns of them."""
    if not isinstance(emits, list):
        return emits
    return [emit for emit in cast("list[object]", emits) if emit != ""]


def _action(action: str) -> str:
    if action == "*" or not _ACTION.match(action):
        hint = "a policy that allows everything is not least privilege" if action == "*" else None
        raise problem(
            "permission-invalid", f"an action is `service:Action`, for example `s3:GetObject`; got `{action}`", hint
        )
    return action


def _resource(resource: str) -> str:
    if resource != "*" and not re.match(r"arn:[a-z0-9*-]+:[^\s]+\Z", resource):
        raise problem("permission-invalid", f"a resource is an ARN or `*`; got `{resource}`")
    return resource


Name = Annotated[str, AfterValidator(_name)]
Topic = Annotated[str, AfterValidator(_topic)]
Method = Annotated[str, AfterValidator(_method)]
Path = Annotated[str, AfterValidator(_path)]
Schema = Annotated[Any, BeforeValidator(_schema)]
Function = Annotated[dict[str, Any], BeforeValidator(_function)]


class _Object(BaseModel):
    """Strict: no key that is not listed, no conversion. None stands for a key that is left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _drop_none(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in cast("dict[str, object]", data).items() if value is not None}


class EmitConfig(_Object):
    topic: Topic
    label: str | None = None
    conditional: bool = False


EmitEntry = Annotated[EmitConfig, BeforeValidator(_emit)]
Emits = Annotated[list[EmitEntry], BeforeValidator(_without_empty)]


class PermissionConfig(_Object):
    actions: Annotated[list[Annotated[str, AfterValidator(_action)]], Field(min_length=1)]
    resources: Annotated[list[Annotated[str, AfterValidator(_resource)]], Field(min_length=1)]


class QueryParameter(_Object):
    name: str
    description: str | None = None


class _Step(_Object):
    name: Name
    description: str | None = None
    flows: list[str] = []
    include_files: list[str] = []
    permissions: list[PermissionConfig] = []
    infrastructure: dict[str, Any] | None = None
    virtual_subscribes: list[str] = []
    validation: Literal["enforce", "warn", "off"] | None = None


class _Step0(_Step):
    type: str
    emits: Emits = []
    virtual_emits: list[EmitEntry] = []


class ApiStep(_Step0):
    path: Path
    method: Method
    middleware: list[dict[str, Any]] | None = None
    query_params: list[QueryParameter] = []
    body_schema: Schema = None
    response_schema: dict[str, Any] | None = None


class EventStep(_Step0):
    subscribes: list[Topic]
    input: Schema = None


class CronStep(_Step0):
    cron: str
    timezone: str | None = None


class NoopStep(_Step0):
    """Only drawn. Motia requires both virtual lists; nothing is lost without them."""


class _Object1(_Object):
    model_config = ConfigDict(populate_by_name=True)


class QueueConfig1(_Object1):
    type: Literal["standard", "fifo"] = "standard"
    max_retries: int = 3
    visibility_timeout: int | None = None
    delay_seconds: int = 0
    concurrency: int | None = None
    backoff_type: Literal["exponential", "fixed"] | None = None
    backoff_delay_ms: int | None = None


class HttpTrigger1(_Object1):
    type: Literal["http", "api"]
    path: Path
    method: Method
    condition: Function | None = None
    middleware: list[dict[str, Any]] | None = None
    body_schema: Schema = None
    response_schema: dict[str, Any] | None = None
    query_params: list[QueryParameter] = []


class QueueTrigger1(_Object1):
    type: Literal["queue", "event"]
    topic: Topic
    condition: Function | None = None
    input: Schema = None
    config: QueueConfig1 = QueueConfig1()


class CronTrigger1(_Object1):
    type: Literal["cron"]
    expression: str
    timezone: str | None = None
    condition: Function | None = None


class StateTrigger1(_Object1):
    type: Literal["state"]
    condition: Function | None = None


class StreamTrigger1(_Object1):
    type: Literal["stream"]
    stream_name: Name
    group_id: str | None = None
    item_id: str | None = None
    condition: Function | None = None


class Step1(_Step):
    model_config = ConfigDict(populate_by_name=True)

    triggers: list[dict[str, Any]]
    enqueues: Emits = []
    emits: Emits = []
    virtual_enqueues: list[EmitEntry] = []


class BaseStreamConfig(_Object1):
    storage_type: str = "default"
    factory: Function | None = None


class StreamConfig(_Object1):
    name: Name
    description: str | None = None
    stream_schema: Annotated[Schema, Field(alias="schema")] = None
    base_config: BaseStreamConfig = BaseStreamConfig()
    can_access: Function | None = None
    access: Literal["open"] | None = None
    on_join: Function | None = None
    on_leave: Function | None = None
