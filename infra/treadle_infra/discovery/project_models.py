"""What a project file can say, as pydantic models. Names, types and defaults stand here and in docs/project-file.md."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from treadle.names import APP_NAME_LIMIT, STAGE_NAME_LIMIT, is_app_name, is_stage_name, legal_app_name
from treadle_infra.app.model import Architecture, CronDialect, LogLevel, Runtime, Validation
from treadle_infra.discovery.config_models import problem
from treadle_infra.discovery.validation import shown

INVALID_CODE = "project-setting-invalid"
_NAME_CODE = "app-name-not-allowed"

LOG_RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
MEMORY_MB = (128, 10_240)
TIMEOUT_SECONDS = (1, 900)
"""Source, of both: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
CORS_MAX_AGE_SECONDS = (0, 86_400)
"""Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html"""

_FUNCTION = re.compile(r"(?P<path>[^:]+\.py):(?P<function>[^\W\d]\w*)")
_ENDPOINT = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?P<path>/[^\s?#]*)?", re.ASCII)
_CREDENTIALS = re.compile(r"https?://[^/]*@")
_TRACES_PATH = "/v1/traces"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/*?#@]+")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_Environment.html"""
_RESERVED = re.compile(
    r"TREADLE_.*|AWS_(?:LAMBDA_.*|REGION|DEFAULT_REGION|EXECUTION_ENV|ACCESS_KEY|ACCESS_KEY_ID|SECRET_ACCESS_KEY"
    r"|SESSION_TOKEN)|LAMBDA_(?:TASK_ROOT|RUNTIME_DIR)"
)
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime"""
_TAG_CHARACTERS = re.compile(r"[\w\s.:/=+\-@]*")
_TAG_KEY_LIMIT, _TAG_VALUE_LIMIT = 128, 256
"""Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""


def _app_name(name: object) -> object:
    if isinstance(name, str) and is_app_name(name):
        return name
    message = (
        f"`{name}` cannot be an app's name: at most {APP_NAME_LIMIT} lower-case letters, digits and single dashes, "
        "a letter first"
    )
    raise problem(_NAME_CODE, message, f"write `{legal_app_name(str(name))}`")


def _stage_name(name: str) -> str:
    if not is_stage_name(name):
        message = (
            f"`{name}` cannot be a stage's name: at most {STAGE_NAME_LIMIT} lower-case letters, digits and single "
            "dashes, a letter first"
        )
        raise problem(INVALID_CODE, message)
    return name


def _retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        nearest = min(LOG_RETENTION_DAYS, key=lambda known: abs(known - days))
        message = f"`log_retention_days` must be one of {', '.join(map(str, LOG_RETENTION_DAYS))}; got {days}"
        raise problem(INVALID_CODE, message, f"the nearest is {nearest}")
    return days


def _origin(origin: str) -> str:
    if origin != "*" and not _ORIGIN.fullmatch(origin):
        message = f"an origin is `*`, or a scheme and a host without a path; got {shown(origin)}"
        raise problem(INVALID_CODE, message, "for example `https://shop.example.com`")
    return origin


def _method(method: str) -> str:
    if method != "*" and method not in _METHODS:
        raise problem(INVALID_CODE, f"a method is `*` or one of {', '.join(_METHODS)}; got {shown(method)}")
    return method


def _header(header: str) -> str:
    if not _HEADER.fullmatch(header):
        raise problem(INVALID_CODE, f"a header's name has no spaces and no colon; got {shown(header)}")
    return header


def _cors(cors: object) -> object:
    if cors is True:
        raise problem(INVALID_CODE, "`cors` must be `false` or a table; got `true`", "leave it out for the defaults")
    return None if cors is False else cors


def _authenticate(text: object) -> object:
    match = _FUNCTION.fullmatch(text) if isinstance(text, str) else None
    path = match["path"].removeprefix("./") if match else ""
    if match is None or path.startswith("/") or "\\" in path or {"", ".", ".."} & set(path.split("/")):
        message = f"`authenticate` must be a Python file of the project and a function in it; got {shown(text)}"
        raise problem(INVALID_CODE, message, "for example `auth.py:authenticate`")
    return f"{path}:{match['function']}"


def _endpoint(endpoint: object) -> object:
    example = "for example `http://localhost:4318`"
    if isinstance(endpoint, str) and _CREDENTIALS.match(endpoint):
        message = "`otlp_endpoint` must not have credentials in it"
        raise problem(INVALID_CODE, message, "set OTEL_EXPORTER_OTLP_HEADERS in the environment")
    match = _ENDPOINT.fullmatch(endpoint) if isinstance(endpoint, str) else None
    if match is None:
        raise problem(INVALID_CODE, f"`otlp_endpoint` must be an HTTP address; got {shown(endpoint)}", example)
    if (match["path"] or "").rstrip("/").endswith(_TRACES_PATH):
        message = f"`otlp_endpoint` must not end in `{_TRACES_PATH}`, which is appended"
        raise problem(INVALID_CODE, message, "leave it out")
    return str(endpoint).rstrip("/")


def _service_name(name: object) -> object:
    if not isinstance(name, str) or not name.strip():
        raise problem(INVALID_CODE, f"`service_name` must be a text; got {shown(name)}")
    return name


def _tag_key(key: str) -> str:
    if not 0 < len(key) <= _TAG_KEY_LIMIT or not _TAG_CHARACTERS.fullmatch(key) or key != key.strip():
        message = (
            f"a tag's key has 1 to {_TAG_KEY_LIMIT} letters, digits, spaces and `_ . : / = + - @`; got {shown(key)}"
        )
        raise problem(INVALID_CODE, message)
    if key.lower().startswith(("aws:", "treadle:")):
        raise problem(INVALID_CODE, f"tags that begin with `aws:` or `treadle:` are not the project's; got `{key}`")
    return key


def _tag_value(value: str) -> str:
    if len(value) > _TAG_VALUE_LIMIT or not _TAG_CHARACTERS.fullmatch(value):
        limit = f"at most {_TAG_VALUE_LIMIT} letters, digits, spaces and `_ . : / = + - @`"
        raise problem(INVALID_CODE, f"a tag's value has {limit}; got {shown(value)}")
    return value


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        message = f"a variable's name is a letter and at least one more letter, digit or `_`; got {shown(name)}"
        raise problem(INVALID_CODE, message)
    if _RESERVED.fullmatch(name):
        raise problem(INVALID_CODE, f"`{name}` is set by Lambda or by Treadle: no project can set it")
    return name


def _value(value: str) -> str:
    if "\0" in value:
        raise problem(INVALID_CODE, "a variable's value cannot have a NUL in it")
    return value


class Table(BaseModel):
    """Strict: no key that is not listed, no conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CorsTable(Table):
    """`methods` and `headers` None: all, as far as the origins and credentials let them."""

    origins: Annotated[list[Annotated[str, AfterValidator(_origin)]], Field(min_length=1)] = ["*"]
    methods: Annotated[list[Annotated[str, AfterValidator(_method)]], Field(min_length=1)] | None = None
    headers: Annotated[list[Annotated[str, AfterValidator(_header)]], Field(min_length=1)] | None = None
    expose_headers: list[Annotated[str, AfterValidator(_header)]] = []
    credentials: bool = False
    max_age_seconds: Annotated[int, Field(ge=CORS_MAX_AGE_SECONDS[0], le=CORS_MAX_AGE_SECONDS[1])] = 600


class StreamsTable(Table):
    authenticate: Annotated[str | None, BeforeValidator(_authenticate)] = None
    access: Literal["open"] | None = None


class TelemetryTable(Table):
    otlp_endpoint: Annotated[str | None, BeforeValidator(_endpoint)] = None
    service_name: Annotated[str | None, BeforeValidator(_service_name)] = None


class StageTable(Table):
    """What one stage can say otherwise than the project."""

    runtime: Runtime = "python3.13"
    architecture: Architecture = "arm64"
    memory_mb: Annotated[int, Field(ge=MEMORY_MB[0], le=MEMORY_MB[1])] = 256
    timeout_seconds: Annotated[int, Field(ge=TIMEOUT_SECONDS[0], le=TIMEOUT_SECONDS[1])] | None = None
    cron_dialect: CronDialect = "and"
    validation: Validation = "enforce"
    compatibility: list[Literal["motia-state-values", "motia-project-folder"]] = []
    log_level: LogLevel = "info"
    log_retention_days: Annotated[int, AfterValidator(_retention)] = 14
    environment: dict[Annotated[str, AfterValidator(_variable)], Annotated[str, AfterValidator(_value)]] = {}
    secrets: list[Annotated[str, AfterValidator(_variable)]] = []
    cors: Annotated[CorsTable | None, BeforeValidator(_cors)] = CorsTable()
    streams: StreamsTable = StreamsTable()
    telemetry: TelemetryTable = TelemetryTable()
    tags: dict[Annotated[str, AfterValidator(_tag_key)], Annotated[str, AfterValidator(_tag_value)]] = {}


class ProjectTable(StageTable):
    """The whole of `[tool.treadle]`."""

    name: Annotated[str | None, BeforeValidator(_app_name)] = None
    production_stages: list[Annotated[str, AfterValidator(_stage_name)]] = ["prod"]
    stages: dict[Annotated[str, AfterValidator(_stage_name)], StageTable] = {}
