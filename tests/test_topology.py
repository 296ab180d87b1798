"""An app becomes cloud resources: which ones, wired how, allowed what, and what AWS would refuse of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from support.sample_apps import apps, cron_step, http_step, messaging_app, operations, stage_names, topic_step
from treadle.names import BROADCAST, WEBSOCKET
from treadle_infra.app.findings import Finding, SourceLocation, TreadleError
from treadle_infra.app.model import (
    App,
    CronTrigger,
    Emit,
    HttpTrigger,
    Permission,
    QueueSettings,
    Step,
    Stream,
    TableOperation,
    TopicTrigger,
    Usage,
)
from treadle_infra.topology.build import build_topology
from treadle_infra.topology.check import check
from treadle_infra.topology.model import (
    AsynchronousSettings,
    ConnectionsTable,
    DeadLetterQueue,
    EventSourceMapping,
    Function,
    Grant,
    HttpApi,
    Integration,
    Queue,
    QueuePolicy,
    Role,
    Route,
    Rule,
    Schedule,
    SchedulerRole,
    StateTable,
    StreamMapping,
    StreamTable,
    Subscription,
    Topic,
    Topology,
    WebSocketApi,
    WebSocketRoute,
)
from treadle_infra.topology.placement import fresh_placement
from treadle_infra.topology.references import (
    AliasRef,
    AnyTopic,
    DeadLetterQueueRef,
    ForeignResource,
    GrantTarget,
    LogGroupRef,
    LogStreams,
    QueueRef,
    RoleRef,
    StateTableRef,
    StreamTableRef,
    TopicRef,
)


def topology_of(*steps: Step, stage: str = "dev", streams: tuple[Stream, ...] = ()) -> Topology:
    return build_topology(App("my-app", steps, streams), fresh_placement("my-app", stage))


def grants_of(step: Step, *, streams: tuple[Stream, ...] = ()) -> dict[GrantTarget, set[str]]:
    """The actions that the step's role allows, by what they are allowed on."""
    (role,) = (role for role in topology_of(step, streams=streams).of(Role) if role.ref == RoleRef(step.name))
    allowed: dict[GrantTarget, set[str]] = {}
    for grant in role.grants:
        for target in grant.targets:
            allowed.setdefault(target, set()).update(grant.actions)
    return allowed


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


# What becomes what


def test_the_messaging_app_becomes_functions_a_topic_for_each_message_and_one_queue() -> None:
    topology = build_topology(messaging_app(), fresh_placement("my-app", "dev"))
    assert [function.name for function in topology.of(Function)] == [
        "my-app--dev--_treadle-websocket",
        "my-app--dev--_treadle-broadcast",
        "my-app--dev--SendMessage",
        "my-app--dev--ProcessMessage",
        "my-app--dev--DailySummary",
    ]
    assert [topic.ref.topic for topic in topology.of(Topic)] == [
        "message.processed",
        "message.sent",
        "summary.generated",
    ]
    assert [queue.name for queue in topology.of(Queue)] == ["my-app--dev--ProcessMessage"]
    assert [route.key for route in topology.of(Route)] == ["POST /messages"]
    assert [table.ref.stream for table in topology.of(StreamTable)] == ["messages", "processed"]
    assert len(list(topology.of(StateTable))) == 1


def test_a_resource_knows_the_line_that_asked_for_it() -> None:
    topology = build_topology(messaging_app(), fresh_placement("my-app", "dev"))
    (route,) = topology.of(Route)
    assert route.origin.where == SourceLocation("steps/api_step.py", 4)
    first = next(function for function in topology.of(Function) if not function.is_system)
    assert first.origin.where == SourceLocation("steps/api_step.py", 1)


@given(app=apps(), stage=stage_names)
def test_equal_apps_become_equal_topologies_and_every_resource_is_there_once(app: App, stage: str) -> None:
    topology = build_topology(app, fresh_placement(app.name, stage))
    assert topology == build_topology(app, fresh_placement(app.name, stage))
    references = [resource.ref for resource in topology.resources]
    assert len(set(references)) == len(references)
    assert check(topology) == []


