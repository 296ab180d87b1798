"""Streams from end to end: what steps write is what followers are told, whatever fails on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from support.dev import Dev, wait_until
from support.followers import Followers
from support.projects import api_step, messaging, write

_WRITE = (
    '    body = req["body"]\n'
    '    for arguments in body["calls"]:\n'
    '        await getattr(context.streams[body["stream"]], arguments[0])(*arguments[1:])\n'
    '    return {"status": 204}'
)
_SECRET = """\
config = {
    "name": "secret",
    "schema": {"type": "object", "properties": {}},
    "canAccess": lambda subscription, user: user is not None and subscription["groupId"] == user["name"],
}
"""
_AUTHENTICATE = """\
def authenticate(request):
    token = request["queryParams"].get("authToken")
    if token is None:
        offered = request["headers"].get("sec-websocket-protocol", "").split(", ")
        token = offered[1] if len(offered) > 1 else None
    if token == "wrong":
        raise ValueError("who is that?")
    return None if token is None else {"name": token}
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = messaging(tmp_path_factory.mktemp("live"))
    write(project, "steps/write_step.py", api_step("Write", _WRITE))
    write(project, "steps/secret_stream.py", _SECRET)
    write(project, "auth.py", _AUTHENTICATE)
    write(project, "treadle.toml", 'name = "messaging"\n\n[streams]\nauthenticate = "auth.py:authenticate"\n')
    with Dev(project, "--no-watch", "--clock", "manual") as running:
        yield running


def calls(dev: Dev, *made: list[Any], stream: str = "messages") -> None:
    """Calls methods of a stream in a step, one after the other."""
    answer = dev.http("POST", "/write", {"stream": stream, "calls": made})
    assert answer.status == 204, answer.body


def test_every_follower_has_every_change_and_event_of_a_group_once_and_in_order(dev: Dev) -> None:
    with Followers(dev.ready["ws"], 100) as followers:
        followers.join("messages", "fan")
        for number in range(0, 40, 4):
            sent = {"type": "tick", "data": {"n": number + 3}}
            calls(
                dev,
                ["set", "fan", "x", {"n": number}],
                ["set", "fan", "y", {"n": number + 1}],
                ["set", "fan", "x", {"n": number + 2}],
                ["send", {"groupId": "fan"}, sent],
            )
        wait_until("everything everywhere", lambda: all(len(one.frames) >= 41 for one in followers.all), 60)
        for one in followers.all:
            events = [message["event"] for message in one.messages()[1:]]
            assert [(event.get("data") or event["event"]["data"])["n"] for event in events] == list(range(40))
            x_times = [message["timestamp"] for message in one.messages()[1:] if message.get("id") == "x"]
            assert x_times == sorted(set(x_times))


def test_a_row_that_makes_no_sense_ends_in_the_dead_letter_queue_and_holds_nobody_up(dev: Dev) -> None:
    sqs = dev.client("sqs")
    queue = sqs.get_queue_url(QueueName="messaging--dev--_treadle-broadcast--dead")["QueueUrl"]
    with Followers(dev.ready["ws"], 2) as followers:
        followers.join("messages", "sick")
        followers.join("messages", "well")
        poison = {"group": {"S": "sick"}, "id": {"S": "bad"}, "value": {"S": "no object"}}
        dev.client("dynamodb").put_item(TableName="messaging--dev--messages--stream", Item=poison)
        calls(dev, ["set", "well", "a", {"n": 1}], ["set", "sick", "b", {"n": 2}])
        wait_until("both groups", lambda: all(len(one.frames) == 4 for one in followers.all))
        assert [message["id"] for message in followers.all[0].messages()[2:]] == ["a", "b"]
    (letter,) = wait_until(
        "the dead letter", lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages")
    )
    assert json.loads(letter["Body"])["dynamodb"]["Keys"]["id"] == {"S": "bad"}
    assert letter["MessageAttributes"]["errorMessage"]["StringValue"]


