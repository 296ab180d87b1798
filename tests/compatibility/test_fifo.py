"""FIFO queues: the order of a group, a message that fails, subscribers of both kinds, and what is asked of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fake_aws import FakeAws
from adapter.step_folder import EVENT, StepFolder, batch, message, request
from support.dev import Dev, wait_until
from support.projects import api_step, event_step, write
from support.sample_apps import topic_step
from treadle.names import Names
from treadle_infra.app.findings import SourceLocation, TreadleError
from treadle_infra.app.model import App, CronTrigger, Emit, HttpTrigger, QueueSettings, Step, TopicTrigger
from treadle_infra.artifacts.manifest_slice import manifest_slice
from treadle_infra.artifacts.model import Artifact
from treadle_infra.synth.assembly import synthesize
from treadle_infra.topology.build import build_topology, fifo_topics
from treadle_infra.topology.placement import fresh_placement

pytestmark = pytest.mark.motia("7", "messageGroupId: a FIFO queue keeps the order of each group and loses nothing")

FIFO = ', "infrastructure": {"queue": {"type": "fifo", "maxRetries": 1}}'
NOTE = """\
    if data.get("poison"):
        raise ValueError("poison")
    await context.state.update("seen", KIND + str(data["group"]), [
        {"type": "increment", "path": "count", "by": 1},
    ])
    seen = await context.state.get("order", KIND + str(data["group"])) or []
    await context.state.set("order", KIND + str(data["group"]), [*seen, data["n"]])
"""
PROJECT = {
    "steps/send_step.py": api_step(
        "Send",
        """\
    for one in req["body"]:
        group = {"messageGroupId": one["group"]} if one["group"] else {}
        await context.emit({"topic": "placed", "data": one, **group})
    return {"body": {}}
