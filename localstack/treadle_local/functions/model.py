"""What the Lambda service knows, as values: versions of functions, aliases, event source mappings, invocations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

LATEST = "$LATEST"

InvocationType = Literal["RequestResponse", "Event"]


@dataclass(frozen=True, slots=True)
class CodePackage:
    """A deployment package. Two packages are equal when their hashes are. `is_unlimited`: it may have any size."""

    sha256_base64: str
    size: int
    content: bytes = field(repr=False, compare=False)
    unzipped_size: int = field(default=0, compare=False)
    is_unlimited: bool = field(default=False, compare=False)

    def read(self) -> bytes:
        """The zip file."""
        return self.content


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """Where and how a function logs. The levels are set exactly when the format is JSON."""

    group: str
    format: Literal["JSON", "Text"] = "Text"
    application_level: str | None = None
    system_level: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One version of a function: what an execution environment is made from.

    `version` is `$LATEST` or a number; `$LATEST` is replaced by a new value, with a new `revision_id`, at every change.
    `layers` are ARNs, `layer_packages` what was published under them: deleted layers stay with their functions.
    """

    name: str
    version: str
    arn: str
    runtime: str
    handler: str
    role_arn: str
    code: CodePackage
    logging: LoggingSettings
    timeout_seconds: int = 3
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    layers: tuple[str, ...] = ()
    layer_packages: tuple[CodePackage, ...] = ()
    architectures: tuple[str, ...] = ("x86_64",)
    ephemeral_storage_mb: int = 512
    tracing_mode: Literal["Active", "PassThrough"] = "PassThrough"
    description: str = ""
    last_modified: float = 0.0
    revision_id: str = ""
    state: Literal["Active"] = "Active"

    @property
    def qualified_arn(self) -> str:
        return f"{self.arn}:{self.version}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version; `weights` are the shares (0..1) of invocations that go to other versions."""

    name: str
    arn: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision_id: str


@dataclass(frozen=True, slots=True)
class AsynchronousSettings:
    """What becomes of an asynchronous invocation that fails; None is AWS's default (2 retries, 6 hours)."""

    arn: str
    last_modified: float
    maximum_retry_attempts: int | None = None
    maximum_event_age_seconds: int | None = None
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a mapping on a table's change stream has and one on a queue has not; -1 is no limit."""

    starting_position: Literal["TRIM_HORIZON", "LATEST"]
    parallelization_factor: int = 1
    bisect_batch_on_function_error: bool = False
    maximum_retry_attempts: int = -1
    maximum_record_age_seconds: int = -1


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """A queue or a table's change stream whose records a function is invoked with.

    `function_arn` carries the qualifier that the mapping was made with. `filters` are patterns as JSON texts, of which
    one must match; `stream` is None for a queue; `destination` takes what a stream's mapping gives up.
    """

    uuid: str
    source_arn: str
    function_arn: str
    batch_size: int
    window_seconds: int
    enabled: bool
    last_modified: float
    report_batch_item_failures: bool = False
    maximum_concurrency: int | None = None
    filters: tuple[str, ...] = ()
    destination: str | None = None
    stream: StreamSettings | None = None


class InvokeRequest(NamedTuple):
    """How a function is invoked. `client_context` is JSON text; a missing `trace_header` is for the runtime to make."""

    invocation_type: InvocationType
    request_id: str
    invoked_arn: str
    qualifier: str | None = None
    client_context: str | None = None
    log_type: Literal["None", "Tail"] = "None"
    trace_header: str | None = None


class InvokeOutcome(NamedTuple):
    """What came back: the result or the error document, what kind of error, and the last 4 KB of the log."""

    payload: bytes
    function_error: str | None = None
    log_tail: str = ""
    duration_ms: float = 0.0


class Backing(Protocol):
    """What the Lambda service needs of the rest of the emulator."""

    async def read_object(self, bucket: str, key: str) -> bytes:
        """An S3 object. Raises AwsError NoSuchBucket, NoSuchKey."""
        ...

    def is_unlimited(self, bucket: str, key: str) -> bool:
        """Whether an S3 object may have any size as a layer: those of `treadle dev`, which says so to its user."""
        ...

    def trusts(self, role_arn: str, service_principal: str) -> bool | None:
        """Whether the service may assume the role; None where there is no such role."""
        ...

    def role_allows(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether the role's policies allow the action."""
        ...

    async def invoke(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        """Runs the function once. Raises AwsError where it could not be run."""
        ...

    def source_exists(self, arn: str) -> bool:
        """Whether there is such a queue or table stream."""
        ...

    def queue_visibility_timeout(self, arn: str) -> int | None:
        """The queue's visibility timeout in seconds; None where it is not known."""
        ...

    def function_changed(self, name: str) -> None:
        """The function was changed or deleted: environments of its earlier revisions are to be retired."""
        ...

    def mappings_changed(self) -> None:
        """Event source mappings are to be read anew."""
        ...

    async def send_to(self, destination_arn: str, body: str) -> None:
        """Sends to a queue or publishes to a topic. Raises AwsError where that is refused."""
        ...