def test_an_item_whose_time_is_over_is_announced_once(dev: Dev) -> None:
    """Last among those on this module's clock: an hour ends idle connections."""
    with Followers(dev.ready["ws"], 1) as followers:
        followers.join("messages", "brief")
        table = "messaging--dev--messages--stream"
        calls(dev, ["set", "brief", "x", {"n": 1}])
        wait_until("the create", lambda: len(followers.all[0].frames) == 2)
        row = {"group": {"S": "brief"}, "id": {"S": "x"}}
        clock = json.loads(dev.request(dev.endpoint, "GET", "/__treadle/clock", None, None).body)["now"]
        dev.client("dynamodb").update_item(
            TableName=table,
            Key=row,
            UpdateExpression="SET #ttl = :soon",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={":soon": {"N": str(int(clock) + 30)}},
        )
        wait_until("the update", lambda: len(followers.all[0].frames) == 3)
        dev.advance(100)
        wait_until("the delete", lambda: len(followers.all[0].frames) == 4)
        dev.advance(100)
        calls(dev, ["set", "brief", "y", {"n": 2}])
        wait_until("what comes next", lambda: len(followers.all[0].frames) == 5)
        kinds = [message["event"]["type"] for message in followers.all[0].messages()]
        assert kinds == ["sync", "create", "update", "delete", "create"]


# Who may follow what


def told(socket: ClientConnection, stream: str, group: str) -> dict[str, Any]:
    """The event that answers a join."""
    subscription = {"streamName": stream, "groupId": group, "subscriptionId": "s"}
    socket.send(json.dumps({"type": "join", "data": subscription}))
    event: dict[str, Any] = json.loads(socket.recv(timeout=20))["event"]
    return event


DENIED = {
    "type": "event",
    "event": {"type": "error", "data": {"code": "STREAM_ACCESS_DENIED", "message": "Access denied"}},
}


@pytest.mark.motia("8", "canAccess decides who may follow")
def test_a_stream_with_can_access_is_told_to_whom_it_lets_in(dev: Dev) -> None:
    calls(dev, ["set", "ann", "x", {"n": 1}], stream="secret")
    with connect(dev.ready["ws"] + "/?authToken=ann") as ann:
        assert told(ann, "secret", "ann") == {"type": "sync", "data": [{"n": 1, "id": "x"}]}
        assert told(ann, "secret", "bob") == DENIED
    with connect(dev.ready["ws"]) as anonymous:
        assert told(anonymous, "secret", "ann") == DENIED
        assert told(anonymous, "messages", "nobodys")["type"] == "sync"
        error = told(anonymous, "nosuch", "g")["event"]["data"]
        assert error == {"code": "STREAM_ACCESS_DENIED", "message": "Stream nosuch not found"}


@pytest.mark.motia("8", "a token comes in the query or as a subprotocol")
def test_a_token_may_come_as_a_subprotocol_which_is_answered(dev: Dev) -> None:
    protocols: Any = ["Authorization", "ann"]
    with connect(dev.ready["ws"], subprotocols=protocols) as ann:
        assert ann.subprotocol == "Authorization"
        assert told(ann, "secret", "ann")["type"] == "sync"


def test_whom_authenticate_refuses_gets_a_401(dev: Dev) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(dev.ready["ws"] + "/?authToken=wrong")
    assert (refused.value.response.status_code, refused.value.response.body) == (401, b"Authentication failed")


# The whole flow


def test_the_whole_flow_of_the_messaging_example_is_told_to_one_follower(tmp_path: Path) -> None:
    """A request, an event, a day on the manual clock, the cron step."""
    with Dev(messaging(tmp_path), "--clock", "manual", "--no-watch") as dev, Followers(dev.ready["ws"], 1) as followers:
        (follower,) = followers.all
        for stream in ("messages", "processed", "summary"):
            followers.join(stream, "default")
        assert dev.http("POST", "/messages", {"text": "hi", "userId": "u1"}).status == 201
        wait_until("both creates", lambda: len(follower.frames) == 5)
        dev.advance(86_400)
        wait_until("the summary", lambda: len(follower.frames) == 6)
        wait_until("the end of a connection that is a day old", lambda: follower.was_closed)
        messages = follower.messages()
        assert [message["event"]["data"] for message in messages[:3]] == [[], [], []]
        creates = {message["streamName"]: message["event"] for message in messages[3:]}
        assert {event["type"] for event in creates.values()} == {"create"}
        assert creates["processed"]["data"] == {"text": "hi", "userId": "u1", "status": "processed", "id": "u1"}
        assert creates["summary"]["data"] == {"total": 1, "status": "completed", "id": "latest"}
