"""The function that hands changes on: each reaches every step that has a trigger on it, or the dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.changes.fan_out import start
from treadle.errors import UnroutableEvent
from treadle.live.process import SystemProcess

from .fake_aws import FakeAws, Reply, failure
from .live_app import CREDENTIALS, NAMES, Context, StreamRows, system_slice
from .step_folder import event_file

Json = dict[str, Any]

STATE = {"step": "Audit", "fifo": False, "kind": "state"}
BOARD = {"step": "Board", "fifo": False, "kind": "stream", "stream": "messages", "group": None, "item": None}
ONE = {"step": "One", "fifo": True, "kind": "stream", "stream": "messages", "group": "inbox", "item": "a"}
WRITER = "SUJU6-8751089 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FUNCTION = "shop--dev--_treadle-changes"


class Changes:
    """The function in this process, over a fake AWS."""

    def __init__(self, aws: FakeAws, folder: Path) -> None:
        self.aws = aws
        self.rows = StreamRows(aws)
        (folder / "treadle").mkdir(parents=True)
        document = system_slice("changes", "messages", triggers=[STATE, BOARD, ONE])
        (folder / "treadle" / "system.json").write_text(json.dumps(document))
        self.process = SystemProcess("changes", str(folder))
        self._handler = start(self.process)

    def hand_on(self, *records: Json) -> list[str]:
        """The sequence numbers that the function wants again of a batch."""
        answer = self._handler({"Records": list(records)}, Context(function=FUNCTION))
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def handle(self, event: Json) -> object:
        return self._handler(event, Context(function=FUNCTION))

    def sent(self, queue: str) -> list[Json]:
        """The entries that a queue was sent, in their order."""
        batches = (asked for asked in self.aws.of("SendMessageBatch") if asked["QueueUrl"].endswith(f"/{queue}"))
        return [entry for batch in batches for entry in batch["Entries"]]

    def bodies(self, queue: str) -> list[Json]:
        return [json.loads(entry["MessageBody"]) for entry in self.sent(queue)]

    def aside(self) -> list[Json]:
        """What was put into the function's own dead-letter queue."""
        return [one for one in self.aws.of("SendMessage") if one["QueueUrl"].endswith("/" + DEAD)]


DEAD = NAMES.dead_letter_queue("_treadle-changes")
AUDIT, BOARDS = NAMES.queue("Audit"), NAMES.queue("Board")
ONES = NAMES.queue("One", fifo=True)


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server


@pytest.fixture
def changes(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Changes]:
    for name, value in {**CREDENTIALS, **aws.environment}.items():
        monkeypatch.setenv(name, value)
    made = Changes(aws, tmp_path)
    yield made
    made.process.close()


_numbers = iter(range(1, 10_000))


def state_record(name: str, key: str, old: Json | None, new: Json | None, at: float = 1780292562.5) -> Json:
    """The record of a change of state; `old` and `new` are rows without their keys."""
    record: Json = event_file("dynamodb_stream.json")["Records"][0]
    number = next(_numbers)
    keys = {"group": {"S": "orders"}, "key": {"S": key}}
    change = record["dynamodb"]
    change.pop("NewImage")
    change.update(Keys=keys, SequenceNumber=f"{number:021d}", ApproximateCreationDateTime=at)
    images = {"OldImage": old, "NewImage": new}
    change.update({image: {**keys, **row} for image, row in images.items() if row is not None})
    arn = f"arn:aws:dynamodb:us-east-2:123456789012:table/{NAMES.state_table()}/stream/2026-05-30T10:11:12.013"
    return record | {"eventName": name, "eventSourceARN": arn, "eventID": f"{number:032x}"}


def row(value: object, **more: Any) -> Json:
    return {"value": {"N": str(value)}, "version": {"N": "1"}, **more}


def test_a_change_of_state_has_both_values(changes: Changes) -> None:
    assert (
        changes.hand_on(
            state_record("INSERT", "a", None, row(1)),
            state_record("MODIFY", "a", row(1), row(2)),
            state_record("REMOVE", "a", row(2), None),
        )
        == []
    )
    bodies = changes.bodies(AUDIT)
    assert [(one["event_type"], one["old_value"], one["new_value"]) for one in bodies] == [
        ("state:created", None, 1),
        ("state:updated", 1, 2),
        ("state:deleted", 2, None),
    ]
    assert {name: bodies[0][name] for name in ("type", "scope", "key", "group_id", "item_id")} == {
        "type": "state",
        "scope": "orders",
        "key": "a",
        "group_id": "orders",
        "item_id": "a",
    }
    assert changes.sent(BOARDS) == []


