"""Physical names and logical ids are legal, short enough and never shared by two different things."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.sample_apps import app_names, names, stage_names
from treadle.names import (
    APP_NAME_LIMIT,
    BROADCAST,
    WEBSOCKET,
    Names,
    is_app_name,
    is_stage_name,
    legal_app_name,
    logical_id,
    part,
    tag_value,
)
from treadle_infra.synth.intrinsics import logical_id_of
from treadle_infra.topology.references import (
    AliasRef,
    AsynchronousSettingsRef,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    EventSourceMappingRef,
    FunctionRef,
    GatewayRoleRef,
    HttpApiRef,
    HttpStageRef,
    IntegrationRef,
    LogGroupRef,
    QueuePolicyRef,
    QueueRef,
    Reference,
    RoleRef,
    RouteRef,
    RulePermissionRef,
    RuleRef,
    ScheduleRef,
    SchedulerRoleRef,
    StateTableRef,
    StreamMappingRef,
    StreamTableRef,
    SubscriptionRef,
    TopicRef,
    WebSocketApiRef,
    WebSocketIntegrationRef,
    WebSocketRouteRef,
    WebSocketStageRef,
)

LONGEST_APP, LONGEST_STAGE = "a" * 28, "s" * 12
LONGEST = Names(LONGEST_APP, LONGEST_STAGE)

NAMED: dict[str, tuple[Callable[[Names, str], str], str]] = {
    "function": (Names.function, r"[a-zA-Z0-9-_]{1,64}"),
    "role": (Names.role, r"[\w+=,.@-]{1,64}"),
    "log group": (Names.log_group, r"[.\-_/#A-Za-z0-9]{1,512}"),
    "queue": (Names.queue, r"[a-zA-Z0-9_-]{1,80}"),
    "dead-letter queue": (Names.dead_letter_queue, r"[a-zA-Z0-9_-]{1,80}"),
    "topic": (Names.topic, r"[a-zA-Z0-9_-]{1,256}"),
    "table": (Names.stream_table, r"[a-zA-Z0-9_.-]{3,255}"),
}

_one_name_references: list[Callable[[str], Reference]] = [
    FunctionRef,
    AliasRef,
    RoleRef,
    LogGroupRef,
    QueueRef,
    DeadLetterQueueRef,
    TopicRef,
    EventSourceMappingRef,
    IntegrationRef,
    StreamTableRef,
    StreamMappingRef,
    WebSocketRouteRef,
    AsynchronousSettingsRef,
    lambda step: QueuePolicyRef(QueueRef(step)),
    lambda step: QueuePolicyRef(DeadLetterQueueRef(step)),
]
references: st.SearchStrategy[Reference] = st.one_of(
    st.sampled_from(
        [
            HttpApiRef(),
            HttpStageRef(),
            GatewayRoleRef(),
            StateTableRef(),
            ConnectionsTableRef(),
            WebSocketApiRef(),
            WebSocketStageRef(),
            WebSocketIntegrationRef(),
            SchedulerRoleRef(),
        ]
    ),
    st.builds(RuleRef, names, st.integers(0, 3)),
    st.builds(RulePermissionRef, st.builds(RuleRef, names, st.integers(0, 3))),
    st.builds(ScheduleRef, names, st.integers(0, 3)),
    st.sampled_from(_one_name_references).flatmap(lambda make: names.map(make)),
    st.builds(SubscriptionRef, names, names),
    st.builds(RouteRef, st.sampled_from(["GET", "POST"]), names),
)


@pytest.mark.parametrize("kind", NAMED)
@given(name=names)
def test_every_name_is_legal_on_the_longest_app_and_stage(kind: str, name: str) -> None:
    make, pattern = NAMED[kind]
    assert re.fullmatch(pattern, make(LONGEST, name), re.ASCII)


@given(app=app_names, stage=stage_names)
def test_the_names_of_what_an_app_has_once_are_legal(app: str, stage: str) -> None:
    scope = Names(app, stage)
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", scope.gateway_role())
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", scope.scheduler_role())
    assert re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", scope.connections_table())
    for system in (WEBSOCKET, BROADCAST):
        assert re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", scope.function(system))
        assert scope.function(system).endswith(f"--{system}")
    assert re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", scope.state_table())
    assert re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", scope.stack())
    assert 1 <= len(scope.http_api()) <= 128


@pytest.mark.parametrize("kind", NAMED)
@given(some=st.lists(names, unique=True, min_size=2, max_size=6))
def test_different_things_have_different_names(kind: str, some: list[str]) -> None:
    make, _ = NAMED[kind]
    assert len({make(LONGEST, name) for name in some}) == len(some)


@given(some=st.lists(names, unique_by=str.lower, min_size=2, max_size=6))
def test_roles_differ_in_more_than_case_since_iam_does_not_tell_case_apart(some: list[str]) -> None:
    roles = {LONGEST.role(name).lower() for name in some} | {LONGEST.gateway_role().lower()}
    assert len(roles) == len(some) + 1


@given(some=names, other=names)
def test_a_queue_is_never_named_like_a_dead_letter_queue_nor_the_state_table_like_a_streams(
    some: str, other: str
) -> None:
    assert LONGEST.queue(some) != LONGEST.dead_letter_queue(other)
    assert LONGEST.stream_table(some) not in (LONGEST.state_table(), LONGEST.connections_table())


@given(steps=st.lists(names, unique_by=str.lower, min_size=2, max_size=5))
def test_the_schedules_of_all_steps_have_different_names(steps: list[str]) -> None:
    schedules = [LONGEST.schedule(step, number) for step in steps for number in range(3)]
    assert len(set(schedules)) == len(schedules)
    assert all(re.fullmatch(r"[0-9a-zA-Z-_.]{1,64}", name) for name in schedules)


@given(scopes=st.lists(st.tuples(app_names, stage_names), unique=True, min_size=2, max_size=4), name=names)
def test_two_apps_or_stages_never_share_a_name_or_a_prefix(scopes: list[tuple[str, str]], name: str) -> None:
    everything = [Names(app, stage) for app, stage in scopes]
    for one, other in pairwise(everything):
        assert not other.function(name).startswith(one.function_prefix())
        assert not other.topic(name).startswith(one.topic_prefix())
        assert one.stack() != other.stack()


@given(name=names)
def test_a_name_that_looks_hashed_is_hashed_too(name: str) -> None:
    once = part(name, 20)
    assert (part(once, 20) != once) == bool(re.search(r"-[0-9a-f]{10}$", once, re.IGNORECASE))


@given(some=st.sets(references, min_size=2, max_size=8))
def test_different_resources_have_different_logical_ids(some: set[Reference]) -> None:
    logical_ids = [logical_id_of(reference) for reference in some]
    assert len(set(logical_ids)) == len(some)
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,255}", name) for name in logical_ids)


def test_names_joined_differently_are_different() -> None:
    assert logical_id("Route", "GET", "/a b") != logical_id("Route", "GET /a", "b")


@given(some=st.lists(names, unique=True, min_size=2, max_size=6))
def test_tag_values_are_legal_and_tell_names_apart(some: list[str]) -> None:
    values = [tag_value(name) for name in some]
    assert len(set(values)) == len(some)
    for value in values:
        assert 1 <= len(value) <= 256
        assert not value.lower().startswith("aws:")
        assert all(character.isalnum() or character in " _.:/=+-@" for character in value)


@pytest.mark.parametrize(
    ("name", "value"), [("SendMessage", "SendMessage"), ("Send message", "Send message"), ("größe", "größe")]
)
def test_a_legal_tag_value_stays_as_it_is(name: str, value: str) -> None:
    assert tag_value(name) == value


@given(st.text(max_size=60))
def test_any_text_becomes_a_legal_app_name(text: str) -> None:
    assert is_app_name(legal_app_name(text))


@pytest.mark.parametrize("name", ["", "A", "1a", "a--b", "a-", "-a", "a_b", "a" * (APP_NAME_LIMIT + 1), "a\n"])
def test_names_that_would_blur_the_borders_of_a_name_are_refused(name: str) -> None:
    assert not is_app_name(name)
    assert not is_stage_name(name)


def test_names_read_as_what_they_are() -> None:
    scope = Names("my-app", "dev")
    assert scope.function("SendMessage") == "my-app--dev--SendMessage"
    assert scope.log_group("SendMessage") == "/aws/lambda/my-app--dev--SendMessage"
    assert scope.queue("ProcessMessage") == "my-app--dev--ProcessMessage"
    assert scope.dead_letter_queue("ProcessMessage") == "my-app--dev--ProcessMessage--dead"
    assert scope.topic("message.sent").startswith("my-app--dev--message-sent-")
    assert scope.stream_table("messages") == "my-app--dev--messages--stream"
