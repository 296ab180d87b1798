"""The broadcast function: whoever follows a stream is told of its changes, in order, once, and nothing gets lost."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from support.dev import wait_until
from treadle.errors import UnroutableEvent
from treadle.live.frames import Frame
from treadle.live.post import Delivery, Lane

from .fake_aws import FakeAws, Reply, failure
from .live_app import CONNECTIONS, STREAM, LiveApp, StreamRows, connected, joining, leaving, system_slice
from .step_folder import StepFolder, event_file

Json = dict[str, Any]
MESSAGE_LIMIT = 131_072
FORBIDDEN = Reply(403, b'{"message": "Forbidden"}', {"x-amzn-ErrorType": "ForbiddenException"})


def followers(app: LiveApp, *connections: str, item: str | None = None, group: str = "inbox") -> None:
    """Connects, has all join the group or the item, and forgets what they were sent for it."""
    app.connect(*connections)
    for connection in connections:
        app.send(joining(connection, group, item))
        app.frames(connection)


def told(app: LiveApp, connection: str) -> list[tuple[str, Any]]:
    return [(frame["event"]["type"], frame["event"].get("data")) for frame in app.frames(connection)]


def texts(app: LiveApp, connection: str) -> list[str]:
    return [data["text"] for _, data in told(app, connection)]


def records(capsys: pytest.CaptureFixture[str]) -> list[Json]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line.get("step") == "_treadle-broadcast" and line.get("treadle") == "invocation"]


def test_changes_are_told_in_order_at_their_times(app: LiveApp, capsys: pytest.CaptureFixture[str]) -> None:
    followers(app, "c1=", "c2=")
    changes = [app.rows.set("a", "1"), app.rows.set("a", "2"), app.rows.set("b", "3"), app.rows.delete("a")]
    capsys.readouterr()
    assert app.announce(*changes) == []
    first = app.aws.sockets["c1="]
    times = [int(change["dynamodb"]["NewImage"]["timestamp"]["N"]) for change in changes[:3]]
    assert [frame["timestamp"] for frame in first] == [*times, times[1] + 1]
    assert list(first[0]) == ["timestamp", "streamName", "groupId", "id", "event"]
    for connection in ("c1=", "c2="):
        assert told(app, connection) == [
            ("create", {"text": "1", "id": "a"}),
            ("update", {"text": "2", "id": "a"}),
            ("create", {"text": "3", "id": "b"}),
            ("delete", {"text": "2", "id": "a"}),
        ]
    lines = records(capsys)
    assert [(line["result"], line["delivered"], line["trigger"]["event"]) for line in lines] == [
        ("ok", 2, "create"),
        ("ok", 2, "update"),
        ("ok", 2, "create"),
        ("ok", 2, "delete"),
    ]


def test_the_trace_of_the_run_that_wrote_goes_on(app: LiveApp, capsys: pytest.CaptureFixture[str]) -> None:
    record = event_file("dynamodb_stream.json")["Records"][0]
    assert app.announce(record) == []
    (line,) = records(capsys)
    assert (line["traceId"], line["w3cId"], line["parentId"]) == (
        "SUJU6-8751089",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
    )
    assert line["trigger"] == {"kind": "stream", "stream": STREAM, "group": "inbox", "id": "m1", "event": "create"}


def test_one_frame_for_a_change_in_whatever_ways_it_is_followed(app: LiveApp) -> None:
    app.connect("c1=")
    for number, item in enumerate((None, "a", "a", None, "b")):
        app.send(joining("c1=", "inbox", item, f"s{number}"))
    app.frames("c1=")
    app.announce(app.rows.set("a"), app.rows.set("c"))
    assert [frame["id"] for frame in app.frames("c1=")] == ["a", "c"]


def test_item_rooms_are_their_groups_own(app: LiveApp) -> None:
    followers(app, "c1=", item="a")
    followers(app, "c2=", item="a", group="other")
    app.announce(StreamRows(app.aws, group="other").set("a", "theirs"), app.rows.set("a", "ours"))
    assert (texts(app, "c1="), texts(app, "c2=")) == (["ours"], ["theirs"])


def test_who_has_left_is_not_told(app: LiveApp) -> None:
    followers(app, "c1=", "c2=")
    app.send(leaving("c1=", "inbox"))
    app.announce(app.rows.set("a", "1"))
    assert (texts(app, "c1="), texts(app, "c2=")) == ([], ["1"])


def test_who_is_still_joining_is_not_told(app: LiveApp) -> None:
    followers(app, "c1=")
    app.connect("c2=")
    row = {"room": {"S": '["messages","inbox"]'}, "member": {"S": "c2=/0123/s1"}, "status": {"S": "joining"}}
    app.aws.put(CONNECTIONS, row)
    app.announce(app.rows.set("a", "1"))
    assert (texts(app, "c1="), texts(app, "c2=")) == (["1"], [])


def test_what_a_join_has_sent_is_not_told_again(app: LiveApp) -> None:
    changes = [app.rows.set("a", "1"), app.rows.set("a", "2")]
    followers(app, "c1=")
    app.announce(*changes, app.rows.set("a", "3"))
    assert texts(app, "c1=") == ["3"]


def test_events_are_told_to_groups_and_items_and_their_rows_end_in_silence(
    app: LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    followers(app, "c1=")
    followers(app, "c2=", item="a")
    capsys.readouterr()
    to_group, to_item = app.rows.send("ping", {"N": "1"}), app.rows.send("typing", {"M": {"who": {"S": "x"}}}, "a")
    image = to_group["dynamodb"]["NewImage"]
    ended = app.rows.record("REMOVE", image["id"]["S"], image, None)
    assert app.announce(to_group, to_item, ended) == []
    group, item = app.frames("c1=")
    assert list(group) == ["timestamp", "streamName", "groupId", "event"]
    assert group["event"] == {"type": "event", "event": {"type": "ping", "data": 1}}
    assert (item["id"], item["event"]["event"]) == ("a", {"type": "typing", "data": {"who": "x"}})
    assert [frame["id"] for frame in app.frames("c2=")] == ["a"]
    assert [line["trigger"]["id"] for line in records(capsys)] == [None, "a"]


def test_times_of_an_item_rise_whatever_its_rows_say(app: LiveApp) -> None:
    followers(app, "c1=")
    changes = [app.rows.set("a", "1"), app.rows.send("ping", {"NULL": True}, "a"), app.rows.delete("a")]
    app.announce(*changes)
    by_hand = [app.rows.record("INSERT", "h", None, _without_time(app, "h")) for _ in range(3)]
    app.announce(*by_hand[:2])
    app.announce(by_hand[2])
    frames = app.frames("c1=")
    for item in ("a", "h"):
        times = [frame["timestamp"] for frame in frames if frame["id"] == item]
        assert times == sorted(set(times))


def _without_time(app: LiveApp, item_id: str) -> Json:
    row: Json = app.rows.set(item_id)["dynamodb"]["NewImage"]
    return {name: value for name, value in row.items() if name != "timestamp"}


def test_what_is_too_large_is_told_as_an_error_and_a_deletion_by_its_id(app: LiveApp) -> None:
    followers(app, "c1=")
    app.announce(app.rows.set("a", "x" * MESSAGE_LIMIT), app.rows.delete("a"))
    error, deletion = app.frames("c1=")
    assert (error["id"], error["event"]["event"]["data"]["code"]) == ("a", "MESSAGE_TOO_LARGE")
    assert deletion["event"] == {"type": "delete", "data": {"id": "a"}}


# --- connections ---


def test_a_connection_that_has_ended_is_forgotten_and_others_are_told(app: LiveApp) -> None:
    followers(app, "c1=", "c2=")
    del app.aws.sockets["c1="]
    assert app.announce(app.rows.set("a", "1"), app.rows.set("a", "2")) == []
    assert texts(app, "c2=") == ["1", "2"]
    assert "c1=" not in json.dumps(connected(app.aws))
    assert len(app.aws.of("PostToConnection")) == 2 + 1 + 2
    assert app.aws.of("DeleteConnection") == []


def test_a_follower_without_a_membership_is_forgotten_too(app: LiveApp) -> None:
    row = {"room": {"S": '["messages","inbox"]'}, "member": {"S": "ghost=/s"}, "status": {"S": "active"}}
    app.aws.put(CONNECTIONS, row)
    app.announce(app.rows.set("a"))
    assert connected(app.aws) == []


@pytest.mark.parametrize("fault", [FORBIDDEN, failure("LimitExceededException", status=429), Reply(500, b"")])
def test_a_connection_that_cannot_be_told_is_closed_and_others_are_told(
    app: LiveApp, capsys: pytest.CaptureFixture[str], fault: Reply
) -> None:
    followers(app, "c1=", "c2=")
    app.aws.faults["c1="] = fault
    assert app.announce(app.rows.set("a", "1"), app.rows.set("a", "2")) == []
    assert "c1=" not in app.aws.sockets
    assert "c1=" not in json.dumps(connected(app.aws))
    assert texts(app, "c2=") == ["1", "2"]
    out = capsys.readouterr().out
    assert "the connection is closed, so that its client connects again" in out
    assert [json.loads(line)["delivered"] for line in out.splitlines() if '"delivered"' in line] == [1, 1]


def test_a_connection_that_hangs_holds_up_no_other(app: LiveApp) -> None:
    followers(app, "c1=", "c2=", "c3=")
    app.aws.held["c1="] = release = threading.Event()
    changes = [app.rows.set("a", str(number)) for number in range(5)]
    working = threading.Thread(target=app.announce, args=changes)
    working.start()
    wait_until("the others' changes", lambda: min(len(app.aws.sockets[other]) for other in ("c2=", "c3=")) == 5)
    waiting = list(app.aws.sockets["c1="])
    release.set()
    working.join()
    assert waiting == []
    for connection in ("c1=", "c2=", "c3="):
        assert texts(app, connection) == ["0", "1", "2", "3", "4"]


def test_many_connections_are_told_all_in_order(app: LiveApp) -> None:
    connections = [f"c{number}=" for number in range(60)]
    followers(app, *connections)
    assert app.announce(*(app.rows.set("a", str(number)) for number in range(20))) == []
    for connection in connections:
        assert texts(app, connection) == [str(number) for number in range(20)]


def test_rooms_are_read_once_for_a_batch(app: LiveApp) -> None:
    followers(app, "c1=")
    app.aws.asked.clear()
    app.announce(*(app.rows.set("ab"[number % 2]) for number in range(10)))
    queries = app.aws.of("Query")
    assert [query["ExpressionAttributeValues"][":room"]["S"] for query in queries] == ['["messages","inbox"]']
    assert all(query["ConsistentRead"] for query in queries)


def test_rooms_of_items_are_read_where_items_of_the_group_have_had_followers(app: LiveApp) -> None:
    followers(app, "c1=")
    followers(app, "c2=", item="z")
    app.send(leaving("c2=", "inbox", "z"))
    app.aws.asked.clear()
    app.announce(*(app.rows.set("ab"[number % 2]) for number in range(10)))
    group, *items = [query["ExpressionAttributeValues"][":room"]["S"] for query in app.aws.of("Query")]
    assert group == '["messages","inbox"]'
    assert sorted(items) == ['["messages","inbox","a"]', '["messages","inbox","b"]']


def test_a_room_of_many_pages_is_read_whole(app: LiveApp) -> None:
    followers(app, *(f"c{number}=" for number in range(7)))
    app.aws.page_items = 3
    app.announce(app.rows.set("a", "1"))
    assert [texts(app, f"c{number}=") for number in range(7)] == [["1"]] * 7


# --- records that cannot be announced ---


def bad_records(app: LiveApp) -> dict[str, Json]:
    image = app.rows.set("bad")["dynamodb"]["NewImage"]
    without_image = app.rows.record("INSERT", "bad", None, image)
    del without_image["dynamodb"]["NewImage"]
    elsewhere = app.rows.record("INSERT", "bad", None, image)
    elsewhere["eventSourceARN"] = elsewhere["eventSourceARN"].replace("messages", "other")
    keyless = app.rows.record("INSERT", "bad", None, image)
    keyless["dynamodb"]["Keys"] = {"pk": {"S": "x"}}
    return {
        "InvalidChange: no image": without_image,
        "InvalidChange: no stream of the app": elsewhere,
        "InvalidChange: keys": keyless,
        "InvalidChange: no kind of change": app.rows.record("TRUNCATE", "bad", None, image),
        "InvalidValue: no map": app.rows.record("INSERT", "bad", None, {**image, "value": {"S": "text"}}),
        "InvalidValue: SS": app.rows.record("INSERT", "bad", None, {**image, "value": {"M": {"a": {"SS": ["x"]}}}}),
        "InvalidChange: `type` is no text": app.rows.record(
            "INSERT", "\x00" + "0" * 32, None, {**image, "value": {"M": {"type": {"N": "1"}}}}
        ),
    }


def test_what_cannot_be_announced_is_dead_lettered_with_its_reason(
    app: LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    followers(app, "c1=")
    bad = bad_records(app)
    capsys.readouterr()
    assert app.announce(app.rows.set("a", "before"), *bad.values(), app.rows.set("a", "after")) == []
    assert texts(app, "c1=") == ["before", "after"]
    sent = app.aws.of("SendMessage")
    assert [json.loads(payload["MessageBody"]) for payload in sent] == list(bad.values())
    for reason, payload in zip(bad, sent, strict=True):
        attributes = {name: value["StringValue"] for name, value in payload["MessageAttributes"].items()}
        assert payload["QueueUrl"].endswith("/123456789012/shop--dev--_treadle-broadcast--dead")
        assert set(attributes) == {"errorType", "errorMessage", "traceId", "step", "attempts"}
        assert (attributes["step"], attributes["attempts"]) == ("_treadle-broadcast", "1")
        assert attributes["errorType"] == reason.partition(":")[0]
    assert [line["result"] for line in records(capsys)] == ["ok", *["dead-letter"] * len(bad), "ok"]


def test_a_record_too_large_for_a_queue_goes_without_its_images(app: LiveApp) -> None:
    image = {"group": {"S": "inbox"}, "id": {"S": "a"}, "value": {"S": "\x01" * 200_000}}
    assert app.announce(app.rows.record("INSERT", "a", None, image)) == []
    (sent,) = app.aws.of("SendMessage")
    body = json.loads(sent["MessageBody"])
    assert "NewImage" not in body["dynamodb"]
    assert body["dynamodb"]["Keys"]["id"] == {"S": "a"}


# --- what comes again ---


def test_where_a_room_cannot_be_read_nothing_from_there_on_is_told(
    app: LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    followers(app, "c1=")
    others = StreamRows(app.aws, group="other")
    changes = [app.rows.set("a", "1"), others.set("b", "2"), app.rows.set("a", "3")]
    changes[1]["dynamodb"]["SequenceNumber"] = "other-1"
    capsys.readouterr()
    app.aws.room_faults['["messages","other"]'] = failure("AccessDeniedException", "not authorized")
    assert app.announce(*changes) == ["other-1"]
    assert texts(app, "c1=") == ["1"]
    assert [line["result"] for line in records(capsys)] == ["ok", "retry"]
    app.aws.room_faults.clear()
    assert app.announce(*changes[1:]) == []
    assert texts(app, "c1=") == ["3"]


def test_where_dead_lettering_fails_nothing_from_there_on_is_told(app: LiveApp) -> None:
    followers(app, "c1=")
    poison = bad_records(app)["InvalidValue: no map"]
    changes = [app.rows.set("a", "1"), poison, app.rows.set("a", "3")]
    app.aws.replies["SendMessage"] = [failure("AccessDeniedException", "no")]
    assert app.announce(*changes) == [poison["dynamodb"]["SequenceNumber"]]
    assert texts(app, "c1=") == ["1"]
    assert app.announce(*changes[1:]) == []
    assert texts(app, "c1=") == ["3"]


def test_without_time_nothing_is_begun(app: LiveApp) -> None:
    followers(app, "c1=")
    changes = [app.rows.set("a", "1"), app.rows.set("a", "2")]
    assert app.announce(*changes, remaining_ms=40) == [changes[0]["dynamodb"]["SequenceNumber"]]
    assert app.frames("c1=") == []
    assert app.announce(*changes) == []
    assert texts(app, "c1=") == ["1", "2"]


def test_what_there_is_no_time_for_comes_again_and_nobody_gets_anything_twice(app: LiveApp) -> None:
    """Each frame takes its time, so that the batch is not done before the time is short."""
    followers(app, "c1=", "c2=", "c3=")
    app.aws.seconds = dict.fromkeys(("c1=", "c2=", "c3="), 0.03)
    left = [app.rows.set("a", str(number)) for number in range(40)]
    rounds = 0
    while left:
        failed = app.announce(*left, remaining_ms=900)
        rounds += 1
        assert rounds < 40
        numbers = [change["dynamodb"]["SequenceNumber"] for change in left]
        left = left[numbers.index(failed[0]) :] if failed else []
        counts = {len(app.aws.sockets[connection]) for connection in ("c1=", "c2=", "c3=")}
        assert counts == {40 - len(left)}
    assert rounds > 1
    for connection in ("c1=", "c2=", "c3="):
        assert texts(app, connection) == [str(number) for number in range(40)]


def test_a_connection_that_can_neither_be_told_nor_parted_with_makes_the_change_come_again(app: LiveApp) -> None:
    followers(app, "c1=")
    change = app.rows.set("a", "1")
    app.aws.faults["c1="] = FORBIDDEN
    app.aws.replies["DeleteConnection"] = [FORBIDDEN]
    app.aws.replies["DeleteItem"] = [failure("AccessDeniedException", "no")]
    assert app.announce(change) == [change["dynamodb"]["SequenceNumber"]]
    app.aws.faults.clear()
    assert app.announce(change) == []
    assert texts(app, "c1=") == ["1"]


def test_when_time_is_short_all_are_brought_to_where_the_furthest_is() -> None:
    """The quick connection's third frame makes the time short; the slow one has been waiting with its first."""
    short, got = threading.Event(), dict[str, list[bytes]](quick=[], slow=[])

    def post(connection: str, frame: Frame) -> None:
        if connection == "slow":
            assert short.wait(10)
        got[connection].append(frame.data)
        if connection == "quick" and len(got["quick"]) == 3:
            short.set()

    lanes = [Lane("quick"), Lane("slow")]
    for lane in lanes:
        lane.frames += [(number, Frame(b"%d" % number)) for number in range(6)]
    delivery = Delivery(6, post, lambda _connection, _number, _error: False, short.is_set)
    delivery.run(lanes)
    assert got == {"quick": [b"0", b"1", b"2"], "slow": [b"0", b"1", b"2"]}
    assert (delivery.cut, delivery.delivered) == (3, [2, 2, 2, 0, 0, 0])


