"""Apps for tests of the compiler: the messaging app of the home page, and any app that discovery could hand on."""

from __future__ import annotations

from typing import TypedDict, Unpack, get_args

from hypothesis import strategies as st

from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import (
    App,
    CronTrigger,
    Emit,
    HttpMethod,
    HttpTrigger,
    Permission,
    QueueSettings,
    Step,
    Stream,
    TableOperation,
    TopicTrigger,
    Trigger,
    Usage,
)


def messaging_app() -> App:
    """A request becomes a message, which a second step works off; a third one counts them every day."""
    return App(
        "my-app",
        steps=(
            Step(
                "SendMessage",
                SourceLocation("steps/api_step.py", 1),
                triggers=(HttpTrigger("POST", "/messages", where=SourceLocation("steps/api_step.py", 4)),),
                emits=(Emit("message.sent"),),
                flows=("messaging",),
                usage=Usage(
                    state=operations("set"),
                    streams={"messages": operations("set")},
                    topics=frozenset({"message.sent"}),
                ),
                files=("steps/api_step.py",),
            ),
            Step(
                "ProcessMessage",
                SourceLocation("steps/event_step.py", 1),
                triggers=(TopicTrigger("message.sent", where=SourceLocation("steps/event_step.py", 4)),),
                emits=(Emit("message.processed"),),
                flows=("messaging",),
                usage=Usage(
                    state=operations("set"),
                    streams={"processed": operations("set")},
                    topics=frozenset({"message.processed"}),
                ),
                files=("steps/event_step.py",),
            ),
            Step(
                "DailySummary",
                SourceLocation("steps/cron_step.py", 1),
                triggers=(CronTrigger("0 9 * * *", where=SourceLocation("steps/cron_step.py", 4)),),
                emits=(Emit("summary.generated"),),
                flows=("messaging",),
                usage=Usage(state=operations("get_group", "set"), topics=frozenset({"summary.generated"})),
                files=("steps/cron_step.py",),
            ),
        ),
        streams=(Stream("messages", SourceLocation("steps/messages_stream.py", 1)), Stream("processed")),
    )


def operations(*names: TableOperation) -> frozenset[TableOperation]:
    return frozenset(names)


class StepFields(TypedDict, total=False):
    """What a test may say about a step besides its name and triggers."""

    emits: tuple[Emit, ...] | None
    flows: tuple[str, ...]
    permissions: tuple[Permission, ...]
    usage: Usage
    memory_mb: int
    timeout_seconds: int | None


def http_step(name: str, *, path: str = "/things", method: HttpMethod = "GET", **fields: Unpack[StepFields]) -> Step:
    return _step(name, (HttpTrigger(method, path),), fields)


def cron_step(
    name: str, expression: str = "0 9 * * *", timezone: str | None = None, **fields: Unpack[StepFields]
) -> Step:
    return _step(name, (CronTrigger(expression, timezone),), fields)


def topic_step(name: str, *topics: str, queue: QueueSettings | None = None, **fields: Unpack[StepFields]) -> Step:
    return _step(name, tuple(TopicTrigger(topic, queue=queue or QueueSettings()) for topic in topics), fields)


def _step(name: str, triggers: tuple[Trigger, ...], fields: StepFields) -> Step:
    where = SourceLocation(f"steps/{name.lower()}_step.py", 1)
    return Step(name, where, triggers, files=(where.path,), **fields)


_ADVERSARIAL_NAMES = [
    "Message",
    "message",
    "message.sent",
    "Queue",
    "PolicyOfQueue",
    "_x",
    "-",
    "a--b",
    "a-0123456789",
    "a-ABCDEF0123",
    "Ax0123456789",
    "AX0123456789",
    "aws:tag",
    " padded ",
    "größe",
    "名前",
    "x" * 128,
    "x" * 127 + "y",
]
names = st.one_of(
    st.sampled_from(_ADVERSARIAL_NAMES),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=128),
    st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,80}", fullmatch=True),
    st.from_regex(r"[A-Za-z]{0,4}[-X][0-9a-fA-F]{10}", fullmatch=True),
)
app_names = st.one_of(st.just("a" * 28), st.from_regex(r"[a-z][a-z0-9]{0,12}(-[a-z0-9]{1,6}){0,2}", fullmatch=True))
stage_names = st.one_of(
    st.just("s" * 12), st.just("dev"), st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5})?", fullmatch=True)
)

