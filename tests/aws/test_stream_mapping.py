"""Functions invoked with the records of table streams: order, failures, filters, lanes, as boto3 makes them happen."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.aws import unique
from support.change_streams import item, make_table, stream_arn
from support.dev import Dev, wait_until
from support.lambda_account import Account, make_queue, make_role, refused
from support.queues import receive
from support.stacks import create, delete, outputs, reasons, update
from support.templates import att, ref, resource, table_properties, template

# What an item wishes for is in its attribute `wish`; `heal` is a file that ends all failures, `gate` one to wait for.
RECORDER = """
import json, os, time

def handler(event, context):
    folder = os.environ["FOLDER"]
    healed = os.path.exists(os.path.join(folder, "heal"))
    with open(os.path.join(folder, "seen"), "a") as seen:
        seen.write(json.dumps(event) + "\\n")
    reported = []
    for record in event["Records"]:
        wish = record["dynamodb"].get("NewImage", {}).get("wish", {}).get("S")
        if wish == "wait":
            while not os.path.exists(os.path.join(folder, "gate")):
                time.sleep(0.005)
        elif wish == "fail" and not healed:
            raise ValueError("no luck")
        elif wish == "report" and not healed:
            reported.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
        elif wish == "nonsense" and not healed:
            reported.append({"itemIdentifier": "17"})
    return {"batchItemFailures": reported}
"""


@dataclass(frozen=True)
class Scene:
    """A table with a stream, and a function that is mapped to it and writes down what it gets."""

    account: Account
    folder: Path
    table: str
    arn: str
    function: str

    @property
    def emulator(self) -> Dev:
        return self.account.emulator

    def put(self, *items: dict[str, Any]) -> None:
        """In one call, so that they are there at once."""
        requests = [{"PutRequest": {"Item": one}} for one in items]
        self.emulator.client("dynamodb").batch_write_item(RequestItems={self.table: requests})

    def map(self, **settings: Any) -> str:
        made = self.account.client.create_event_source_mapping(
            **{
                "EventSourceArn": self.arn,
                "FunctionName": self.function,
                "StartingPosition": "LATEST",
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                **settings,
            }
        )
        identifier: str = made["UUID"]
        return identifier

    def events(self) -> list[dict[str, Any]]:
        """The events so far; a line that is being written is not counted."""
        seen = self.folder / "seen"
        lines = seen.read_text().split("\n")[:-1] if seen.exists() else []
        return [json.loads(line) for line in lines]

    def batches(self) -> list[list[str]]:
        """The items of each event, by the first part of their keys."""
        return [[one["dynamodb"]["Keys"]["pk"]["S"] for one in event["Records"]] for event in self.events()]

    def wait_for(self, count: int) -> list[list[str]]:
        """The batches once there are so many."""
        return wait_until(f"{count} invocations", lambda: found if len(found := self.batches()) >= count else None)

    def turn_until(self, what: str, done: Callable[[], Any], seconds: float = 60) -> Any:
        """Turns the clock by so much at a time, as retries wait for it."""

        def look() -> Any:
            found = done()
            if not found:
                self.emulator.advance(seconds)
            return found

        return wait_until(what, look)

    def touch(self, name: str) -> None:
        (self.folder / name).touch()


@pytest.fixture
def scene(account: Account, tmp_path: Path) -> Scene:
    table = make_table(account.emulator)
    function = account.make(RECORDER, Environment={"Variables": {"FOLDER": str(tmp_path)}}, Timeout=30)
    return Scene(account, tmp_path, table, stream_arn(account.emulator, table), function)


def documents(emulator: Dev, url: str) -> list[dict[str, Any]]:
    """What a destination's queue holds now."""
    found: list[dict[str, Any]] = []
    while messages := receive(emulator.client("sqs"), url):
        found += [json.loads(message.get("Body", "")) for message in messages]
    return found


def test_a_function_gets_what_is_written_after_its_mapping_was_made(scene: Scene) -> None:
    scene.put(item("before"))
    scene.map()
    scene.put(item("a", text="x"), item("b"))
    assert scene.wait_for(1) == [["a", "b"]]
    [first, _] = scene.events()[0]["Records"]
    number = first["dynamodb"].pop("SequenceNumber")
    seconds = first["dynamodb"].pop("ApproximateCreationDateTime")
    assert (number.isdecimal(), isinstance(seconds, int), len(first.pop("eventID"))) == (True, True, 32)
    assert first == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "Keys": item("a"),
            "NewImage": item("a", text="x"),
            "SizeBytes": 17,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": scene.arn,
    }


