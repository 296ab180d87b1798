"""An event step: each message of a batch ends in a success, a retry or the dead-letter queue, with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .fake_aws import FakeAws, Reply, failure
from .step_folder import API, EVENT, Run, StepFolder, batch, event_file, message, request

FAIL = "async def handler(data, context):\n    raise ValueError('bad ' + str(data))\n"


@pytest.fixture
def step(folder: StepFolder) -> StepFolder:
    return folder.manifest(triggers=[EVENT])


def failures(run: Run) -> list[str]:
    return [item["itemIdentifier"] for item in run.answer.result["batchItemFailures"]]


def test_the_documented_batch_runs_the_handler_once_a_record(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(step="ProcessMessage", triggers=[{"kind": "event", "topic": "message.sent"}])
    folder.step("def handler(data, context):\n    context.logger.info(data['text'])\n    return 'ignored'\n")
    run = folder.run(event_file("sqs_batch.json"), entry="event", environment=aws.environment)
    assert run.answer.result == {"batchItemFailures": []}
    assert [line["msg"] for line in run.lines("info")] == ["hi", "ho"]
    first, second = run.records
    assert first["traceId"] == "SUJU6-8751089"
    assert first["hops"] == 1
    assert first["trigger"] == {
        "kind": "event",
        "topic": "message.sent",
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "attempt": 1,
        "emitId": "0123456789abcdef0123456789abcdef",
        "sentMs": 1545082649183,
    }
    assert second["traceId"] not in ("", "SUJU6-8751089")
    assert "topic" not in second["trigger"]
    assert {record["result"] for record in run.records} == {"ok"}
    assert aws.asked == []


@pytest.mark.motia("7", "a failing message is tried again, with growing pauses")
def test_a_failing_message_waits_twice_as_long_each_time(step: StepFolder, aws: FakeAws) -> None:
    records = [message("1", message_id=f"m{attempt}", attempt=attempt) for attempt in (1, 2, 3)]
    run = step.step(FAIL).run(batch(*records), entry="event", environment=aws.environment)
    assert failures(run) == ["m1", "m2", "m3"]
    assert [payload["VisibilityTimeout"] for payload in aws.of("ChangeMessageVisibility")] == [2, 4, 8]
    assert aws.of("ChangeMessageVisibility")[0] == {
        "QueueUrl": f"{aws.environment['AWS_ENDPOINT_URL']}/123456789012/shop--dev--Step",
        "ReceiptHandle": "receipt-m1",
        "VisibilityTimeout": 2,
    }
    assert {record["result"] for record in run.records} == {"retry"}
    assert run.records[0]["error"]["message"] == "bad 1"
    assert run.lines("error")[2]["msg"] == "Step failed at attempt 3 of 4; next in 8 s"


def test_a_long_row_of_retries_waits_a_quarter_of_an_hour_at_most(step: StepFolder, aws: FakeAws) -> None:
    step.manifest(triggers=[EVENT], queue={"maxRetries": 1000}).step(FAIL)
    step.run(batch(message(attempt=9), message(attempt=500)), entry="event", environment=aws.environment)
    assert [payload["VisibilityTimeout"] for payload in aws.of("ChangeMessageVisibility")] == [512, 900]


@pytest.mark.motia("7", "after the last retry a message is dead-lettered with its reason")
def test_after_the_last_retry_the_message_is_dead_lettered_with_its_reason(step: StepFolder, aws: FakeAws) -> None:
    metadata: dict[str, Any] = {
        "traceId": "t-1",
        "emitId": "e",
        "step": "Maker",
        "flows": [],
        "hops": 2,
        "topic": "thing.made",
    }
    run = step.step(FAIL).run(
        batch(message('{"a": 1}', attempt=4, metadata=metadata)), entry="event", environment=aws.environment
    )
    assert failures(run) == []
    (sent,) = aws.of("SendMessage")
    assert sent["QueueUrl"].endswith("/123456789012/shop--dev--Step--dead")
    assert sent["MessageBody"] == '{"a": 1}'
    assert {name: value["StringValue"] for name, value in sent["MessageAttributes"].items()} == {
        "errorType": "ValueError",
        "errorMessage": "bad {'a': 1}",
        "traceId": "t-1",
        "step": "Step",
        "attempts": "4",
        "treadle": json.dumps(metadata),
    }
    assert {value["DataType"] for value in sent["MessageAttributes"].values()} == {"String"}
    assert run.records[0]["result"] == "dead-letter"


def test_a_message_that_was_received_too_often_while_processes_died_is_dead_lettered_too(
    step: StepFolder, aws: FakeAws
) -> None:
    run = step.step(FAIL).run(batch(message(attempt=6)), entry="event", environment=aws.environment)
    assert (failures(run), len(aws.of("SendMessage"))) == ([], 1)


def test_no_retries_means_one_attempt(step: StepFolder, aws: FakeAws) -> None:
    step.manifest(triggers=[EVENT], queue={"maxRetries": 0}).step(FAIL)
    run = step.run(batch(message()), entry="event", environment=aws.environment)
    assert (failures(run), len(aws.of("SendMessage"))) == ([], 1)


def test_an_error_that_sqs_could_not_carry_is_made_to_fit(step: StepFolder, aws: FakeAws) -> None:
    step.step("def handler(data):\n    raise Exception(data)\n")
    texts = ["", "x" * 5000, "a\x00b\ud800c\uffff"]
    records = [message(json.dumps(text), message_id=str(index), attempt=4) for index, text in enumerate(texts)]
    step.run(batch(*records), entry="event", environment=aws.environment)
    sent = [payload["MessageAttributes"]["errorMessage"]["StringValue"] for payload in aws.of("SendMessage")]
    assert sent == ["(none)", "x" * 1000, "a\ufffdb\ufffdc\ufffd"]


def test_where_dead_lettering_fails_the_message_stays(step: StepFolder, aws: FakeAws) -> None:
    aws.replies["SendMessage"] = [failure("AccessDeniedException", "not authorized to perform: sqs:SendMessage")]
    run = step.step(FAIL).run(batch(message(attempt=4)), entry="event", environment=aws.environment)
    assert failures(run) == ["m1"]
    assert run.records[0]["result"] == "retry"
    assert "could not be dead-lettered" in run.lines("error")[1]["msg"]
    assert "the step's role lacks sqs:SendMessage on queue" in run.lines("error")[1]["errorMessage"]


def test_where_the_wait_cannot_be_set_the_message_stays(step: StepFolder, aws: FakeAws) -> None:
    aws.replies["ChangeMessageVisibility"] = [failure("ReceiptHandleIsInvalid")]
    run = step.step(FAIL).run(batch(message()), entry="event", environment=aws.environment)
    assert failures(run) == ["m1"]


@pytest.mark.motia("7", "a failing message touches no other")
def test_one_failing_message_touches_no_other(step: StepFolder, aws: FakeAws) -> None:
    step.step("""
        import sys
        def handler(data, context):
            if data == 1: raise ValueError
            if data == 2: sys.exit(1)
            context.logger.info("done", data)
    """)
    records = [message(str(number), message_id=f"m{number}") for number in range(4)]
    run = step.run(batch(*records), entry="event", environment=aws.environment)
    assert failures(run) == ["m1", "m2"]
    assert [line["data"] for line in run.lines("info")] == [0, 3]
    assert [record["result"] for record in run.records] == ["ok", "retry", "retry", "ok"]


def test_a_message_that_is_no_json_is_dead_lettered_at_once(step: StepFolder, aws: FakeAws) -> None:
    bodies = ["{bad", "", "NaN", '{"Type": "Notification", "Message": Infinity}', "[" * 100_000]
    run = step.step("def handler(data):\n    raise SystemExit('called')\n").run(
        batch(*map(message, bodies)), entry="event", environment=aws.environment
    )
    assert failures(run) == []
    sent = aws.of("SendMessage")
    assert {payload["MessageAttributes"]["errorType"]["StringValue"] for payload in sent} == {"MalformedMessage"}
    assert [payload["MessageBody"] for payload in sent] == bodies
    assert {record["result"] for record in run.records} == {"dead-letter"}


def test_an_sns_envelope_is_data_like_any_other(step: StepFolder, aws: FakeAws) -> None:
    step.step("def handler(data, context):\n    context.logger.info('got', data)\n")
    envelope = json.dumps({"Type": "Notification", "Message": "{}"})
    run = step.run(batch(message(envelope)), entry="event", environment=aws.environment)
    assert run.lines("info")[0]["Message"] == "{}"


def test_metadata_that_no_emit_has_written_counts_for_nothing(step: StepFolder, aws: FakeAws) -> None:
    texts = ["{bad", "[]", '{"traceId": "not one!", "hops": -4, "topic": 7}', '{"hops": true}']
    run = step.run(batch(*(message(metadata=text) for text in texts)), entry="event", environment=aws.environment)
    assert [record["result"] for record in run.records] == ["ok"] * 4
    assert [record["hops"] for record in run.records] == [0] * 4
    assert "not one!" not in {record["traceId"] for record in run.records}


def test_a_loop_of_emits_ends_in_the_dead_letter_queue_with_its_path(step: StepFolder, aws: FakeAws) -> None:
    step.step("async def handler(data, context):\n    await context.emit({'topic': 'thing.made', 'data': data})\n")
    metadata: dict[str, Any] = {"traceId": "t-1", "hops": 98, "path": list("abcdefghi")}
    while not aws.of("SendMessage"):
        step.run(batch(message(metadata=metadata)), entry="event", environment=aws.environment)
        metadata = json.loads(aws.of("Publish")[-1]["MessageAttributes.entry.1.Value.StringValue"])
    assert len(aws.of("Publish")) == 3
    attributes = aws.of("SendMessage")[0]["MessageAttributes"]
    assert attributes["errorType"]["StringValue"] == "HopLimitExceeded"
    assert attributes["errorMessage"]["StringValue"].endswith("Step -> Step -> Step")
    assert "101 emits" in attributes["errorMessage"]["StringValue"]
    assert metadata["path"] == [*"cdefghi", "Step", "Step", "Step"]


def test_no_message_is_begun_without_time_for_it(step: StepFolder, aws: FakeAws) -> None:
    records = [message(message_id=f"m{number}") for number in range(4)]
    run = step.run(batch(*records), entry="event", environment=aws.environment, remaining_ms=(5000, 5000, 499))
    assert failures(run) == ["m2", "m3"]
    assert len(run.records) == 2


def test_a_step_that_cannot_be_loaded_sends_its_messages_the_way_of_failures(step: StepFolder, aws: FakeAws) -> None:
    run = step.step("import nowhere_to_be_found\n").run(
        batch(message(message_id="a"), message(message_id="b", attempt=4)), entry="event", environment=aws.environment
    )
    assert failures(run) == ["a"]
    (sent,) = aws.of("SendMessage")
    assert sent["MessageAttributes"]["errorType"]["StringValue"] == "ModuleNotFoundError"


def test_a_batch_from_another_queue_is_refused(step: StepFolder) -> None:
    record = message()
    record["eventSourceARN"] += "--dead"
    answer = step.run(batch(message(), record), entry="event").answer
    assert answer.error == "UnroutableEvent"
    assert "shop--dev--Step--dead" in answer.message


def test_a_step_with_several_triggers_is_served_by_either_entry(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(triggers=[API, EVENT]).step("def handler(given):\n    return {'body': given}\n")
    for entry in ("api", "event"):
        run = folder.run(request("{}"), batch(message()), entry=entry, environment=aws.environment)
        assert run.answers[0].result["statusCode"] == 200
        assert run.answers[1].result == {"batchItemFailures": []}
        assert [record["trigger"]["kind"] for record in run.records] == ["api", "event"]


def test_treadle_invoke_gives_the_data_to_an_event_step(step: StepFolder) -> None:
    run = step.step("async def handler(data, context):\n    return {'got': data}\n").run(
        {"treadle.invoke": {"data": [1]}}, {"treadle.invoke": {"data": {"treadle.request": {}}}}, entry="event"
    )
    assert run.answers[0].result["result"] == {"got": [1]}
    assert "has no api trigger" in run.answers[1].message


def test_a_throttled_call_is_made_again(step: StepFolder, aws: FakeAws) -> None:
    aws.replies["ChangeMessageVisibility"] = [failure("ThrottlingException"), Reply(503, b"busy")]
    run = step.step(FAIL).run(batch(message()), entry="event", environment=aws.environment)
    assert len(aws.of("ChangeMessageVisibility")) == 3
    assert len(run.lines("error")) == 1
