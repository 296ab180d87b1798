"""The App: what a project's steps say, without a word of AWS. Made by discovery, read by the topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from treadle_infra.app.findings import SourceLocation

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

HttpMethod = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"]
"""`ANY`: an application's, which answers every method."""
TableOperation = Literal["get", "set", "delete", "get_group", "clear", "send", "update", "list_groups"]
Architecture = Literal["arm64", "x86_64"]
Runtime = Literal["python3.11", "python3.12", "python3.13", "python3.14"]
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
Validation = Literal["enforce", "warn", "off"]
"""What becomes of a body or message that does not fit its schema: refused, told in the log, or not looked at."""
LogLevel = Literal["debug", "info", "warn", "error"]
CronDialect = Literal["and", "unix"]
"""What an expression means that restricts the day of the month and the day of the week: both (Motia), or either."""


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """What a step says of a parameter in a request's query: for people and tools, nobody checks it."""

    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """The step answers HTTP requests. `path` is as written, in Express's syntax: `/orders/:id`.

    `query_parameters` and `response_schemas`, by status, document it.
    `middleware`: the keys under which the config has the trigger's middleware, None where it has no such key.
    `condition`, of any trigger: the keys of the function that decides whether the handler is called.
    """

    method: HttpMethod
    path: str
    body_schema: Json = None
    where: SourceLocation | None = None
    middleware: tuple[str | int, ...] | None = None
    condition: tuple[str | int, ...] | None = None
    query_parameters: tuple[QueryParameter, ...] = ()
    response_schemas: Mapping[str, Json] = field(default_factory=dict[str, Json])


Backoff = Literal["exponential", "fixed"]
"""How the waits before retries go on after the first: doubling, or all alike."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How messages wait for a step and what happens to one that fails.

    `max_retries` counts the attempts after the first. `visibility_timeout_seconds` None means: derived from the step's
    timeout. `concurrency` None means: as much as there is. `is_fifo`: the messages of a group come in order, each when
    the one before it is done. `backoff_seconds` is the wait before the first retry.
    """

    max_retries: int = 3
    visibility_timeout_seconds: int | None = None
    delay_seconds: int = 0
    concurrency: int | None = None
    is_fifo: bool = False
    backoff: Backoff = "exponential"
    backoff_seconds: int = 2


@dataclass(frozen=True, slots=True)
class TopicTrigger:
    """The step gets a copy of every message of `topic`."""

    topic: str
    input_schema: Json = None
    queue: QueueSettings = field(default_factory=QueueSettings)
    where: SourceLocation | None = None
    condition: tuple[str | int, ...] | None = None