def test_a_mapping_from_the_trim_horizon_begins_with_the_oldest_record(scene: Scene) -> None:
    scene.put(item("a"), item("b"), item("c"))
    scene.map(StartingPosition="TRIM_HORIZON", BatchSize=2)
    scene.put(item("d"))
    scene.wait_for(2)
    wait_until("all records", lambda: sum(map(len, scene.batches())) == 4)
    assert [name for batch in scene.batches() for name in batch] == ["a", "b", "c", "d"]
    assert len(scene.batches()[0]) == 2


def test_what_comes_during_an_invocation_is_the_next_batch(scene: Scene) -> None:
    scene.map(BatchSize=3)
    scene.put(item("first", wish="wait"))
    scene.wait_for(1)
    for number in range(5):
        scene.put(item(f"k{number}"))
    assert len(scene.batches()) == 1
    scene.touch("gate")
    assert scene.wait_for(3) == [["first"], ["k0", "k1", "k2"], ["k3", "k4"]]


def test_a_batching_window_waits_for_more_on_the_clock(scene: Scene) -> None:
    scene.map(BatchSize=3, MaximumBatchingWindowInSeconds=30)
    scene.put(item("a"))
    scene.emulator.advance(20)
    scene.put(item("b"))
    assert scene.batches() == []
    scene.emulator.advance(10)
    assert scene.wait_for(1) == [["a", "b"]]
    scene.put(item("c"), item("d"), item("e"), item("f"))
    assert scene.wait_for(2)[1] == ["c", "d", "e"]


def test_a_batch_is_cut_to_what_an_event_can_hold(scene: Scene) -> None:
    scene.map()
    scene.put(item("gate", wish="wait"))
    scene.wait_for(1)
    for number in range(20):
        scene.put(item(f"k{number}", text="x" * 390_000))
    scene.touch("gate")
    wait_until("all records", lambda: sum(map(len, scene.batches())) == 21, 60)
    assert [name for batch in scene.batches()[1:] for name in batch] == [f"k{number}" for number in range(20)]
    assert [len(batch) for batch in scene.batches()] == [1, 16, 4]


