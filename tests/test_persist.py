"""`treadle dev --persist`: what is in tables and queues survives a restart, and a kill -9 at any moment."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.aws import refusal
from support.dev import TREADLE, Dev, wait_until

_LATE = """
import pathlib, time

config = {"name": "Late", "type": "event", "subscribes": ["work.given"], "emits": []}

async def handler(data, context):
    while not pathlib.Path(data["until"]).exists():
        time.sleep(0.05)
    await context.state.set("done", data["id"], {"done": True})
"""
_GIVE = """
config = {"name": "Give", "type": "api", "path": "/give", "method": "POST", "emits": ["work.given"]}

async def handler(req, context):
    await context.state.update("given", "all", [{"type": "increment", "path": "n", "by": 1}])
    await context.streams.notes.set("all", req["body"]["id"], {"text": "given"})
    await context.emit({"topic": "work.given", "data": req["body"]})
    return {"status": 201, "body": await context.state.get("given", "all")}
"""
_STREAM = 'config = {"name": "notes", "schema": None, "baseConfig": {"storageType": "default"}}\n'
_SEEN = """
config = {"name": "Seen", "type": "api", "path": "/seen", "method": "GET", "emits": []}

async def handler(req, context):
    notes = await context.streams.notes.get_group("all")
    return {"body": {"done": len(await context.state.get_group("done")), "notes": len(notes)}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without a step."""
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


@contextmanager
def running(project: Path, *arguments: str) -> Generator[Dev]:
    """The emulator with `--persist`, until it is stopped or killed."""
    dev = Dev(project, "--persist", "--no-watch", *arguments)
    try:
        yield dev
    finally:
        dev.stop()


def kill(dev: Dev) -> None:
    """What a crash does: nothing is written any more."""
    dev.process.kill()
    dev.process.wait()


def make_table(dev: Dev, name: str, **more: Any) -> Any:
    table: Any = dev.client("dynamodb")
    table.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            *more.pop("attributes", ()),
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    return table


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"N": str(number)}, **more}


def test_items_of_every_type_survive_a_kill(project: Path) -> None:
    full = item(
        1,
        b={"B": b"\x00\xff"},
        bs={"BS": [b"a", b"b"]},
        ns={"NS": ["1", "2.5"]},
        ss={"SS": ["x", "y"]},
        n={"N": "12345678901234567890123456789012345678"},
        m={"M": {"deep": {"L": [{"NULL": True}, {"BOOL": False}, {"S": "Größe 🙂"}]}}},
    )
    with running(project) as dev:
        items = make_table(dev, "things")
        items.put_item(TableName="things", Item=full)
        items.put_item(TableName="things", Item=item(2))
        items.delete_item(TableName="things", Key=item(2))
        items.update_item(
            TableName="things",
            Key=item(3),
            UpdateExpression="ADD hits :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        kill(dev)
    with running(project) as dev:
        found = dev.client("dynamodb").scan(TableName="things")["Items"]
        assert sorted(found, key=lambda one: one["sk"]["N"]) == [full, item(3, hits={"N": "1"})]


def test_indexes_time_to_live_and_stream_of_a_table_come_back(project: Path) -> None:
    with running(project, "--clock", "manual") as dev:
        items = make_table(
            dev,
            "indexed",
            attributes=[{"AttributeName": "tag", "AttributeType": "S"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-tag",
                    "KeySchema": [{"AttributeName": "tag", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        items.update_time_to_live(
            TableName="indexed", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
        )
        now = dev.now()
        items.put_item(TableName="indexed", Item=item(1, tag={"S": "a"}, until={"N": str(int(now) + 1000)}))
        items.put_item(TableName="indexed", Item=item(2, tag={"S": "a"}))
        dev.advance(500)
        kill(dev)
    with running(project, "--clock", "manual") as dev:
        assert dev.now() == pytest.approx(now + 500, abs=0.01)
        items = dev.client("dynamodb")

        def tagged() -> int:
            found: int = items.query(
                TableName="indexed",
                IndexName="by-tag",
                KeyConditionExpression="tag = :a",
                ExpressionAttributeValues={":a": {"S": "a"}},
            )["Count"]
            return found

        assert tagged() == 2
        dev.advance(700)
        assert tagged() == 1


def test_messages_survive_a_kill_with_their_receive_counts_delays_and_attributes(project: Path) -> None:
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
        attributes: Any = {
            "text": {"DataType": "String", "StringValue": "ü"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        }
        sqs.send_message(QueueUrl=url, MessageBody="taken", MessageAttributes=attributes)
        taken = sqs.receive_message(QueueUrl=url)["Messages"][0]
        sqs.send_message(QueueUrl=url, MessageBody="waiting")
        sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=600)
        gone = sqs.send_message(QueueUrl=url, MessageBody="gone")
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]:
            if message["MessageId"] == gone["MessageId"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        kill(dev)
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
        assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
            "VisibilityTimeout": "300"
        }
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )["Messages"]
        assert {message["Body"] for message in found} == {"taken", "waiting"}
        again = next(message for message in found if message["Body"] == "taken")
        assert again["MessageId"] == taken["MessageId"]
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"
        assert again["MessageAttributes"]["bytes"]["BinaryValue"] == b"\x00\x01"
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        dev.advance(600)
        assert [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]] == ["delayed"]


def test_a_fifo_queue_keeps_its_order_and_knows_duplicates_of_before(project: Path) -> None:
    def send(sqs: Any, url: str, number: int, group: str = "g") -> Any:
        return sqs.send_message(
            QueueUrl=url, MessageBody=str(number), MessageGroupId=group, MessageDeduplicationId=str(number)
        )

    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        url = sqs.create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        first = [send(sqs, url, number) for number in range(5)]
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
        kill(dev)
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        url = sqs.get_queue_url(QueueName="line.fifo")["QueueUrl"]
        assert send(sqs, url, 0)["MessageId"] == first[0]["MessageId"]
        later = send(sqs, url, 5)
        assert int(later["SequenceNumber"]) > int(first[4]["SequenceNumber"])
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert [message["Body"] for message in messages] == ["1", "2", "3", "4", "5"]


def test_a_step_that_was_at_work_when_the_emulator_died_gets_its_message_again(project: Path, tmp_path: Path) -> None:
    (project / "steps").mkdir()
    for name, text in (("late_step", _LATE), ("give_step", _GIVE), ("seen_step", _SEEN), ("notes_stream", _STREAM)):
        (project / "steps" / f"{name}.py").write_text(text)
    until = tmp_path / "go-on"
    with running(project) as dev:
        for number in range(3):
            body = {"id": f"w{number}", "until": str(until)}
            assert dev.http("POST", "/give", body).json() == {"n": number + 1}
        queue = next(url for url in dev.client("sqs").list_queues()["QueueUrls"] if not url.endswith("--dead"))

        def in_flight() -> bool:
            names: Any = ["ApproximateNumberOfMessagesNotVisible"]
            found = dev.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            return bool(found[names[0]] != "0")

        wait_until("the step works on a message", in_flight)
        kill(dev)
    until.write_text("")
    with running(project) as dev:
        wait_until("all work is done", lambda: dev.http("GET", "/seen").json() == {"done": 3, "notes": 3})
        assert dev.http("POST", "/give", {"id": "w4", "until": str(until)}).json() == {"n": 4}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
def test_a_step_at_work_ends_with_an_emulator_that_is_killed(project: Path, tmp_path: Path) -> None:
    (project / "steps").mkdir()
    pid_file = tmp_path / "pid"
    source = _LATE.replace(
        "    while not",
        f"    pathlib.Path({str(pid_file)!r}).write_text(str(__import__('os').getpid()))\n    while not",
    )
    for name, text in (("late_step", source), ("give_step", _GIVE), ("notes_stream", _STREAM)):
        (project / "steps" / f"{name}.py").write_text(text)
    with running(project) as dev:
        dev.http("POST", "/give", {"id": "w", "until": str(tmp_path / "never")})
        wait_until("the step is at work", lambda: pid_file.exists() and pid_file.read_text() != "")
        kill(dev)
    process = Path("/proc") / pid_file.read_text()
    wait_until("the step's process is gone", lambda: not process.exists() or ") Z " in (process / "stat").read_text())


def test_what_was_acknowledged_before_a_kill_is_there_and_transactions_are_whole(project: Path) -> None:
    acknowledged: dict[str, list[int]] = {"items": [], "messages": [], "pairs": []}
    with running(project) as dev:
        items, sqs = make_table(dev, "written"), dev.client("sqs")
        url = sqs.create_queue(QueueName="written")["QueueUrl"]
        enough = threading.Event()

        def put(number: int) -> None:
            items.put_item(TableName="written", Item=item(number))

        def send(number: int) -> None:
            sqs.send_message(QueueUrl=url, MessageBody=str(number))

        def pair(number: int) -> None:
            both = [item(1_000_000 + number), item(2_000_000 + number)]
            items.transact_write_items(TransactItems=[{"Put": {"TableName": "written", "Item": one}} for one in both])

        def work(kind: str, write: Any) -> None:
            number = 0
            while True:
                try:
                    write(number)
                except (BotoCoreError, ClientError):
                    return
                acknowledged[kind].append(number)
                number += 1
                if number > 40:
                    enough.set()

        workers = [
            threading.Thread(target=work, args=pair_of)
            for pair_of in (("items", put), ("messages", send), ("pairs", pair))
        ]
        for worker in workers:
            worker.start()
        assert enough.wait(30)
        kill(dev)
        for worker in workers:
            worker.join()
    with running(project) as dev:
        found = dev.client("dynamodb").scan(TableName="written")["Items"]
        numbers = {int(one["sk"]["N"]) for one in found}
        assert numbers >= set(acknowledged["items"])
        assert numbers >= {1_000_000 + number for number in acknowledged["pairs"]}
        singles = {number - 1_000_000 for number in numbers if 1_000_000 <= number < 2_000_000}
        assert singles == {number - 2_000_000 for number in numbers if number >= 2_000_000}
        sqs, bodies = dev.client("sqs"), set[int]()
        url = sqs.get_queue_url(QueueName="written")["QueueUrl"]
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies |= {int(message["Body"]) for message in messages}
        assert bodies >= set(acknowledged["messages"])


def test_what_is_deleted_does_not_come_back(project: Path) -> None:
    with running(project) as dev:
        items, sqs = make_table(dev, "brief"), dev.client("sqs")
        items.put_item(TableName="brief", Item=item(1))
        items.delete_table(TableName="brief")
        url = sqs.create_queue(QueueName="brief")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="x")
        sqs.purge_queue(QueueUrl=url)
        other = sqs.create_queue(QueueName="other")["QueueUrl"]
        sqs.delete_queue(QueueUrl=other)
    with running(project) as dev:
        assert dev.client("dynamodb").list_tables()["TableNames"] == []
        urls = dev.client("sqs").list_queues()["QueueUrls"]
        assert [url.rsplit("/", 1)[-1] for url in urls] == ["brief"]
        assert "Messages" not in dev.client("sqs").receive_message(QueueUrl=urls[0])
        make_table(dev, "brief")
        assert dev.client("dynamodb").scan(TableName="brief")["Items"] == []


def test_without_the_option_nothing_is_kept(project: Path) -> None:
    with Dev(project, "--no-watch") as dev:
        make_table(dev, "passing")
    assert not (project / ".treadle" / "data").exists()
    with running(project) as dev:
        assert refusal(dev.client("dynamodb").describe_table, TableName="passing")[0] == "ResourceNotFoundException"


def test_data_that_cannot_be_read_is_an_error_that_says_what_to_do(project: Path) -> None:
    data = project / ".treadle" / "data"
    data.mkdir(parents=True)
    (data / "emulator.sqlite").write_bytes(b"no database at all" * 100)
    started = subprocess.run(
        [TREADLE, "dev", project, "--persist", "--once", "--port", "0", "--aws-port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode == 1
    assert "error[data-unreadable]" in started.stderr
    assert "emulator.sqlite" in started.stderr


def test_data_of_another_version_is_an_error(project: Path) -> None:
    with running(project):
        pass
    file = project / ".treadle" / "data" / "emulator.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    started = subprocess.run(
        [TREADLE, "dev", project, "--persist", "--once", "--port", "0", "--aws-port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode == 1
    assert "its format is 99" in started.stderr


def test_a_deployment_that_fails_at_a_restart_costs_neither_state_nor_messages(project: Path, tmp_path: Path) -> None:
    (project / "steps").mkdir()
    for name, text in (("late_step", _LATE), ("give_step", _GIVE), ("seen_step", _SEEN), ("notes_stream", _STREAM)):
        (project / "steps" / f"{name}.py").write_text(text)
    until = tmp_path / "go-on"
    with running(project) as dev:
        assert dev.http("POST", "/give", {"id": "w1", "until": str(until)}).json() == {"n": 1}
        dev.client("sqs").create_queue(QueueName="kept--dev--Later")
        kill(dev)
    until.write_text("")
    later = project / "steps" / "later_step.py"
    later.write_text(_LATE.replace('"Late"', '"Later"'))
    failed = subprocess.run(
        [TREADLE, "dev", project, "--persist", "--once", "--port", "0", "--aws-port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert failed.returncode == 1
    assert "kept--dev--Later already exists" in failed.stdout + failed.stderr
    later.unlink()
    with running(project) as dev:
        wait_until("the message of before is worked on", lambda: dev.http("GET", "/seen").json()["done"] == 1)
        assert dev.http("POST", "/give", {"id": "w2", "until": str(until)}).json() == {"n": 2}


def test_queues_that_name_each_other_for_their_dead_letters_come_back(project: Path) -> None:
    names = ["first", "second", "third"]
    with running(project) as dev:
        sqs = dev.client("sqs")
        urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in names]
        wanted = ["QueueArn"]
        arns = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]["QueueArn"] for url in urls]
        for url, arn in zip(urls, [*arns[1:], arns[0]], strict=True):
            redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})
        redrive = json.dumps({"deadLetterTargetArn": arns[2], "maxReceiveCount": 3})
        sqs.create_queue(QueueName="a-fourth", Attributes={"RedrivePolicy": redrive})
    with running(project) as dev:
        sqs = dev.client("sqs")
        assert dev.all("trouble") == []
        for name, arn in zip([*names, "a-fourth"], [*arns[1:], arns[0], arns[2]], strict=True):
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
            assert json.loads(kept["RedrivePolicy"])["deadLetterTargetArn"] == arn


def test_a_move_task_goes_on_after_a_kill_at_its_rate(project: Path) -> None:
    def body_count(sqs: Any, url: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])

    def task_of(sqs: Any, arn: str) -> Any:
        return sqs.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"]

    arn = "arn:aws:sqs:us-east-1:000000000000:a-dead"
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        dead = sqs.create_queue(QueueName="a-dead")["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
        for number in range(6):
            sqs.send_message(QueueUrl=work, MessageBody=str(number))
        for _ in range(2):
            sqs.receive_message(QueueUrl=work, MaxNumberOfMessages=10, VisibilityTimeout=0)
        handle = sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        dev.advance(2)
        wait_until("two are moved", lambda: body_count(sqs, work) == 2)
        (before,) = task_of(sqs, arn)
        kill(dev)
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        assert task_of(sqs, arn) == [before]
        dev.advance(3)
        wait_until("three more are moved", lambda: (body_count(sqs, work), body_count(sqs, dead)) == (5, 1))
        kill(dev)
    with running(project, "--clock", "manual") as dev:
        sqs = dev.client("sqs")
        assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 5
    with running(project, "--clock", "manual") as dev:
        assert task_of(dev.client("sqs"), arn) == []


def test_what_is_kept_of_a_queue_does_not_grow_with_its_changes(project: Path) -> None:
    names = ["VisibilityTimeout", "Policy", "RedrivePolicy", "KmsMasterKeyId", "DelaySeconds"]
    with running(project) as dev:
        sqs = dev.client("sqs")
        url = sqs.create_queue(QueueName="work", tags={"a": "1"})["QueueUrl"]
        sqs.create_queue(QueueName="zdead")
        redrive = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:zdead", "maxReceiveCount": 3})
        for number in range(20):
            changes = {"VisibilityTimeout": str(number), "RedrivePolicy": redrive, "KmsMasterKeyId": "alias/mine"}
            sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
            sqs.tag_queue(QueueUrl=url, Tags={"b": str(number)})
        sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        kill(dev)
    with sqlite3.connect(project / ".treadle" / "data" / "emulator.sqlite") as database:
        calls = database.execute("SELECT count(*) FROM rows WHERE kind = 'call' AND owner = 'sqs work'").fetchone()
    database.close()
    assert calls == (2,)
    with running(project) as dev:
        sqs = dev.client("sqs")
        assert dev.all("trouble") == []
        assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == before
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "19"}


@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="the size of another process's files is limited on Linux only"
)
def test_what_could_not_be_written_is_told_to_nobody_and_written_once_it_can_be(project: Path) -> None:
    with running(project) as dev:
        sqs = dev.client("sqs")
        url = sqs.create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        numbers = range(20)

        def send(number: int) -> Any:
            body = f"{number} " + "x" * 5_000
            return sqs.send_message(
                QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=str(number)
            )

        largest = max(file.stat().st_size for file in (project / ".treadle" / "data").iterdir())
        resource.prlimit(dev.process.pid, resource.RLIMIT_FSIZE, (largest + 20_000, resource.RLIM_INFINITY))
        refused = [number for number in numbers if _is_refused(send, number)]
        assert refused
        assert all(_is_refused(send, number) for number in refused), "a duplicate was answered before it is written"
        resource.prlimit(dev.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for number in refused:
            send(number)
        kill(dev)
    with running(project) as dev:
        sqs = dev.client("sqs")
        url = sqs.get_queue_url(QueueName="line.fifo")["QueueUrl"]
        bodies: list[int] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(int(message["Body"].split()[0]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert bodies == list(numbers)


def _is_refused(send: Any, number: int) -> bool:
    try:
        send(number)
    except ClientError as error:
        return "(InternalFailure)" in str(error)
    return False