def test_who_is_far_behind_when_the_time_is_over_is_parted_with_and_the_others_get_nothing_twice(app: LiveApp) -> None:
    followers(app, "c1=", "c2=", "c3=")
    app.aws.seconds["c1="] = 0.1
    changes = [app.rows.set("a", str(number)) for number in range(40)]
    assert app.announce(*changes, remaining_ms=1500) == []
    assert "c1=" not in app.aws.sockets
    assert "c1=" not in json.dumps(connected(app.aws))
    for connection in ("c2=", "c3="):
        assert texts(app, connection) == [str(number) for number in range(40)]


def test_an_event_that_is_no_batch_is_refused(aws: FakeAws, folder: StepFolder) -> None:
    (folder.path / "treadle" / "system.json").write_text(json.dumps(system_slice("broadcast")))
    record = event_file("dynamodb_stream.json")
    done = folder.run({"hello": 1}, {"Records": []}, record, entry="broadcast", environment=aws.environment)
    assert [answer.error for answer in done.answers] == [UnroutableEvent.__name__] * 2 + [None]
    assert done.answers[2].result == {"batchItemFailures": []}
    heavy = {"asyncio", "boto3", "concurrent", "dataclasses", "email", "http", "inspect", "logging", "ssl", "urllib"}
    assert not {module.partition(".")[0] for module in done.modules} & heavy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"manifest": 2}, "`manifest` must be 1"),
        ({"system": "websocket"}, "`system` must be `broadcast`"),
        ({"streams": {STREAM: {"checksAccess": True, "source": None}}}, "stream `messages` checks access"),
        ({"authenticate": {"source": "a.py"}}, "`authenticate` must have the texts"),
    ],
)
def test_a_slice_that_says_nothing_useful_is_refused_by_key(folder: StepFolder, changes: Json, words: str) -> None:
    from treadle.errors import ManifestError
    from treadle.live.process import SystemProcess

    path = folder.path / "treadle" / "system.json"
    path.write_text(json.dumps(system_slice("broadcast") | changes))
    with pytest.raises(ManifestError, match=words):
        SystemProcess("broadcast", str(folder.path))