def test_a_poison_record_is_isolated_by_halving_and_told_to_the_destination(scene: Scene) -> None:
    url, queue = make_queue(scene.emulator)
    scene.map(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
        FunctionResponseTypes=[],
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    scene.put(*[item(f"k{number}", **({"wish": "fail"} if number == 5 else {})) for number in range(8)])
    [told] = scene.turn_until("the destination is told", lambda: documents(scene.emulator, url))
    wait_until("the last records", lambda: scene.batches()[-1] == ["k6", "k7"])
    failed = [batch for batch in scene.batches() if "k5" in batch]
    succeeded = [batch for batch in scene.batches() if "k5" not in batch]
    # halved at once, which is no retry; then the one record is retried twice
    assert failed == [
        [f"k{number}" for number in range(8)],
        ["k4", "k5", "k6", "k7"],
        ["k4", "k5"],
        ["k5"],
        ["k5"],
        ["k5"],
    ]
    assert succeeded == [["k0", "k1", "k2", "k3"], ["k4"], ["k6", "k7"]]
    poison = scene.events()[scene.batches().index(["k5"])]["Records"][0]["dynamodb"]
    request = told["requestContext"]
    name = scene.function
    assert request["functionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert (request["condition"], request["approximateInvokeCount"]) == ("RetryAttemptsExhausted", 6)
    assert told["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert told["version"] == "1.0"
    information = told["DDBStreamBatchInfo"]
    arrivals = {information.pop(f"approximateArrivalOf{which}Record") for which in ("First", "Last")}
    assert len(arrivals) == 1
    assert information.pop("shardId").startswith("shardId-")
    assert information == {
        "startSequenceNumber": poison["SequenceNumber"],
        "endSequenceNumber": poison["SequenceNumber"],
        "batchSize": 1,
        "streamArn": scene.arn,
    }


def test_a_reported_failure_is_the_checkpoint(scene: Scene) -> None:
    scene.map(MaximumRetryAttempts=3)
    scene.put(item("a"), item("b", wish="report"), item("c"), item("d", wish="report"))
    scene.wait_for(1)
    scene.put(item("later"))
    scene.touch("heal")
    scene.turn_until("the last record", lambda: "later" in scene.batches()[-1], 1)
    assert scene.batches() == [["a", "b", "c", "d"], ["b", "c", "d"], ["later"]]


def test_a_batch_is_split_at_a_reported_failure_where_batches_are_halved(scene: Scene) -> None:
    url, queue = make_queue(scene.emulator)
    scene.map(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    scene.put(item("a"), item("b", wish="report"), item("c"), item("d"))
    scene.wait_for(1)
    wait_until("the last records", lambda: scene.batches()[-1] == ["c", "d"])
    assert scene.batches() == [["a", "b", "c", "d"], ["b", "c", "d"], ["b"], ["c", "d"]]
    [told] = documents(scene.emulator, url)
    assert told["responseContext"]["functionError"] is None
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_an_unknown_identifier_fails_the_whole_batch(scene: Scene) -> None:
    scene.map()
    scene.put(item("a"), item("b", wish="nonsense"))
    scene.wait_for(1)
    scene.touch("heal")
    scene.turn_until("a retry", lambda: len(scene.batches()) == 2, 1)
    assert scene.batches() == [["a", "b"], ["a", "b"]]
    problem = "batchItemFailures names an unknown record"
    wait_until("the failure is said", lambda: problem in scene.emulator.text())


def test_retries_without_a_destination_end_with_a_report(scene: Scene) -> None:
    scene.map(MaximumRetryAttempts=1)
    scene.put(item("a", wish="fail"), item("b"))
    table = scene.arn.split("/")[1]
    scene.turn_until("the report", lambda: f"2 changes of {table} were dropped" in scene.emulator.text())
    assert "RetryAttemptsExhausted after 2 runs: ValueError: no luck" in scene.emulator.text()
    assert scene.batches() == [["a", "b"], ["a", "b"]]
    scene.put(item("c"))
    assert scene.wait_for(3)[2] == ["c"]


def test_records_that_grow_too_old_are_given_up_and_told_of(scene: Scene) -> None:
    url, queue = make_queue(scene.emulator)
    scene.map(MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": queue}})
    scene.put(item("old", wish="fail"))
    [told] = scene.turn_until("the destination is told", lambda: documents(scene.emulator, url), 5)
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == len(scene.batches())
    scene.put(item("young"))
    wait_until("the young record", lambda: scene.batches()[-1] == ["young"])


def test_order_is_kept_for_each_item_whatever_the_number_of_lanes(scene: Scene) -> None:
    scene.map(ParallelizationFactor=4, BatchSize=5)
    scene.touch("gate")
    for turn in range(10):
        scene.put(*[item(f"k{number}", turn=str(turn)) for number in range(12)])
    wait_until("all records", lambda: sum(map(len, scene.batches())) == 120)
    turns: dict[str, list[int]] = {}
    for event in scene.events():
        for one in event["Records"]:
            image = one["dynamodb"]["NewImage"]
            turns.setdefault(image["pk"]["S"], []).append(int(image["turn"]["S"]))
    assert turns == {f"k{number}": list(range(10)) for number in range(12)}


def test_a_lane_that_fails_does_not_hold_up_the_others(scene: Scene) -> None:
    scene.map(ParallelizationFactor=4, BatchSize=1)
    scene.put(item("poison", wish="fail"))
    scene.wait_for(1)
    scene.put(*[item(f"k{number}") for number in range(20)])
    wait_until("other lanes", lambda: len(scene.batches()) > 5)
    scene.touch("heal")
    scene.turn_until("all", lambda: len({name for batch in scene.batches() for name in batch}) == 21)
    counts = Counter(name for batch in scene.batches() for name in batch)
    assert all(counts[f"k{number}"] == 1 for number in range(20))


def test_records_that_no_pattern_matches_are_passed_over(scene: Scene) -> None:
    removed = {"eventName": ["REMOVE"]}
    named = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"text": {"S": [{"prefix": "keep"}]}}}}
    scene.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(one)} for one in (removed, named)]})
    scene.put(item("a", text="keep me"), item("b", text="leave me"), item("c"))
    scene.wait_for(1)
    scene.emulator.client("dynamodb").delete_item(TableName=scene.table, Key=item("b"))
    assert scene.wait_for(2) == [["a"], ["b"]]