def test_an_app_without_requests_has_no_http_api_but_always_a_state_table() -> None:
    topology = topology_of(topic_step("Work", "todo"))
    assert not list(topology.of(HttpApi))
    assert len(list(topology.of(StateTable))) == 1, "a table that came and went with an edit would lose its data"


def test_a_step_with_several_routes_has_one_integration() -> None:
    triggers = (HttpTrigger("GET", "/orders/:id"), HttpTrigger("DELETE", "/orders/:id"))
    topology = topology_of(Step("Orders", SourceLocation("steps/orders_step.py"), triggers))
    assert [route.key for route in topology.of(Route)] == ["GET /orders/{id}", "DELETE /orders/{id}"]
    assert len(list(topology.of(Integration))) == 1


def test_a_step_with_several_topics_has_one_queue_and_a_subscription_for_each() -> None:
    topology = topology_of(topic_step("Work", "b", "a", "b"))
    assert len(list(topology.of(Queue))) == 1
    assert [subscription.topic.topic for subscription in topology.of(Subscription)] == ["a", "b"]


def test_a_step_that_answers_requests_and_messages_has_the_entry_that_knows_both() -> None:
    triggers = (TopicTrigger("todo"), HttpTrigger("POST", "/todo"))
    both = topology_of(Step("Both", SourceLocation("steps/both_step.py"), triggers))
    assert next(both.of(Function)).handler == "treadle.entry.api.handler"
    assert next(topology_of(topic_step("Work", "todo")).of(Function)).handler == "treadle.entry.event.handler"


def test_topics_are_there_for_whoever_emits_declares_or_subscribes() -> None:
    topology = topology_of(
        http_step("A", emits=(Emit("declared"),)),
        http_step("B", path="/b", usage=Usage(topics=frozenset({"literal"}))),
        topic_step("C", "subscribed"),
    )
    assert [topic.ref.topic for topic in topology.of(Topic)] == ["declared", "literal", "subscribed"]


def test_requests_time_out_before_the_http_api_does() -> None:
    assert next(topology_of(http_step("A")).of(Function)).timeout_seconds == 29


@pytest.mark.parametrize(
    ("handler_seconds", "visibility_seconds", "function_seconds", "batch_size"),
    [
        (None, None, 305, 10),
        (7, None, 75, 10),
        (30, None, 305, 10),
        (31, None, 36, 1),  # asks for more than the default: one at a time
        (900, None, 900, 1),
        (10, 36, 35, 3),  # the function must end before the queue hands its messages out again
        (10, 12, 12, 1),
    ],
)
def test_every_message_of_a_batch_has_the_handlers_whole_time(
    handler_seconds: int | None, visibility_seconds: int | None, function_seconds: int, batch_size: int
) -> None:
    queue = QueueSettings(visibility_timeout_seconds=visibility_seconds)
    topology = topology_of(topic_step("A", "todo", queue=queue, timeout_seconds=handler_seconds))
    assert next(topology.of(Function)).timeout_seconds == function_seconds
    assert next(topology.of(EventSourceMapping)).batch_size == batch_size
    assert next(topology.of(Queue)).visibility_timeout_seconds >= function_seconds


def test_a_message_stays_hidden_while_its_batch_may_run_and_moves_on_after_the_retries_and_four_more() -> None:
    topology = topology_of(topic_step("A", "todo", queue=QueueSettings(max_retries=2), timeout_seconds=20))
    (queue,) = topology.of(Queue)
    assert (queue.visibility_timeout_seconds, queue.max_receive_count, queue.max_retries) == (225, 6, 2)
    (dead_letter_queue,) = topology.of(DeadLetterQueue)
    assert dead_letter_queue.retention_seconds == 14 * 24 * 3600


def test_explicit_queue_settings_win() -> None:
    settings = QueueSettings(visibility_timeout_seconds=45, delay_seconds=3, concurrency=5)
    topology = topology_of(topic_step("A", "todo", queue=settings))
    (queue,) = topology.of(Queue)
    assert (queue.visibility_timeout_seconds, queue.delay_seconds) == (45, 3)
    (mapping,) = topology.of(EventSourceMapping)
    assert mapping.maximum_concurrency == 5