table_operations: tuple[TableOperation, ...] = get_args(TableOperation)
_operations = st.frozensets(st.sampled_from(table_operations), max_size=4)
http_methods: tuple[HttpMethod, ...] = get_args(HttpMethod)
_methods = st.lists(st.sampled_from(http_methods), min_size=1, max_size=3, unique=True)
_queues = st.builds(
    QueueSettings,
    max_retries=st.integers(0, 10),
    visibility_timeout_seconds=st.none() | st.integers(900, 43_200),
    delay_seconds=st.integers(0, 900),
    concurrency=st.none() | st.integers(2, 1_000),
)
_crons = st.builds(
    CronTrigger, st.sampled_from(["0 9 * * *", "*/5 * * * *", "0 0 13 * FRI"]), st.sampled_from([None, "Europe/Berlin"])
)
_permissions = st.sampled_from(
    [
        Permission(("s3:GetObject", "s3:PutObject"), ("arn:aws:s3:::pictures/*",)),
        Permission(("ses:SendEmail",), ("*",)),
    ]
)


@st.composite
def apps(draw: st.DrawFn) -> App:
    """An app without findings: distinct names (in either case), distinct routes, settings within AWS's limits."""
    topics = draw(st.lists(names, max_size=4, unique=True))
    streams = draw(st.lists(names, max_size=3, unique=True))
    step_names = draw(st.lists(names, max_size=4, unique_by=str.lower))
    steps = [draw(_steps(name, f"steps/s{number}_step.py", topics, streams)) for number, name in enumerate(step_names)]
    return App(draw(app_names), tuple(steps), tuple(Stream(name) for name in sorted(streams)))


@st.composite
def _steps(draw: st.DrawFn, name: str, path: str, topics: list[str], streams: list[str]) -> Step:
    some_topics = st.lists(st.sampled_from(topics), unique=True, max_size=3) if topics else st.just(list[str]())
    triggers: list[Trigger] = []
    if draw(st.booleans()):
        tail = draw(st.sampled_from(["", "/:id", "/:id/parts/:part", "/*"]))
        root = path.removesuffix("_step.py").replace("/", "-")
        triggers += [HttpTrigger(method, f"/{root}{tail}") for method in draw(_methods)]
    queue = draw(_queues)
    triggers += [TopicTrigger(topic, queue=queue) for topic in draw(some_topics)]
    triggers += draw(st.lists(_crons, max_size=2))
    usages = {stream: draw(_operations) for stream in streams if draw(st.booleans())}
    has_http = any(isinstance(trigger, HttpTrigger) for trigger in triggers)
    return Step(
        name,
        SourceLocation(path, draw(st.integers(1, 9))),
        tuple(triggers),
        emits=draw(st.none() | some_topics.map(lambda chosen: tuple(Emit(topic) for topic in chosen))),
        flows=draw(st.sampled_from([(), ("one",), ("one", "two")])),
        permissions=tuple(draw(st.lists(_permissions, max_size=2))),
        usage=Usage(
            state=draw(_operations),
            streams=usages,
            any_stream=draw(_operations),
            topics=frozenset(draw(some_topics)),
            emits_computed_topic=draw(st.none() | st.just(SourceLocation(path, 3))),
        ),
        files=(path,),
        memory_mb=draw(st.integers(128, 10_240)),
        timeout_seconds=draw(st.none() | st.integers(1, 29 if has_http else 900)),
    )