def test_an_item_whose_time_is_over_comes_with_who_removed_it(scene: Scene) -> None:
    db = scene.emulator.client("dynamodb")
    db.update_time_to_live(TableName=scene.table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    expired = {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}
    scene.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(expired)}]})
    scene.put({**item("a"), "ttl": {"N": str(int(time.time()))}})
    scene.emulator.advance(120)
    scene.wait_for(1)
    [[record]] = [event["Records"] for event in scene.events()]
    assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert record["dynamodb"]["Keys"] == item("a")


def test_a_mapping_keeps_its_place_while_it_is_changed_and_disabled(scene: Scene) -> None:
    client = scene.account.client
    identifier = scene.map(BatchSize=1)
    scene.put(item("a", wish="wait"))
    scene.wait_for(1)
    scene.put(item("b"), item("c"), item("d"))
    client.update_event_source_mapping(UUID=identifier, BatchSize=2, ParallelizationFactor=1)
    client.update_event_source_mapping(UUID=identifier, Enabled=False)
    scene.touch("gate")
    scene.put(item("e"))
    client.update_event_source_mapping(UUID=identifier, Enabled=True)
    assert scene.wait_for(3) == [["a"], ["b", "c"], ["d", "e"]]
    client.update_event_source_mapping(UUID=identifier, Enabled=False)
    scene.put(item("f"))
    client.update_event_source_mapping(UUID=identifier, Enabled=True)
    assert scene.wait_for(4)[3] == ["f"]
    client.delete_event_source_mapping(UUID=identifier)
    scene.put(item("g"))
    scene.map()
    scene.put(item("h"))
    assert scene.wait_for(5)[4] == ["h"]


def test_new_code_goes_on_where_the_old_has_stopped(scene: Scene) -> None:
    scene.map()
    scene.put(item("a", wish="fail"))
    scene.wait_for(1)
    settings = scene.account.settings(RECORDER.replace("no luck", "still none").replace('"fail"', '"never"'))
    scene.account.client.update_function_code(FunctionName=scene.function, ZipFile=settings["Code"]["ZipFile"])
    scene.turn_until("a retry", lambda: len(scene.batches()) == 2, 1)
    scene.put(item("b"))
    assert scene.wait_for(3) == [["a"], ["a"], ["b"]]


def test_a_mapping_outlives_its_table_and_its_function(scene: Scene) -> None:
    scene.map()
    scene.put(item("a", wish="fail"))
    scene.wait_for(1)
    settings = scene.account.settings(RECORDER) | {"FunctionName": scene.function}
    scene.account.client.delete_function(FunctionName=scene.function)
    scene.emulator.client("dynamodb").delete_table(TableName=scene.table)
    scene.emulator.advance(60)
    scene.touch("heal")
    variables = {"Variables": {"FOLDER": str(scene.folder)}}
    scene.account.client.create_function(**settings, Environment=variables, Timeout=30)
    scene.turn_until("the record comes again", lambda: len(scene.batches()) == 2)


def test_a_role_that_loses_its_permission_is_refused_until_it_has_it_again(account: Account, tmp_path: Path) -> None:
    iam = account.emulator.client("iam")
    role = make_role(account.emulator, actions=("dynamodb:*",))
    name = role.rpartition("/")[2]
    table = make_table(account.emulator)
    environment = {"Variables": {"FOLDER": str(tmp_path)}}
    function = account.make(RECORDER, Role=role, Environment=environment, Timeout=30)
    scene = Scene(account, tmp_path, table, stream_arn(account.emulator, table), function)
    scene.map()
    [granted] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=name, PolicyName=granted)["PolicyDocument"]
    iam.delete_role_policy(RoleName=name, PolicyName=granted)
    scene.put(item("a"))
    wait_until("the refusal", lambda: f"dynamodb:GetRecords on resource: {scene.arn}" in account.emulator.text())
    assert scene.batches() == []
    iam.put_role_policy(RoleName=name, PolicyName=granted, PolicyDocument=json.dumps(policy))
    scene.turn_until("the record", scene.batches)