def test_a_value_whose_time_was_over_had_gone_before(changes: Changes) -> None:
    expired = row(1, ttl={"N": "1780292562"})
    changes.hand_on(state_record("MODIFY", "a", expired, row(2)), state_record("REMOVE", "b", expired, None))
    assert [(one["event_type"], one["old_value"]) for one in changes.bodies(AUDIT)] == [
        ("state:created", None),
        ("state:deleted", 1),
    ]


def test_a_stream_s_changes_go_to_the_triggers_on_it_its_groups_and_its_items(changes: Changes) -> None:
    a, b, gone = changes.rows.set("a", "1"), changes.rows.set("b", "2"), changes.rows.delete("b")
    assert changes.hand_on(a, b, gone) == []
    bodies = changes.bodies(BOARDS)
    assert [(one["id"], one["event"]) for one in bodies] == [
        ("a", {"type": "create", "data": {"text": "1", "id": "a"}}),
        ("b", {"type": "create", "data": {"text": "2", "id": "b"}}),
        ("b", {"type": "delete", "data": {"text": "2", "id": "b"}}),
    ]
    assert {name: bodies[0][name] for name in ("type", "streamName", "groupId")} == {
        "type": "stream",
        "streamName": "messages",
        "groupId": "inbox",
    }
    assert bodies[0]["timestamp"] == int(a["dynamodb"]["NewImage"]["timestamp"]["N"])
    assert [one["id"] for one in changes.bodies(ONES)] == ["a"]
    assert changes.sent(AUDIT) == []


def test_an_event_that_nothing_keeps_is_no_change(changes: Changes) -> None:
    assert changes.hand_on(changes.rows.send("typing", {"S": "x"})) == []
    assert changes.sent(BOARDS) == []


def test_a_fifo_queue_gets_the_changes_of_one_item_as_a_group_each_with_an_id_of_its_own(changes: Changes) -> None:
    records = [changes.rows.set("a", text) | {"eventID": f"{text}" * 32} for text in "123"]
    changes.hand_on(*records)
    entries = changes.sent(ONES)
    assert len({entry["MessageGroupId"] for entry in entries}) == 1
    assert len({entry["MessageDeduplicationId"] for entry in entries}) == 3


def test_the_message_says_who_has_written_and_counts_the_hops(changes: Changes) -> None:
    changes.hand_on(
        state_record("INSERT", "a", None, row(1, trace={"S": WRITER})),
        state_record("INSERT", "b", None, row(1, trace={"S": f"{WRITER} 7"})),
        state_record("INSERT", "c", None, row(1)),
        state_record("INSERT", "d", None, row(1, trace={"S": "nonsense"})),
    )
    told = [json.loads(entry["MessageAttributes"]["treadle"]["StringValue"]) for entry in changes.sent(AUDIT)]
    assert [(one.get("traceId"), one["hops"], one["change"]) for one in told] == [
        ("SUJU6-8751089", 1, '["state"]'),
        ("SUJU6-8751089", 8, '["state"]'),
        (None, 1, '["state"]'),
        (None, 1, '["state"]'),
    ]
    assert told[0]["traceparent"] == WRITER.split()[1]


def test_what_one_queue_does_not_take_comes_again_and_is_not_sent_twice_to_the_other(
    changes: Changes, aws: FakeAws
) -> None:
    aws.replies["SendMessageBatch"] = [failure("AccessDenied", status=403)]
    first, second = state_record("INSERT", "a", None, row(1)), changes.rows.set("b", "2")
    assert len(changes.hand_on(first, second)) == 1
    before = len(changes.sent(AUDIT)) + len(changes.sent(BOARDS))
    assert changes.hand_on(first, second) == []
    keys = [one["key"] for one in changes.bodies(AUDIT)] + [one["id"] for one in changes.bodies(BOARDS)]
    assert len(keys) > before
    assert changes.hand_on(first, second) == []  # all of it has been handed on
    assert len(changes.sent(AUDIT)) + len(changes.sent(BOARDS)) == len(keys)