@dataclass(frozen=True, slots=True)
class CronTrigger:
    """The step runs at these times.

    `expression` is as written: five fields (minute, hour, day of month, month, day of week), or six with leading
    seconds, which must be `0`. It has been parsed without an error. `timezone` is an IANA name; None means UTC.
    """

    expression: str
    timezone: str | None = None
    dialect: CronDialect = "and"
    where: SourceLocation | None = None
    condition: tuple[str | int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StateTrigger:
    """The step runs when a value of the app's state is created, updated or deleted."""

    where: SourceLocation | None = None
    condition: tuple[str | int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StreamTrigger:
    """The step runs when an item of `stream` is created, updated or deleted; `group` and `item` None: whichever."""

    stream: str
    group: str | None = None
    item: str | None = None
    where: SourceLocation | None = None
    condition: tuple[str | int, ...] | None = None


TableTrigger = StateTrigger | StreamTrigger
Trigger = HttpTrigger | TopicTrigger | CronTrigger | TableTrigger


@dataclass(frozen=True, slots=True)
class Emit:
    """A topic that a step declares to emit; `label` and `conditional` change only the picture."""

    topic: str
    label: str | None = None
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Virtual:
    """Edges that are only drawn: topics that come from, or go to, something outside the project."""

    emits: tuple[Emit, ...] = ()
    subscribes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """A step that is in the picture and never runs: one of type `noop`, or an event step that subscribes to nothing."""

    name: str
    kind: Literal["event", "noop"]
    where: SourceLocation
    emits: tuple[Emit, ...] = ()
    flows: tuple[str, ...] = ()
    virtual: Virtual = Virtual()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """AWS rights that a step asks for beyond what its code shows: IAM actions on resource ARNs (or `*`)."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the source of a step and of all that it imports does with the context, found without running it.

    An operation that cannot be told (`state = context.state` handed on) counts as all operations.
    `streams` has an entry for each stream that is named; `any_stream` holds the operations on streams whose name is
    computed.
    `topics` are those of literal `emit` calls; `emits_computed_topic` is set where a topic is an expression.
    """

    state: frozenset[TableOperation] = frozenset()
    streams: Mapping[str, frozenset[TableOperation]] = field(default_factory=dict[str, frozenset[TableOperation]])
    any_stream: frozenset[TableOperation] = frozenset()
    topics: frozenset[str] = frozenset()
    emits_computed_topic: SourceLocation | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One file with a config and a handler.

    `emits` None means any topic, as in Motia for `emits: []` or none at all. `files` is the import closure inside the
    project (the step's own file among them) and the data files that go with it, relative to the project, sorted.
    `imports` are the dotted names that those files take from third-party packages, sorted. `is_flow`: its config is in
    the dialect of Motia 1.0, and its handler is called as there. `application`: the path under which its module's
    `app`, an ASGI application, is served; None where it has a handler.
    `wraps_state_values`: what `state.get` returns answers `.get("data")` too, as in Motia's Python SDK.
    """

    name: str
    where: SourceLocation
    triggers: tuple[Trigger, ...]
    emits: tuple[Emit, ...] | None = None
    flows: tuple[str, ...] = ()
    virtual: Virtual = Virtual()
    description: str | None = None
    permissions: tuple[Permission, ...] = ()
    usage: Usage = field(default_factory=Usage)
    files: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    memory_mb: int = 256
    timeout_seconds: int | None = None
    is_flow: bool = False
    application: str | None = None
    validation: Validation = "warn"
    wraps_state_values: bool = False

    @property
    def path(self) -> str:
        """The step's file, relative to the project."""
        return self.where.path

    @property
    def table_triggers(self) -> tuple[TableTrigger, ...]:
        """Those on changes of state and of streams' items."""
        return tuple(trigger for trigger in self.triggers if isinstance(trigger, TableTrigger))


@dataclass(frozen=True, slots=True)
class Stream:
    """A named collection of items that clients can follow. `where` None means: used by a step, defined nowhere.

    `checks_access`: its definition has a `canAccess` or `onJoin`, asked at each join. `is_open`: everybody may follow
    it, on any stage; with neither, everybody may in `treadle dev`, and nobody elsewhere. `files` is then the import
    closure of the definition's file (that file among them), relative to the project, sorted; `imports` what they
    import from packages.
    """

    name: str
    where: SourceLocation | None = None
    schema: Json = None
    checks_access: bool = False
    is_open: bool = False
    files: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Authentication:
    """The project's own function that says who a WebSocket client is, asked once for each connection.

    `path` is its file, relative to the project; `files` is that file's import closure (itself among them), sorted.
    """

    path: str
    function: str
    files: tuple[str, ...]
    where: SourceLocation | None = None
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Third-party packages that go together: `key` is the SHA-256 of their contents, `names` are like `six 1.17.0`."""

    key: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where spans are sent: an OTLP/HTTP endpoint, to which `/v1/traces` is appended."""

    otlp_endpoint: str
    service_name: str


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may call the routes; by default all, as in Motia, without cookies.

    `*` among the headers does not stand for `authorization`, which is therefore named.
    Source: https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
    """

    allow_origins: tuple[str, ...] = ("*",)
    allow_methods: tuple[str, ...] = ("*",)
    allow_headers: tuple[str, ...] = ("*", "authorization")
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_seconds: int = 600


@dataclass(frozen=True, slots=True)
class App:
    """A whole project: steps and streams in a stable order (by path, by name).

    `cors` None: the steps answer for themselves, and a preflight is an OPTIONS step's.
    `shows_project_folder`: in `treadle dev`, steps see and write the project's folder, as in Motia.
    `packages`: what each function runs with, by its step's name; one that imports no package has no entry.
    `package`: the name of the project's folder where its files import it by that, else None.
    `tags` and `environment` are the project's own, by key;
    `secrets` are variables too, whose values are kept elsewhere. The tables of `production_stages`
    outlive their stack.
    """

    name: str
    steps: tuple[Step, ...] = ()
    streams: tuple[Stream, ...] = ()
    authentication: Authentication | None = None
    telemetry: Telemetry | None = None
    architecture: Architecture = "arm64"
    packages: Mapping[str, PackageSet] = field(default_factory=dict[str, PackageSet])
    cors: Cors | None = Cors()
    shows_project_folder: bool = False
    drawn: tuple[DrawnStep, ...] = ()
    package: str | None = None
    log_level: LogLevel = "info"
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    runtime: Runtime = "python3.13"
    log_retention_days: int = 14
    tags: tuple[tuple[str, str], ...] = ()
    production_stages: tuple[str, ...] = ("prod",)

    @property
    def decides_access(self) -> bool:
        """Whether code of the project's says who may follow streams."""
        return self.authentication is not None or any(stream.checks_access for stream in self.streams)

    @property
    def reacts_to_state(self) -> bool:
        """Whether a step has a trigger on changes of state."""
        return any(isinstance(trigger, StateTrigger) for step in self.steps for trigger in step.triggers)

    @property
    def python_version(self) -> str:
        """Of the runtime, as "3.13"."""
        return self.runtime.removeprefix("python")