def test_two_triggers_of_a_step_cannot_ask_for_different_queues() -> None:
    triggers = (TopicTrigger("a"), TopicTrigger("b", queue=QueueSettings(max_retries=9)))
    with pytest.raises(TreadleError) as caught:
        topology_of(Step("A", SourceLocation("steps/a_step.py", 2), triggers))
    assert caught.value.code == "queue-settings-differ"
    assert caught.value.finding.where == SourceLocation("steps/a_step.py", 2)


@pytest.mark.parametrize(("stage", "kept"), [("dev", False), ("prod", True), ("pr-12", False)])
def test_data_is_kept_on_production_stages_only(stage: str, kept: bool) -> None:
    topology = build_topology(messaging_app(), fresh_placement("my-app", stage))
    tables: list[StateTable | StreamTable] = [*topology.of(StateTable), *topology.of(StreamTable)]
    assert {table.keeps_data for table in tables} == {kept}


# Streams and schedules


def test_an_app_with_streams_has_one_websocket_api_and_two_functions_of_its_own_whatever_their_number() -> None:
    topology = topology_of(http_step("A"), streams=(Stream("one"), Stream("two")))
    assert [function.ref.step for function in topology.of(Function) if function.is_system] == [WEBSOCKET, BROADCAST]
    assert len(list(topology.of(WebSocketApi))) == 1
    assert [route.ref.key for route in topology.of(WebSocketRoute)] == [
        "$connect",
        "$disconnect",
        "$default",
        "join",
        "leave",
    ]
    tables = [mapping.table for mapping in topology.of(StreamMapping)]
    assert tables == [StreamTableRef("one"), StreamTableRef("two")]


def test_an_app_without_streams_has_nothing_live() -> None:
    topology = topology_of(http_step("A"))
    assert not [function for function in topology.of(Function) if function.is_system]
    assert not [*topology.of(WebSocketApi), *topology.of(ConnectionsTable)]
    assert next(topology.of(Function)).connections is None


def test_the_systems_own_functions_are_allowed_what_they_do_and_nothing_else() -> None:
    topology = topology_of(http_step("A"), streams=(Stream("one"),))
    allowed = {
        role.ref.step: {action for grant in role.grants for action in grant.actions} for role in topology.of(Role)
    }
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert allowed[WEBSOCKET] == logs | {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "execute-api:ManageConnections",
    }
    assert allowed[BROADCAST] == logs | {
        "dynamodb:DeleteItem",
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:Query",
        "execute-api:ManageConnections",
        "sqs:SendMessage",
    }


def test_a_cron_step_has_a_rule_whose_failures_reach_its_dead_letter_queue() -> None:
    topology = topology_of(cron_step("Daily", "0 9 * * *"))
    (rule,) = topology.of(Rule)
    assert (rule.name, rule.expression) == ("my-app--dev--Daily", "cron(0 9 * * ? *)")
    (settings,) = topology.of(AsynchronousSettings)
    (queue,) = topology.of(DeadLetterQueue)
    assert rule.dead_letter_queue == settings.dead_letter_queue == queue.ref
    (policy,) = topology.of(QueuePolicy)
    assert (policy.ref.queue, policy.topics, policy.rules) == (queue.ref, (), (rule.ref,))
    assert not list(topology.of(Schedule))
    assert grants_of(cron_step("Daily"))[DeadLetterQueueRef("Daily")] == {"sqs:SendMessage"}


def test_a_timezone_needs_a_schedule_and_the_scheduler_may_invoke_the_scheduled_steps_only() -> None:
    topology = topology_of(cron_step("Daily", timezone="Europe/Berlin"), cron_step("Utc"))
    (schedule,) = topology.of(Schedule)
    assert (schedule.timezone, schedule.expression) == ("Europe/Berlin", "cron(0 9 * * ? *)")
    (role,) = topology.of(SchedulerRole)
    assert role.aliases == (AliasRef("Daily"),)
    assert [rule.ref.step for rule in topology.of(Rule)] == ["Utc"]


def test_past_three_hundred_rules_the_scheduler_takes_over() -> None:
    topology = topology_of(*(cron_step(f"Step{number}") for number in range(302)))
    assert len(list(topology.of(Rule))) == 300
    assert [(schedule.ref.step, schedule.timezone) for schedule in topology.of(Schedule)] == [
        ("Step300", "UTC"),
        ("Step301", "UTC"),
    ]