def test_a_message_of_a_batch_that_is_not_taken_ends_the_batch_there(changes: Changes, aws: FakeAws) -> None:
    records = [state_record("INSERT", str(number), None, row(number)) for number in range(12)]
    failed = {"Id": "3", "Code": "InternalError", "Message": "later", "SenderFault": False}
    aws.replies["SendMessageBatch"] = [Reply(body=json.dumps({"Successful": [], "Failed": [failed]}).encode())]
    assert changes.hand_on(*records) == [records[3]["dynamodb"]["SequenceNumber"]]
    assert [len(asked["Entries"]) for asked in aws.of("SendMessageBatch")] == [10, 2]
    assert changes.hand_on(*records[3:]) == []
    assert [entry["Id"] for entry in aws.of("SendMessageBatch")[-1]["Entries"]] == ["0"]
    assert changes.bodies(AUDIT)[-1]["key"] == "3"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(
            body=json.dumps(
                {"Failed": [{"Id": "0", "Code": "InvalidMessageContents", "Message": "no", "SenderFault": True}]}
            ).encode()
        ),
        failure("AWS.SimpleQueueService.NonExistentQueue"),
        failure("QueueDoesNotExist"),
    ],
)
def test_what_can_never_be_taken_is_put_aside_with_the_reason(changes: Changes, aws: FakeAws, reply: Reply) -> None:
    aws.replies["SendMessageBatch"] = [reply]
    record = state_record("INSERT", "a", None, row(1, trace={"S": WRITER}))
    assert changes.hand_on(record) == []
    (aside,) = changes.aside()
    assert json.loads(aside["MessageBody"]) == record
    attributes = {name: one["StringValue"] for name, one in aside["MessageAttributes"].items()}
    assert attributes["step"] == "_treadle-changes"
    assert attributes["traceId"] == "SUJU6-8751089"


def test_a_change_too_large_for_a_message_is_put_aside(changes: Changes) -> None:
    text = {"S": "ä" * 195_000}
    old, new = {"value": {"L": [text]}}, {"value": {"L": [text, {"S": "\x01" * 60_000}]}}
    record = state_record("MODIFY", "a", old, new)
    assert changes.hand_on(record) == []
    (aside,) = changes.aside()
    assert aside["MessageAttributes"]["errorType"]["StringValue"] == "ChangeTooLarge"
    assert "1,048,576" in aside["MessageAttributes"]["errorMessage"]["StringValue"]


@pytest.mark.parametrize(
    "damage",
    [
        {"eventName": "RENAME"},
        {"eventSourceARN": "arn:aws:dynamodb:us-east-2:123456789012:table/other/stream/1"},
        {"dynamodb": {"Keys": {"other": {"S": "x"}}, "SequenceNumber": "1"}},
        {"dynamodb": {"Keys": {"group": {"S": "g"}, "key": {"S": "k"}}, "SequenceNumber": "1"}},
        {
            "dynamodb": {
                "Keys": {"group": {"S": "g"}, "key": {"S": "k"}},
                "NewImage": {"by": {"S": "hand"}},
                "SequenceNumber": "1",
            }
        },
    ],
)
def test_a_record_that_cannot_be_read_is_put_aside_and_holds_nobody_up(changes: Changes, damage: Json) -> None:
    broken = state_record("INSERT", "a", None, row(1)) | damage
    assert changes.hand_on(broken, state_record("INSERT", "b", None, row(2))) == []
    assert [one["key"] for one in changes.bodies(AUDIT)] == ["b"]
    (aside,) = changes.aside()
    assert aside["MessageAttributes"]["errorType"]["StringValue"] == "InvalidChange"


def test_what_cannot_be_put_aside_comes_again(changes: Changes, aws: FakeAws) -> None:
    aws.replies["SendMessage"] = [failure("AccessDenied", status=403)]
    broken = state_record("RENAME", "a", None, row(1))
    assert changes.hand_on(broken) == [broken["dynamodb"]["SequenceNumber"]]


def test_events_of_other_kinds_are_refused(changes: Changes) -> None:
    events: list[Json] = [{}, {"Records": []}, {"Records": [{"eventSource": "aws:sqs"}]}]
    for event in events:
        with pytest.raises(UnroutableEvent):
            changes.handle(event)