""",
    ),
    "steps/orders_step.py": event_step("Ordered", "placed", NOTE.replace("KIND", '"fifo-"'), extra=FIFO),
    "steps/audit_step.py": event_step("Audit", "placed", NOTE.replace("KIND", '"standard-"')),
    "steps/seen_step.py": api_step(
        "Seen", '    return {"body": await context.state.get(req["body"]["of"], req["body"]["key"]) or []}'
    ),
}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = tmp_path_factory.mktemp("fifo")
    for path, text in PROJECT.items():
        write(project, path, text)
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def seen(dev: Dev, key: str) -> Any:
    return dev.http("POST", "/seen", {"of": "order", "key": key}).json()


def counted(dev: Dev, key: str) -> int:
    found = dev.http("POST", "/seen", {"of": "seen", "key": key}).json()
    return int(found["count"]) if found else 0


def send(dev: Dev, *messages: dict[str, Any]) -> None:
    assert dev.http("POST", "/send", list(messages)).status == 200


def of(group: str | int, *numbers: int) -> list[dict[str, Any]]:
    return [{"group": group, "n": number} for number in numbers]


def test_every_group_keeps_its_order_and_standard_subscribers_get_everything(dev: Dev) -> None:
    send(dev, *(one for number in range(6) for group in ("a", "b", 7, "grüße!") for one in of(group, number)))
    groups = ("a", "b", "7", "grüße!")
    wait_until("all", lambda: all(len(seen(dev, f"fifo-{group}")) == 6 for group in groups))
    assert [seen(dev, f"fifo-{group}") for group in groups] == [list(range(6))] * 4
    wait_until("the copies", lambda: all(counted(dev, f"standard-{group}") == 6 for group in groups))


def test_without_a_group_what_follows_from_one_request_is_one(dev: Dev) -> None:
    send(dev, *of("", 0, 1, 2, 3, 4))
    wait_until("all", lambda: len(seen(dev, "fifo-")) == 5)
    assert seen(dev, "fifo-") == [0, 1, 2, 3, 4]


def test_a_poisoned_message_keeps_its_group_waiting_until_it_is_dead_lettered(dev: Dev) -> None:
    send(dev, {"group": "p", "n": 0, "poison": True}, *of("p", 1, 2), *of("q", 1, 2))
    wait_until("the other group", lambda: len(seen(dev, "fifo-q")) == 2)
    assert seen(dev, "fifo-p") == []

    def rest() -> bool:
        dev.advance(1)
        return len(seen(dev, "fifo-p")) == 2

    wait_until("the rest of the group", rest)
    assert seen(dev, "fifo-p") == [1, 2]
    sqs = dev.client("sqs")
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if url.endswith("--Ordered--dead.fifo")]
    found = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"]
    (dead,) = found
    assert json.loads(dead["Body"])["poison"] is True
    assert dead["MessageAttributes"]["attempts"]["StringValue"] == "2"
    assert dead["Attributes"]["MessageGroupId"] == "p"


# what AWS is asked for


def app_of(*steps: Step) -> App:
    return App("shop", steps)


def fifo_step(name: str, *topics: str) -> Step:
    triggers = tuple(TopicTrigger(topic, queue=QueueSettings(is_fifo=True)) for topic in topics)
    return Step(name, SourceLocation(f"steps/{name}_step.py"), triggers)


def test_a_topic_is_fifo_where_one_subscriber_is_and_each_dead_letter_queue_is_of_its_queue_s_kind() -> None:
    app = app_of(fifo_step("Ordered", "placed"), topic_step("Audit", "placed"), topic_step("Other", "moved"))
    topology = build_topology(app, fresh_placement("shop", "dev"))
    artifacts = {step.name: Artifact("0" * 64, Path("x.zip")) for step in app.steps}
    template: Any = synthesize(topology, artifacts).template
    resources: dict[str, Any] = template["Resources"]
    topics = {
        one["Properties"]["TopicName"]: one["Properties"]
        for one in resources.values()
        if one["Type"] == "AWS::SNS::Topic"
    }
    queues = {
        one["Properties"]["QueueName"]: one["Properties"]
        for one in resources.values()
        if one["Type"] == "AWS::SQS::Queue"
    }
    assert topics.keys() == {"shop--dev--placed.fifo", "shop--dev--moved"}
    assert topics["shop--dev--placed.fifo"]["FifoTopic"] is True
    assert {name: queue.get("FifoQueue", False) for name, queue in queues.items()} == {
        "shop--dev--Ordered.fifo": True,
        "shop--dev--Ordered--dead.fifo": True,
        "shop--dev--Audit": False,
        "shop--dev--Audit--dead": False,
        "shop--dev--Other": False,
        "shop--dev--Other--dead": False,
    }
    batches = [one["Properties"]["BatchSize"] for one in resources.values() if one["Type"].endswith("SourceMapping")]
    assert min(batches) == 1


def test_emitters_know_the_fifo_topics_that_they_may_emit_to() -> None:
    where = SourceLocation("steps/a_step.py")
    declared = Step("A", where, (HttpTrigger("GET", "/a"),), emits=(Emit("placed"),))
    other = Step("B", where, (HttpTrigger("GET", "/b"),), emits=(Emit("moved"),))
    open_to_all = Step("C", where, (HttpTrigger("GET", "/c"),))
    ordered = fifo_topics(app_of(fifo_step("Ordered", "placed")))
    assert manifest_slice(declared, None, ordered)["fifoTopics"] == ["placed"]
    assert "fifoTopics" not in manifest_slice(other, None, ordered)
    assert manifest_slice(open_to_all, None, ordered)["fifoTopics"] == ["placed"]
    assert manifest_slice(fifo_step("Ordered", "placed"))["queue"] == {"maxRetries": 3, "fifo": True}


def test_a_fifo_queue_and_a_schedule_in_one_step_are_refused() -> None:
    step = fifo_step("Ordered", "placed")
    both = Step(step.name, step.where, (*step.triggers, CronTrigger("0 9 * * *")))
    with pytest.raises(TreadleError) as refused:
        build_topology(app_of(both), fresh_placement("shop", "dev"))
    assert refused.value.finding.code == "fifo-and-schedule-in-one-step"


@pytest.mark.parametrize("name", ["Ordered", "x" * 128, "Grüße an alle"])
def test_names_of_fifo_queues_and_topics_keep_to_the_limits(name: str) -> None:
    names = Names("a" * 28, "s" * 12)
    assert len(names.queue(name, fifo=True)) <= 80
    assert len(names.dead_letter_queue(name, fifo=True)) <= 80
    assert len(names.topic(name * 3, fifo=True)) <= 256
    assert names.queue(name, fifo=True).endswith(".fifo")


@pytest.mark.parametrize(
    ("given", "group"),
    [('"g"', "g"), ("7", "7"), ('"a b"', "c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65")],
)
def test_an_emit_to_a_fifo_topic_has_its_group_and_an_id_of_its_own(
    folder: StepFolder, aws: FakeAws, given: str, group: str
) -> None:
    folder.manifest(fifoTopics=["placed"]).step(
        f"async def handler(req, c):\n    await c.emit({{'topic': 'placed', 'data': 1, 'messageGroupId': {given}}})\n"
        "    return {'status': 200}\n"
    )
    run = folder.run(request("{}"), environment=aws.environment)
    (sent,) = aws.of("Publish")
    assert sent["TopicArn"].endswith(":shop--dev--placed.fifo")
    assert (sent["MessageGroupId"], sent["MessageDeduplicationId"]) == (group, run.records[0]["emits"][0]["emitId"])


def test_a_message_that_failed_for_good_goes_to_the_fifo_dead_letter_queue_with_its_group(
    folder: StepFolder, aws: FakeAws
) -> None:
    record = message(attempt=4)
    record["eventSourceARN"] += ".fifo"
    record["attributes"]["MessageGroupId"] = "g"
    folder.manifest(triggers=[EVENT], queue={"maxRetries": 3, "fifo": True}).step("def handler(data, c):\n    1 / 0\n")
    folder.run(batch(record), entry="event", environment=aws.environment)
    (sent,) = aws.of("SendMessage")
    assert sent["QueueUrl"].endswith("/shop--dev--Step--dead.fifo")
    assert (sent["MessageGroupId"], sent["MessageDeduplicationId"]) == ("g", "m1")