def test_every_cron_trigger_of_a_step_has_a_schedule_of_its_own() -> None:
    triggers = (CronTrigger("0 9 * * *"), TopicTrigger("todo"), CronTrigger("0 18 * * *"))
    topology = topology_of(Step("Twice", SourceLocation("steps/twice_step.py"), triggers))
    assert [rule.name for rule in topology.of(Rule)] == ["my-app--dev--Twice", "my-app--dev--Twice--2"]
    assert len(list(topology.of(DeadLetterQueue))) == 1
    assert next(topology.of(Function)).handler == "treadle.entry.event.handler"


# Grants

_STATE, _MESSAGES = StateTableRef(), StreamTableRef("messages")
_LOGS: dict[GrantTarget, set[str]] = {LogStreams(LogGroupRef("A")): {"logs:CreateLogStream", "logs:PutLogEvents"}}


def test_a_step_that_touches_nothing_may_write_its_log_and_nothing_else() -> None:
    assert grants_of(http_step("A")) == _LOGS


@pytest.mark.parametrize(
    ("operation", "actions"),
    [
        ("send", {"UpdateItem"}),
        ("get", {"GetItem"}),
        ("set", {"UpdateItem"}),
        ("update", {"GetItem", "UpdateItem"}),
        ("list_groups", {"Scan"}),
        ("delete", {"DeleteItem"}),
        ("get_group", {"Query"}),
        ("clear", {"Query", "DeleteItem"}),
    ],
)
def test_an_operation_grants_its_own_calls_on_its_own_table(operation: TableOperation, actions: set[str]) -> None:
    expected = {f"dynamodb:{action}" for action in actions}
    used = operations(operation)
    on_state: dict[GrantTarget, set[str]] = {_STATE: expected} if expected else {}
    on_stream: dict[GrantTarget, set[str]] = {_MESSAGES: expected} if expected else {}
    assert grants_of(http_step("A", usage=Usage(state=used))) == {**_LOGS, **on_state}
    streams = (Stream("messages"), Stream("others"))
    by_name = http_step("A", usage=Usage(streams={"messages": used}))
    assert grants_of(by_name, streams=streams) == {**_LOGS, **on_stream}


def test_operations_on_a_stream_of_unknown_name_are_granted_on_every_stream() -> None:
    step = http_step("A", usage=Usage(any_stream=operations("get"), streams={"messages": operations("set")}))
    allowed = grants_of(step, streams=(Stream("messages"), Stream("others")))
    assert allowed[_MESSAGES] == {"dynamodb:GetItem", "dynamodb:UpdateItem"}
    assert allowed[StreamTableRef("others")] == {"dynamodb:GetItem"}


@pytest.mark.parametrize(
    ("emits", "usage", "targets"),
    [
        ((Emit("declared"),), Usage(), {TopicRef("declared")}),
        ((Emit("declared"),), Usage(topics=frozenset({"other"})), {TopicRef("declared")}),
        ((Emit("declared"),), Usage(emits_computed_topic=SourceLocation("a")), {TopicRef("declared")}),
        (None, Usage(topics=frozenset({"one", "two"})), {TopicRef("one"), TopicRef("two")}),
        (None, Usage(topics=frozenset({"one"}), emits_computed_topic=SourceLocation("a")), {AnyTopic()}),
        (None, Usage(), set[GrantTarget]()),
    ],
)
def test_publishing_is_granted_on_declared_topics_else_on_literal_ones_else_on_the_apps_own(
    emits: tuple[Emit, ...] | None, usage: Usage, targets: set[GrantTarget]
) -> None:
    allowed = grants_of(http_step("A", emits=emits, usage=usage))
    assert {target for target, actions in allowed.items() if actions == {"sns:Publish"}} == targets


def test_a_step_that_gets_messages_may_read_its_queue_and_send_to_its_dead_letter_queue() -> None:
    assert grants_of(topic_step("A", "todo")) == {
        **_LOGS,
        QueueRef("A"): {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        },
        DeadLetterQueueRef("A"): {"sqs:SendMessage"},
    }