def test_a_destination_that_the_role_may_not_send_to_is_reported(account: Account, tmp_path: Path) -> None:
    role = make_role(account.emulator, actions=("dynamodb:*",))
    table = make_table(account.emulator)
    environment = {"Variables": {"FOLDER": str(tmp_path)}}
    function = account.make(RECORDER, Role=role, Environment=environment, Timeout=30)
    scene = Scene(account, tmp_path, table, stream_arn(account.emulator, table), function)
    _, queue = make_queue(account.emulator)
    scene.map(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": queue}})
    scene.put(item("a", wish="fail"))
    wait_until("the report", lambda: f"{queue} could not be told" in account.emulator.text())


def test_a_stack_maps_the_stream_of_its_table_and_the_new_one_after_a_change(account: Account, tmp_path: Path) -> None:
    environment = {"Variables": {"FOLDER": str(tmp_path)}}
    function = account.make(RECORDER, Environment=environment, Timeout=30)
    cloudformation = account.emulator.client("cloudformation")
    stack = unique("stack")

    def body(view: str) -> str:
        mapping = {
            "EventSourceArn": att("Table", "StreamArn"),
            "FunctionName": function,
            "StartingPosition": "LATEST",
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 5,
            "MaximumRecordAgeInSeconds": 300,
            "ParallelizationFactor": 2,
        }
        return template(
            {
                "Table": resource("DynamoDB::Table", table_properties(StreamSpecification={"StreamViewType": view})),
                "Mapping": resource("Lambda::EventSourceMapping", mapping),
            },
            Outputs={"Table": {"Value": ref("Table")}, "Stream": {"Value": att("Table", "StreamArn")}},
        )

    def put(number: str) -> None:
        table = outputs(cloudformation, stack)["Table"]
        account.emulator.client("dynamodb").put_item(TableName=table, Item={"id": {"S": number}})

    def seen() -> list[str]:
        lines = (tmp_path / "seen").read_text().split("\n")[:-1] if (tmp_path / "seen").exists() else []
        return [one["eventSourceARN"] for line in lines for one in json.loads(line)["Records"]]

    arns: list[str] = []
    for view, change in (("KEYS_ONLY", create), ("NEW_IMAGE", update)):
        status = change(cloudformation, stack, body(view))
        assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), reasons(cloudformation, stack)
        arns.append(outputs(cloudformation, stack)["Stream"])
        put(view)
        wait_until("the record", lambda: seen() == arns)
    assert len(set(arns)) == 2
    assert delete(cloudformation, stack) == "GONE"


def test_what_aws_refuses_in_a_mapping_on_a_stream_is_refused(scene: Scene) -> None:
    missing = f"{scene.arn.rpartition('/')[0]}/2015-05-11T21:21:33.291"
    with refused("InvalidParameterValueException", f"Stream not found: {missing}"):
        scene.map(EventSourceArn=missing)
    with refused("ValidationException", "startingPosition"):
        scene.map(StartingPosition="AT_TIMESTAMP")
    with refused("InvalidParameterValueException", "Invalid filter pattern definition."):
        scene.map(FilterCriteria={"Filters": [{"Pattern": '{"eventName": "INSERT"}'}]})
    powerless = scene.account.make(RECORDER, Role=make_role(scene.emulator, actions=("sqs:*",)))
    with refused("InvalidParameterValueException", f"Cannot access stream {scene.arn}"):
        scene.map(FunctionName=powerless)


def test_powertools_can_read_what_a_function_gets(scene: Scene) -> None:
    models = pytest.importorskip("aws_lambda_powertools.utilities.parser.models")
    db = scene.emulator.client("dynamodb")
    db.update_time_to_live(TableName=scene.table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    scene.map()
    rich: dict[str, Any] = {
        **item("a", text="ü"),
        "ttl": {"N": str(int(time.time()))},
        "number": {"N": "-1.5"},
        "binary": {"B": b"\x00\xff"},
        "nothing": {"NULL": True},
        "flag": {"BOOL": True},
        "set": {"SS": ["x", "y"]},
        "list": {"L": [{"M": {"deep": {"N": "1"}}}]},
    }
    scene.put(rich)
    scene.put(rich | {"text": {"S": "changed"}})
    scene.wait_for(1)
    scene.emulator.advance(120)
    wait_until("all records", lambda: sum(map(len, scene.batches())) == 3)
    found = [models.DynamoDBStreamModel.model_validate(event) for event in scene.events()]
    parsed = [record for event in found for record in event.Records]
    assert [one.eventName for one in parsed] == ["INSERT", "MODIFY", "REMOVE"]
    assert parsed[1].dynamodb.OldImage["text"] == "ü"
    assert parsed[2].userIdentity.type == "Service"
