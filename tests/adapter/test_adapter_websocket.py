"""The websocket function: connections are authenticated, join what they may, and are never left without an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.errors import UnroutableEvent

from .fake_aws import FakeAws, Reply
from .live_app import (
    CONNECTIONS,
    STREAM,
    LiveApp,
    connected,
    connecting,
    disconnecting,
    joining,
    leaving,
    saying,
    system_slice,
)
from .step_folder import Run, StepFolder

Json = dict[str, Any]

AUTHENTICATE = {"source": "lib/auth.py", "function": "authenticate"}
CHECKED = {STREAM: {"source": "steps/messages_stream.py", "checksAccess": True}}
MESSAGE_LIMIT = 131_072


def project(folder: StepFolder, auth: str = "", can_access: str = "") -> StepFolder:
    """A websocket function whose app has these functions `authenticate` and `can_access`."""
    changes: Json = {"authenticate": AUTHENTICATE if auth else None}
    if can_access:
        changes["streams"] = CHECKED
        folder.write(
            "steps/messages_stream.py", can_access + f"\nconfig = {{'name': '{STREAM}', 'canAccess': can_access}}\n"
        )
    folder.write("lib/auth.py", auth)
    (folder.path / "treadle" / "system.json").write_text(json.dumps(system_slice("websocket") | changes))
    return folder


def run(folder: StepFolder, aws: FakeAws, *events: Json) -> Run:
    for event in events:
        aws.sockets.setdefault(event["requestContext"]["connectionId"], [])
    aws.page_items = None
    return folder.run(*events, entry="websocket", environment=aws.environment)


def error_of(frame: Json) -> str:
    assert frame["event"]["event"]["type"] == "error"
    return str(frame["event"]["event"]["data"]["code"])


def connection_row(aws: FakeAws) -> Json:
    (row,) = [row for row in connected(aws) if row["member"]["S"] == "connection"]
    return row


# --- connecting ---


def test_a_connection_is_stored_and_forgotten(app: LiveApp) -> None:
    event = connecting("c1=")
    assert app.send(event) == {"statusCode": 200}
    at = event["requestContext"]["connectedAt"]
    assert connected(app.aws) == [
        {
            "room": {"S": "connection/c1="},
            "member": {"S": "connection"},
            "context": {"S": "null"},
            "connectedMs": {"N": str(at)},
            "ttl": {"N": str(at // 1000 + 7 * 24 * 3600)},
        }
    ]
    app.aws.sockets["c1="] = []
    app.connect("c2=")
    for connection in ("c1=", "c2="):
        for item in (None, "a", "b"):
            app.send(joining(connection, "inbox", item, f"about/{item}"))
    assert app.send(disconnecting("c1=")) == {"statusCode": 200}
    left = connected(app.aws)
    assert len(left) == 7
    assert "c1=" not in json.dumps(left)


TOKENS = """
    def authenticate(request):
        token = request["queryParams"].get("authToken")
        if token is None:
            token = request["headers"].get("sec-websocket-protocol", ",").split(",")[1].strip()
        if token == "wrong-token-abc":
            raise PermissionError("no such token: " + token)
        asked = {name: request[name] for name in ("url", "path", "queryParams")}
        return {"user": token, "asked": asked} if token else None