def test_permissions_of_the_config_are_appended() -> None:
    permission = Permission(("s3:PutObject", "s3:GetObject"), ("arn:aws:s3:::pictures/*",))
    (role,) = topology_of(http_step("A", permissions=(permission,))).of(Role)
    assert role.grants[-1] == Grant(
        "Permission1", ("s3:GetObject", "s3:PutObject"), (ForeignResource("arn:aws:s3:::pictures/*"),)
    )


@given(app=apps())
def test_sids_are_unique_in_a_role_and_no_action_is_a_wildcard(app: App) -> None:
    for role in build_topology(app, fresh_placement(app.name, "dev")).of(Role):
        sids = [grant.sid for grant in role.grants]
        assert len(set(sids)) == len(sids)
        assert all(sid.isalnum() and sid.isascii() for sid in sids)
        assert not any("*" in action for grant in role.grants for action in grant.actions)
        assert all(grant.targets and grant.actions for grant in role.grants)


# What AWS would refuse


def test_more_routes_of_one_step_than_an_http_api_holds_are_refused_by_name() -> None:
    routes = tuple(HttpTrigger("GET", f"/{number}") for number in range(301))
    (finding,) = check(topology_of(replace(http_step("Many"), triggers=routes)))
    assert finding.code == "too-many-routes"


_LONG_TOPICS = tuple(Emit(f"{number}-{'x' * 250}") for number in range(40))


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("visibility-timeout-too-short", topic_step("A", "t", queue=QueueSettings(visibility_timeout_seconds=29))),
        (
            "visibility-timeout-out-of-range",
            topic_step("A", "t", queue=QueueSettings(visibility_timeout_seconds=43_201)),
        ),
        ("delay-out-of-range", topic_step("A", "t", queue=QueueSettings(delay_seconds=901))),
        ("retries-out-of-range", topic_step("A", "t", queue=QueueSettings(max_retries=997))),
        ("concurrency-out-of-range", topic_step("A", "t", queue=QueueSettings(concurrency=1))),
        ("memory-out-of-range", http_step("A", memory_mb=127)),
        ("timeout-out-of-range", topic_step("A", "t", timeout_seconds=901)),
        ("http-timeout-too-long", http_step("A", timeout_seconds=30)),
        ("role-policy-too-large", http_step("A", emits=_LONG_TOPICS)),
        ("schedule-expression-too-long", cron_step("A", f"0 0 0 1 1 * {','.join(map(str, range(2030, 2130, 2)))}")),
        ("queue-policy-too-large", topic_step("A", *(emit.topic for emit in _LONG_TOPICS))),
    ],
)
def test_what_aws_would_refuse_of_a_step_is_a_finding_at_its_line(code: str, step: Step) -> None:
    (finding,) = check(topology_of(step))
    assert (finding.code, finding.severity, finding.where) == (code, "error", SourceLocation("steps/a_step.py", 1))
    assert "`A`" in finding.message


@pytest.mark.parametrize(
    "step",
    [
        topic_step("A", "t", queue=QueueSettings(visibility_timeout_seconds=30)),
        topic_step("A", "t", queue=QueueSettings(max_retries=996, delay_seconds=900, concurrency=1_000)),
        topic_step("A", "t", timeout_seconds=900),
        http_step("A", timeout_seconds=29, memory_mb=10_240),
    ],
)
def test_the_very_limit_is_allowed(step: Step) -> None:
    assert check(topology_of(step)) == []


def test_two_steps_that_would_share_a_role_are_refused() -> None:
    found = check(topology_of(http_step("Order", path="/a"), http_step("ORDER", path="/b")))
    assert codes(found) == ["duplicate-name"]
    assert "`Order`" in found[0].message
    assert "`ORDER`" in found[0].message


@pytest.mark.parametrize(("app", "stage", "code"), [("a--b", "dev", "app-name"), ("app", "Prod!", "stage-name")])
def test_a_scope_that_would_blur_names_is_refused(app: str, stage: str, code: str) -> None:
    topology = build_topology(App(app), fresh_placement(app, stage))
    assert codes(check(topology)) == [f"{code}-not-allowed"]