"""


def test_the_app_authenticates_by_query_or_protocol(folder: StepFolder, aws: FakeAws) -> None:
    project(folder, TOKENS)
    protocol = {"Sec-WebSocket-Protocol": "Authorization, t-1"}
    events = [
        connecting("c1=", protocol),
        connecting("c2=", query={"authToken": ["t 2&"], "a": ["1", "2"]}),
        connecting("c3=", {"Sec-WebSocket-Protocol": "graphql-ws,"}),
    ]
    done = run(folder, aws, *events)
    assert [answer.result for answer in done.answers] == [
        {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "Authorization"}},
        {"statusCode": 200},
        {"statusCode": 200},
    ]
    contexts = {row["room"]["S"]: json.loads(row["context"]["S"]) for row in connected(aws)}
    assert contexts == {
        "connection/c1=": {"user": "t-1", "asked": {"url": "/", "path": "/", "queryParams": {}}},
        "connection/c2=": {
            "user": "t 2&",
            "asked": {
                "url": "/?authToken=t%202%26&a=1&a=2",
                "path": "/",
                "queryParams": {"authToken": "t 2&", "a": "2"},
            },
        },
        "connection/c3=": None,
    }
    assert [record["trigger"] for record in done.records] == [
        {"kind": "websocket", "routeKey": "$connect", "connectionId": connection}
        for connection in ("c1=", "c2=", "c3=")
    ]
    assert "t-1" not in done.text
    assert "t 2" not in done.text


def test_who_cannot_be_authenticated_is_refused_and_no_token_is_logged(folder: StepFolder, aws: FakeAws) -> None:
    done = run(project(folder, TOKENS), aws, connecting("c1=", query={"authToken": ["wrong-token-abc"]}))
    assert done.answer.result == {"statusCode": 401, "body": "Authentication failed"}
    assert connected(aws) == []
    (line,) = done.lines("warn")
    assert line["errorType"] == "PermissionError"
    assert "in authenticate" in line["stack"]
    assert "wrong-token-abc" not in done.text
    (record,) = done.records
    assert (record["status"], record["refused"]) == (401, "AUTHENTICATION_FAILED")


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("async def authenticate(request):\n    return {'user': 1}", 200),
        ("import asyncio\nasync def authenticate(request):\n    await asyncio.sleep(0)\n    return 'u'", 200),
        ("def authenticate():\n    return 5", 200),
        ("def authenticate(request):\n    return object()", 401),
        ("def authenticate(request):\n    raise SystemExit(1)", 401),
        ("def other(request): pass", 401),
        ("import nowhere_to_be_found", 401),
    ],
)
def test_authenticate_may_be_async_and_what_fails_refuses(
    folder: StepFolder, aws: FakeAws, source: str, status: int
) -> None:
    done = run(project(folder, source), aws, connecting("c1="))
    assert done.answer.result["statusCode"] == status
    assert bool(done.lines("error") or done.lines("warn")) == (status == 401)


def test_a_connection_that_cannot_be_stored_is_refused(app: LiveApp, capsys: pytest.CaptureFixture[str]) -> None:
    app.aws.replies["PutItem"] = [Reply(400, b'{"__type": "AccessDeniedException", "message": "no"}')]
    assert app.send(connecting("c1=")) == {"statusCode": 500}
    assert "AccessDeniedException" in capsys.readouterr().out


# --- joining ---


def test_a_group_is_sent_when_it_is_joined(app: LiveApp) -> None:
    app.connect("c1=")
    app.rows.set("b", "two")
    app.rows.set("a", "one")
    app.aws.put(app.rows.table, app.rows.send("ping", {"NULL": True})["dynamodb"]["NewImage"])
    app.rows.set("expired", ttl={"N": "1000000000"})
    assert app.send(joining("c1=", "inbox")) == {"statusCode": 200}
    (frame,) = app.frames("c1=")
    assert list(frame) == ["timestamp", "streamName", "groupId", "event"]
    assert frame["event"] == {"type": "sync", "data": [{"text": "one", "id": "a"}, {"text": "two", "id": "b"}]}
    asked = [asked for asked in app.aws.asked if asked.operation == "PostToConnection"]
    assert asked[0].path.endswith("/@connections/c1%3D")
    assert int(asked[0].headers["content-length"]) == len(json.dumps(frame, separators=(",", ":")))
    assert app.send(joining("c1=", "empty", subscription="s2")) == {"statusCode": 200}
    assert app.frames("c1=")[0]["event"] == {"type": "sync", "data": []}


def test_an_item_is_sent_at_its_own_time_and_nothing_where_there_is_none(app: LiveApp) -> None:
    app.connect("c1=")
    at = int(app.rows.set("a", "one")["dynamodb"]["NewImage"]["timestamp"]["N"])
    app.send(joining("c1=", "inbox", "a"))
    app.send(joining("c1=", "inbox", "b", "s2"))
    assert app.frames("c1=") == [
        {
            "timestamp": at,
            "streamName": STREAM,
            "groupId": "inbox",
            "id": "a",
            "event": {"type": "sync", "data": {"text": "one", "id": "a"}},
        }
    ]
    rooms = {row["room"]["S"] for row in connected(app.aws)}
    assert rooms == {"connection/c1=", '["messages","inbox","a"]', '["messages","inbox","b"]'}


def test_rows_that_no_step_has_written_are_shown_as_far_as_they_are_items(app: LiveApp) -> None:
    app.connect("c1=")
    app.rows.set("a", "one")
    for item_id, row in (("b", {"value": {"M": {"n": {"N": "1.50"}}}}), ("c", {}), ("d", {"value": {"SS": ["x"]}})):
        app.aws.put(app.rows.table, {"group": {"S": "inbox"}, "id": {"S": item_id}, **row})
    app.send(joining("c1=", "inbox"))
    app.send(joining("c1=", "inbox", "b", "s2"))
    group, item = app.frames("c1=")
    assert group["event"]["data"] == [{"text": "one", "id": "a"}, {"n": 1.5, "id": "b"}]
    assert item["timestamp"] > 0


def test_a_group_that_is_too_large_for_one_message_comes_in_several(app: LiveApp) -> None:
    app.connect("c1=")
    for number in range(7):
        app.rows.set(f"i{number}", "ä" * 30_000)
    app.rows.set("small", "x")
    app.rows.set("whale", "y" * MESSAGE_LIMIT)
    app.send(joining("c1=", "inbox"))
    sync, *rest = app.frames("c1=")
    assert [item["id"] for item in sync["event"]["data"]] == ["i0", "i1", "small"]
    assert [(frame["id"], frame["event"]["type"]) for frame in rest] == [
        *((f"i{number}", "create") for number in range(2, 7)),
        ("whale", "event"),
    ]
    assert error_of(rest[-1]) == "MESSAGE_TOO_LARGE"
    sizes = [int(asked.headers["content-length"]) for asked in app.aws.asked if asked.operation == "PostToConnection"]
    assert max(sizes) <= MESSAGE_LIMIT
    app.send(joining("c1=", "inbox", "whale", "s2"))
    assert error_of(app.frames("c1=")[0]) == "MESSAGE_TOO_LARGE"


def test_messages_are_filled_to_the_last_byte(app: LiveApp) -> None:
    app.connect("c1=")
    app.rows.set("a", "x")
    app.send(joining("c1=", "inbox"))
    (frame,) = app.frames("c1=")
    missing = MESSAGE_LIMIT - len(json.dumps(frame, separators=(",", ":")))
    for size, more in ((missing, 0), (missing + 1, 0), (missing + 2, 1)):
        app.rows.set("a", "x" * size)
        app.send(joining("c1=", "inbox"))
        assert len(app.frames("c1=")) == 1 + more


ACCESS = "async def can_access(subscription, context):\n    return subscription['groupId'] == context['user']\n"
USER = "def authenticate(request):\n    return {'user': 'ann'}\n"


def test_the_streams_definition_says_who_may_join(folder: StepFolder, aws: FakeAws) -> None:
    project(folder, USER, ACCESS)
    done = run(
        folder, aws, connecting("c1="), joining("c1=", "ann"), joining("c1=", "bob", "i1"), joining("c1=", "bob")
    )
    allowed, refused_item, refused = aws.sockets["c1="]
    assert allowed["event"]["type"] == "sync"
    assert (refused_item["groupId"], refused_item["id"], "id" in refused) == ("bob", "i1", False)
    assert refused["event"] == {
        "type": "event",
        "event": {"type": "error", "data": {"code": "STREAM_ACCESS_DENIED", "message": "Access denied"}},
    }
    assert [record.get("refused") for record in done.records] == [None, None, *["STREAM_ACCESS_DENIED"] * 2]
    assert connection_row(aws)["subscriptions"] == {"N": "1"}
    assert len(connected(aws)) == 3


@pytest.mark.parametrize(
    ("stream", "variable", "joined"),
    [
        ({}, None, False),
        ({}, "0", False),
        ({}, "1", True),
        ({"isOpen": True}, None, True),
        ({"isOpen": 1}, None, False),
    ],
)
def test_who_may_join_is_said_or_nobody_may(
    folder: StepFolder, aws: FakeAws, stream: Json, variable: str | None, joined: bool
) -> None:
    project(folder)
    undeclared = {STREAM: {"source": None, "checksAccess": False, **stream}}
    (folder.path / "treadle" / "system.json").write_text(json.dumps(system_slice("websocket", streams=undeclared)))
    environment = dict(aws.environment) | ({} if variable is None else {"TREADLE_LETS_ALL_IN": variable})
    aws.sockets["c1="] = []
    aws.page_items = None
    done = folder.run(connecting("c1="), joining("c1=", "inbox"), entry="websocket", environment=environment)
    (frame,) = aws.sockets["c1="]
    assert (frame["event"]["type"] == "sync") == joined
    assert [line["msg"] for line in done.lines("warn")] == (
        [] if joined else ["A join is refused: stream messages has neither `canAccess` nor `access: open`"]
    )


@pytest.mark.parametrize(
    ("source", "joined", "logged"),
    [
        ("def can_access(subscription, context):\n    return True", True, False),
        ("def can_access(subscription):\n    return 'yes'", True, False),
        ("import asyncio\nasync def can_access(s, c):\n    await asyncio.sleep(0)\n    return True", True, False),
        ("def can_access(subscription, context):\n    return None", False, False),
        ("def can_access(subscription, context):\n    raise KeyError('x')", False, True),
        ("def can_access(subscription, context):\n    raise SystemExit(1)", False, True),
        ("import nowhere_to_be_found", False, True),
        ("can_access = None", False, True),
    ],
)
def test_what_can_access_says_or_does_decides(
    folder: StepFolder, aws: FakeAws, source: str, joined: bool, logged: bool
) -> None:
    done = run(project(folder, can_access=source), aws, connecting("c1="), joining("c1=", "inbox"))
    (frame,) = aws.sockets["c1="]
    assert (frame["event"]["type"] == "sync") == joined
    assert bool(done.lines("error")) == logged


@pytest.mark.parametrize(
    ("source", "joined", "logged"),
    [
        ("def on_join(subscription, context, auth):\n    return None", True, False),
        (
            "async def on_join(s, c, a):\n    return {'unauthorized': s.group_id == 'inbox' and s.id is None}",
            False,
            False,
        ),
        (
            "def on_join(s, c, a):\n    return {'unauthorized': (s['groupId'], a, not c.trace_id) != ('inbox', 1, 0)}",
            True,
            False,
        ),
        ("class Refusal:\n    unauthorized = True\ndef on_join(s, c, a):\n    return Refusal()", False, False),
        ("def on_join(s, c, a):\n    c.state.set('g', 'k', 1)", False, True),
        ("on_join = 5", False, True),
        ("def on_join(s, c, a): pass\ndef can_access(s, c): return False", False, False),
        ("def on_join(s, c, a): return {'unauthorized': True}\ndef can_access(s, c): return True", False, False),
    ],
)
def test_on_join_of_motia_1_lets_join_unless_it_refuses(
    folder: StepFolder, aws: FakeAws, source: str, joined: bool, logged: bool
) -> None:
    project(folder, "def authenticate(request):\n    return 1", "can_access = None")
    config = f"config = {{'name': '{STREAM}', 'canAccess': globals().get('can_access'), 'onJoin': on_join}}"
    folder.write("steps/messages_stream.py", f"{source}\n{config}\n")
    done = run(folder, aws, connecting("c1="), joining("c1=", "inbox"))
    (frame,) = aws.sockets["c1="]
    assert (frame["event"]["type"] == "sync") == joined
    assert bool(done.lines("error")) == logged


def test_an_unknown_stream_is_refused_by_name(app: LiveApp) -> None:
    app.connect("c1=")
    app.send(joining("c1=", "inbox", streamName="nosuch"))
    (frame,) = app.frames("c1=")
    assert frame["event"]["event"]["data"] == {"code": "STREAM_ACCESS_DENIED", "message": "Stream nosuch not found"}
    assert (frame["streamName"], frame["groupId"]) == ("nosuch", "inbox")
    assert connection_row(app.aws)["subscriptions"] == {"N": "0"}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (saying("c1=", "{bad", "join"), "a message must be JSON"),
        (saying("c1=", "[" * 100_000), "a message must be JSON"),
        (saying("c1=", "hello"), "a message must be JSON"),
        (saying("c1=", [1], "join"), "a message must be {"),
        (saying("c1=", {"type": "join", "data": 5}, "join"), "a message must be {"),
        (saying("c1=", {"type": "ping", "data": {}}), "`type` must be `join` or `leave`"),
        (joining("c1=", None), "`groupId` must be a text"),
        (joining("c1=", ""), "`groupId` must be a text"),
        (joining("c1=", 5), "`groupId` must be a text"),
        (joining("c1=", "x" * 2049), "`groupId` is longer than 2,048 bytes"),
        (joining("c1=", "ä" * 1025), "`groupId` is longer than 2,048 bytes"),
        (joining("c1=", "\ud800"), "`groupId` has half of a surrogate pair"),
        (joining("c1=", "inbox", 5), "`id` must be a text"),
        (joining("c1=", "inbox", ["a"]), "`id` must be a text"),
        (joining("c1=", "inbox", "x" * 1025), "`id` is longer than 1,024 bytes"),
        (joining("c1=", "inbox", "\x00" + "0" * 32), "`id` must not begin with a NUL"),
        (joining("c1=", "inbox", "a", None), "`subscriptionId` must be a text"),
        (joining("c1=", "inbox", "a", "x" * 257), "`subscriptionId` is longer than 256 bytes"),
        (joining("c1=", "inbox", streamName=7), "`streamName` must be a text"),
        (leaving("c1=", "inbox", subscription=7), "`subscriptionId` must be a text"),
    ],
)
def test_what_is_no_message_is_answered_with_what_is_wrong(app: LiveApp, event: Json, problem: str) -> None:
    app.connect("c1=")
    assert app.send(event) == {"statusCode": 200}
    (frame,) = app.frames("c1=")
    assert error_of(frame) == "BAD_MESSAGE"
    assert frame["event"]["event"]["data"]["message"].startswith(problem)
    assert {"timestamp", "streamName", "groupId"} <= set(frame)


def test_long_names_are_rooms_like_any_other(app: LiveApp) -> None:
    app.connect("c1=")
    app.send(joining("c1=", "g" * 2048, "i" * 1024, "s" * 256))
    rows = connected(app.aws)
    assert len(rows) == 3
    assert any(row["room"]["S"].startswith("sha256/") for row in rows)
    assert app.send(leaving("c1=", "g" * 2048, "i" * 1024, "s" * 256)) == {"statusCode": 200}
    assert followed(app) == []


def test_leaving_removes_what_joining_has_written(app: LiveApp) -> None:
    app.connect("c1=")
    app.send(joining("c1=", "inbox", subscription="s1"))
    app.send(joining("c1=", "inbox", "a", subscription="s2"))
    assert connection_row(app.aws)["subscriptions"] == {"N": "2"}
    for _ in range(2):
        app.send(leaving("c1=", "inbox", subscription="s1"))
        assert connection_row(app.aws)["subscriptions"] == {"N": "1"}
    assert followed(app) == [('["messages","inbox","a"]', "s2")]


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_join_that_its_leave_has_overtaken_follows_nothing(app: LiveApp, earlier: int) -> None:
    """API Gateway hands the messages of a connection over side by side: in which order they are served is open."""
    app.connect("c1=")
    for _ in range(earlier):
        app.send(joining("c1=", "inbox"))
        app.send(leaving("c1=", "inbox"))
    join, leave = joining("c1=", "inbox"), leaving("c1=", "inbox")
    app.send(leave)
    app.send(join)
    assert followed(app) == []
    assert connection_row(app.aws)["subscriptions"] == {"N": "0"}


def test_a_leave_that_a_later_join_has_overtaken_takes_nothing_from_it(app: LiveApp) -> None:
    app.connect("c1=")
    app.send(joining("c1=", "inbox"))
    leave, again = leaving("c1=", "inbox"), joining("c1=", "inbox", "a")
    app.send(again)
    app.send(leave)
    assert followed(app) == [('["messages","inbox","a"]', "s1")]
    assert connection_row(app.aws)["subscriptions"] == {"N": "1"}


def test_of_two_joins_of_one_subscription_the_later_one_counts_whatever_is_served_first(app: LiveApp) -> None:
    app.connect("c1=")
    first, second = joining("c1=", "inbox"), joining("c1=", "inbox", "a")
    app.send(second)
    app.send(first)
    assert followed(app) == [('["messages","inbox","a"]', "s1")]
    assert connection_row(app.aws)["subscriptions"] == {"N": "1"}


def followed(app: LiveApp) -> list[tuple[str, str]]:
    """(room, subscription) of every follower."""
    rows = [row for row in connected(app.aws) if not row["room"]["S"].startswith("connection/")]
    return sorted((row["room"]["S"], row["member"]["S"].split("/", 2)[2]) for row in rows)


def test_a_subscription_id_that_is_used_again_replaces_the_earlier_one(app: LiveApp) -> None:
    app.connect("c1=")
    app.send(joining("c1=", "inbox"))
    app.send(joining("c1=", "inbox", "a"))
    assert {row["room"]["S"] for row in connected(app.aws)} == {"connection/c1=", '["messages","inbox","a"]'}
    assert connection_row(app.aws)["subscriptions"] == {"N": "1"}


def test_a_connection_may_have_five_hundred_subscriptions(app: LiveApp) -> None:
    app.connect("c1=")
    app.aws.put(CONNECTIONS, {**connection_row(app.aws), "subscriptions": {"N": "499"}})
    app.send(joining("c1=", "inbox", subscription="s1"))
    app.send(joining("c1=", "inbox", subscription="s2"))
    sync, refusal = app.frames("c1=")
    assert sync["event"]["type"] == "sync"
    assert error_of(refusal) == "TOO_MANY_SUBSCRIPTIONS"
    app.send(leaving("c1=", "inbox", subscription="s1"))
    app.send(joining("c1=", "inbox", subscription="s3"))
    assert app.frames("c1=")[0]["event"]["type"] == "sync"


# --- connections that are not what they seem ---


@pytest.mark.parametrize(
    "event",
    [joining("c1=", "inbox"), leaving("c1=", "inbox"), saying("c1=", "what"), joining("c1=", 5), leaving("c1=", 5)],
)
def test_a_connection_without_a_row_is_closed(app: LiveApp, event: Json) -> None:
    app.aws.sockets["c1="] = []
    assert app.send(event) == {"statusCode": 200}
    assert "c1=" not in app.aws.sockets
    assert connected(app.aws) == []


def test_a_connection_that_has_ended_leaves_nothing(app: LiveApp) -> None:
    app.connect("c1=")
    del app.aws.sockets["c1="]
    assert app.send(joining("c1=", "inbox")) == {"statusCode": 200}
    assert connected(app.aws) == []
    assert app.aws.of("DeleteConnection") == []


def test_a_connection_that_cannot_be_told_is_closed_with_the_reason(
    app: LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app.connect("c1=")
    app.aws.faults["c1="] = Reply(403, b'{"message": "Forbidden"}', {"x-amzn-ErrorType": "ForbiddenException"})
    assert app.send(joining("c1=", "inbox")) == {"statusCode": 200}
    assert "c1=" not in app.aws.sockets
    assert connected(app.aws) == []
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (record["result"], record["error"]["type"]) == ("error", "AwsCallError")
    assert "ForbiddenException" in record["error"]["message"]


def test_an_event_that_is_none_of_the_apis_is_refused(app: LiveApp) -> None:
    with pytest.raises(UnroutableEvent, match="keys Records is none of the WebSocket API's"):
        app.send({"Records": []})


def test_a_cold_start_loads_nothing_heavy(folder: StepFolder, aws: FakeAws) -> None:
    done = run(project(folder), aws, connecting("c1="), joining("c1=", "inbox"), disconnecting("c1="))
    assert [record["result"] for record in done.records] == ["ok"] * 3
    heavy = {"asyncio", "boto3", "concurrent", "dataclasses", "email", "http", "inspect", "logging", "ssl", "urllib"}
    assert not {module.partition(".")[0] for module in done.modules} & heavy
