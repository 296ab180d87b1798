"""`treadle dev` from outside: HTTP, boto3, edits and signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dev import TREADLE, Dev, wait_until
from support.projects import api_step, event_step, messaging, write

MESSAGE = {"text": "hi", "userId": "u1"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The messaging example and a step that always fails, on the manual clock."""
    project = messaging(tmp_path_factory.mktemp("dev"))
    write(project, "steps/fail_step.py", event_step("Fail", "fail.now", '    raise ValueError("no " + data["what"])'))
    write(
        project,
        "steps/trigger_step.py",
        api_step(
            "Trigger", '    await context.emit({"topic": "fail.now", "data": req["body"]})\n    return {"body": {}}'
        ),
    )
    write(
        project,
        "steps/crash_step.py",
        api_step("Crash", "    import os\n    os._exit(3)"),
    )
    write(project, "steps/raise_step.py", api_step("Raise", '    raise RuntimeError("secret detail")'))
    with Dev(project, "--clock", "manual", "--no-watch") as running:
        yield running


def state(dev: Dev, group: str, key: str) -> dict[str, Any] | None:
    found = dev.client("dynamodb").get_item(
        TableName="messaging--dev--state", Key={"group": {"S": group}, "key": {"S": key}}, ConsistentRead=True
    )
    item: dict[str, Any] | None = found.get("Item")
    return item


def test_a_request_becomes_a_201_a_message_a_second_step_and_state(dev: Dev) -> None:
    answer = dev.http("POST", "/messages", MESSAGE)

    assert (answer.status, answer.json()) == (201, {**MESSAGE, "status": "sent"})
    processed = wait_until("the second step's state", lambda: state(dev, "processed", "u1"))
    assert processed["value"]["M"]["status"] == {"S": "processed"}
    sent = state(dev, "messages", "u1")
    assert sent is not None
    assert sent["value"]["M"]["status"] == {"S": "sent"}
    stream = dev.client("dynamodb").get_item(
        TableName="messaging--dev--processed--stream", Key={"group": {"S": "default"}, "id": {"S": "u1"}}
    )
    assert stream["Item"]["value"]["M"]["status"] == {"S": "processed"}


@pytest.mark.motia("7", "one trace id goes from request to message to step")
def test_one_trace_id_goes_through_api_topic_queue_and_step(dev: Dev) -> None:
    trace = dev.http("POST", "/messages", {**MESSAGE, "userId": "traced"}).headers["x-trace-id"]

    def records() -> list[dict[str, Any]] | None:
        found = [one["record"] for one in dev.all("handled") if one["record"]["traceId"] == trace]
        return found if len(found) == 2 else None

    sender, processor = sorted(wait_until("two records", records), key=lambda record: record["startMs"])
    assert (sender["step"], sender["trigger"]["kind"], sender["result"]) == ("SendMessage", "api", "ok")
    assert (processor["step"], processor["trigger"]["topic"]) == ("ProcessMessage", "message.sent")
    assert [emit["topic"] for emit in sender["emits"]] == ["message.sent"]
    assert processor["hops"] == sender["hops"] + 1
    assert processor["state"]["set"] == 1
    logs = dev.client("logs").filter_log_events(
        logGroupName="/aws/lambda/messaging--dev--ProcessMessage", filterPattern=f'"{trace}"'
    )
    assert any(json.loads(event["message"]).get("treadle") == "invocation" for event in logs["events"])


def test_a_raising_handler_is_retried_with_backoff_and_dead_lettered_with_its_reason(dev: Dev) -> None:
    trace = dev.http("POST", "/trigger", {"what": "way"}).headers["x-trace-id"]

    def attempts() -> list[dict[str, Any]]:
        return [one["record"] for one in dev.all("handled", step="Fail") if one["record"]["traceId"] == trace]

    for attempt, pause in ((1, 2), (2, 4), (3, 8)):
        wait_until(f"attempt {attempt}", lambda: len(attempts()) == attempt)  # noqa: B023 - called before the next turn
        assert attempts()[-1]["result"] == "retry"
        dev.advance(pause - 0.5)
        assert len(attempts()) == attempt, "tried again before its time"
        dev.advance(0.6)
    wait_until("the last attempt", lambda: len(attempts()) == 4)
    assert attempts()[-1]["result"] == "dead-letter"

    sqs = dev.client("sqs")
    url = sqs.get_queue_url(QueueName="messaging--dev--Fail--dead")["QueueUrl"]
    message = wait_until(
        "the dead letter", lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )[0]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"]) == {"what": "way"}
    assert attributes["errorType"] == "ValueError"
    assert attributes["errorMessage"] == "no way"
    assert attributes["step"] == "Fail"
    assert attributes["attempts"] == "4"
    assert attributes["traceId"] == trace


def test_malformed_json_gets_a_400_with_a_json_body(dev: Dev) -> None:
    answer = dev.http("POST", "/messages", b"{bad json", {"content-type": "application/json"})

    assert answer.status == 400
    assert "error" in answer.json()


def test_a_handler_that_raises_answers_500_and_tells_nothing_about_itself(dev: Dev) -> None:
    answer = dev.http("POST", "/raise", {})

    assert (answer.status, answer.json()) == (500, {"error": "Internal server error"})
    record = wait_until("the record", lambda: dev.first("handled", step="Raise"))["record"]
    assert (record["error"]["type"], record["error"]["message"]) == ("RuntimeError", "secret detail")


def test_a_handler_that_kills_its_process_is_a_500_and_the_next_request_works(dev: Dev) -> None:
    assert dev.http("POST", "/crash", {}).status == 500
    assert dev.http("POST", "/crash", {}).status == 500
    assert dev.http("POST", "/messages", MESSAGE).status == 201


def test_an_unknown_path_and_a_wrong_method_are_404(dev: Dev) -> None:
    assert dev.http("GET", "/nope").status == 404
    assert dev.http("GET", "/messages").status == 404
    assert dev.http("POST", "/messages/", MESSAGE).status == 404, "to an HTTP API this is another path"


def test_any_api_answers_by_its_id_on_the_aws_port(dev: Dev) -> None:
    api = dev.client("apigatewayv2").get_apis()["Items"][0]["ApiId"]

    answer = dev.request(dev.endpoint, "POST", f"/_aws/execute-api/{api}/$default/messages", MESSAGE, None)

    assert answer.status == 201


def test_the_stack_is_there_for_any_cloudformation_client(dev: Dev) -> None:
    stack = dev.client("cloudformation").describe_stacks(StackName="messaging--dev")["Stacks"][0]

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {"HttpApiId", "StateTable"} <= {output["OutputKey"] for output in stack["Outputs"]}
    assert {"Key": "treadle:app", "Value": "messaging"} in stack["Tags"]


def test_invoke_and_emit_reach_the_running_emulator(dev: Dev) -> None:
    done = subprocess.run(
        [TREADLE, "invoke", "SendMessage", "--data", json.dumps({**MESSAGE, "userId": "cli"}), "-C", dev.project],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": 201, "body": {**MESSAGE, "userId": "cli", "status": "sent"}}

    emitted = subprocess.run(
        [TREADLE, "emit", "message.sent", "--data", '{"userId": "emitted", "text": "t"}', "-C", dev.project],
        capture_output=True,
        text=True,
        check=False,
    )
    assert emitted.returncode == 0, emitted.stderr
    wait_until("its state", lambda: state(dev, "processed", "emitted"))

    failing = subprocess.run(
        [TREADLE, "invoke", "Fail", "--data", '{"what": "way"}', "-C", dev.project],
        capture_output=True,
        text=True,
        check=False,
    )
    assert failing.returncode == 1
    assert "ValueError: no way" in failing.stderr
    missing = subprocess.run(
        [TREADLE, "invoke", "Nobody", "-C", dev.project], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 1
    assert "SendMessage" in missing.stderr


def test_removing_a_statement_from_a_role_makes_the_flow_fail_with_access_denied_in_the_terminal(
    tmp_path: Path,
) -> None:
    with Dev(messaging(tmp_path), "--no-watch") as dev:
        iam = dev.client("iam")
        role = "messaging--dev--SendMessage"
        policy = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        kept = [one for one in document["Statement"] if "sns:Publish" not in one["Action"]]
        assert len(kept) == len(document["Statement"]) - 1
        iam.put_role_policy(
            RoleName=role, PolicyName=policy, PolicyDocument=json.dumps({**document, "Statement": kept})
        )

        assert dev.http("POST", "/messages", MESSAGE).status == 500

        denied = wait_until("the refusal", lambda: dev.first("denied"))
        assert (denied["step"], denied["action"]) == ("SendMessage", "sns:Publish")
        record = wait_until("the record", lambda: dev.first("handled", step="SendMessage"))["record"]
        assert "sns:Publish" in record["error"]["message"]


def test_an_edit_reloads_that_step_and_leaves_the_rest_running(tmp_path: Path) -> None:
    project = write(tmp_path / "app", "steps/a_step.py", api_step("A", '    return {"body": {"v": 1}}'))
    write(project, "steps/b_step.py", api_step("B", '    import os\n    return {"body": {"pid": os.getpid()}}'))
    with Dev(project) as dev:
        assert dev.http("POST", "/a", {}).json() == {"v": 1}
        pid = dev.http("POST", "/b", {}).json()["pid"]

        write(project, "steps/a_step.py", api_step("A", '    return {"body": {"v": 2}}'))
        reloaded = wait_until("the reload", lambda: dev.first("reloaded"))

        assert reloaded["steps"] == ["A"]
        assert dev.http("POST", "/a", {}).json() == {"v": 2}
        assert dev.http("POST", "/b", {}).json()["pid"] == pid


def test_a_broken_edit_is_shown_and_the_version_before_it_keeps_running(tmp_path: Path) -> None:
    project = write(tmp_path / "app", "steps/a_step.py", api_step("A", '    return {"body": {"v": 1}}'))
    with Dev(project) as dev:
        write(project, "steps/a_step.py", "config = {\n")
        found = wait_until("the finding", lambda: dev.first("findings"))

        assert found["keptRunning"] is True
        assert found["findings"][0]["file"] == "steps/a_step.py"
        assert dev.http("POST", "/a", {}).json() == {"v": 1}

        write(project, "steps/a_step.py", api_step("A", '    return {"body": {"v": 3}}'))
        wait_until("the new version", lambda: dev.http("POST", "/a", {}).json() == {"v": 3})


def test_steps_come_and_go_with_their_files(tmp_path: Path) -> None:
    project = tmp_path / "app"
    project.mkdir()
    with Dev(project) as dev:
        assert dev.first("findings") is not None, "an empty folder explains itself"
        write(project, "steps/a_step.py", api_step("A", '    return {"body": {"v": 1}}'))
        wait_until("the route", lambda: dev.http("POST", "/a", {}).status == 200)
        write(project, "steps/b_step.py", api_step("B", '    return {"body": {"v": 2}}'))
        wait_until("the second route", lambda: dev.http("POST", "/b", {}).status == 200)
        (project / "steps/b_step.py").unlink()
        wait_until("the route to go", lambda: dev.http("POST", "/b", {}).status == 404)
        assert dev.http("POST", "/a", {}).status == 200
        (project / "steps/a_step.py").unlink()
        wait_until("the last route to go", lambda: dev.http("POST", "/a", {}).status == 404)


def test_a_step_that_goes_with_messages_in_its_queue_says_so(tmp_path: Path) -> None:
    project = messaging(tmp_path)
    fail = event_step("Fail", "message.sent", '    raise ValueError("no")')
    write(project, "steps/fail_step.py", fail)
    with Dev(project, "--clock", "manual") as dev:
        dev.http("POST", "/messages", MESSAGE)
        wait_until("the first attempt", lambda: dev.first("handled", step="Fail"))
        (project / "steps/fail_step.py").unlink()
        trouble = wait_until("the loss", lambda: dev.first("trouble", step="Fail"))

        assert "1 message(s)" in trouble["text"]


def test_a_broken_step_is_a_finding_and_the_rest_runs(tmp_path: Path) -> None:
    project = messaging(tmp_path)
    write(project, "steps/broken_step.py", 'config = {"name": "Broken", "type": "api", "path": "/x"}\n')
    with Dev(project, "--no-watch") as dev:
        found = dev.first("findings")
        assert found is not None
        assert {finding["file"] for finding in found["findings"]} == {"steps/broken_step.py"}
        assert dev.http("POST", "/messages", MESSAGE).status == 201


def _burst(count: int) -> str:
    emit = 'await context.emit({"topic": "slow", "data": {"n": n}})'
    return f'    for n in range({count}):\n        {emit}\n    return {{"body": {{}}}}'


def test_slow_messages_of_a_batch_are_each_done_once(tmp_path: Path) -> None:
    project = write(
        tmp_path / "app",
        "steps/burst_step.py",
        api_step("Burst", _burst(6)),
    )
    work = '    import time\n    time.sleep(0.6)\n    await context.state.set("done", str(data["n"]), data)'
    limit = ', "infrastructure": {"handler": {"timeout": 1}}'
    write(project, "steps/slow_step.py", event_step("Slow", "slow", work, extra=limit))
    with Dev(project, "--no-watch") as dev:
        dev.http("POST", "/burst", {})
        wait_until("all six", lambda: len(dev.all("handled", step="Slow")) >= 6)

        records = [one["record"] for one in dev.all("handled", step="Slow")]
        assert [(record["result"], record["trigger"]["attempt"]) for record in records] == [("ok", 1)] * 6


def test_a_handler_over_its_time_fails_with_that_reason_and_its_neighbours_do_not(tmp_path: Path) -> None:
    project = write(
        tmp_path / "app",
        "steps/burst_step.py",
        api_step("Burst", _burst(3)),
    )
    work = '    import time\n    time.sleep(30 if data["n"] == 1 else 0)'
    extra = ', "infrastructure": {"handler": {"timeout": 1}, "queue": {"maxRetries": 0}}'
    write(project, "steps/slow_step.py", event_step("Slow", "slow", work, extra=extra))
    with Dev(project, "--no-watch") as dev:
        dev.http("POST", "/burst", {})
        wait_until("all three", lambda: len(dev.all("handled", step="Slow")) >= 3)

        records = [one["record"] for one in dev.all("handled", step="Slow")]
        assert sorted(record["result"] for record in records) == ["dead-letter", "ok", "ok"]
        failed = next(record for record in records if record["result"] == "dead-letter")
        assert failed["error"]["type"] == "HandlerTimeout"


def test_the_variables_of_a_dotenv_file_are_there_when_a_module_is_imported_and_when_it_runs(tmp_path: Path) -> None:
    source = 'import os\n\nTOKEN = os.environ["API_TOKEN"]\n' + api_step(
        "A", '    return {"body": {"import": TOKEN, "run": os.environ["API_TOKEN"]}}'
    )
    project = write(tmp_path / "app", "steps/a_step.py", source)
    write(project, ".env", "API_TOKEN=first\n")
    with Dev(project) as dev:
        assert dev.http("POST", "/a", {}).json() == {"import": "first", "run": "first"}
        write(project, ".env", "API_TOKEN=second\n")
        wait_until("the new value", lambda: dev.http("POST", "/a", {}).json() == {"import": "second", "run": "second"})
    assert "first" not in (project / ".treadle/assembly/dev/template.json").read_text()


def test_a_second_emulator_of_the_same_project_is_refused_by_name(tmp_path: Path) -> None:
    project = messaging(tmp_path)
    with Dev(project, "--no-watch") as dev:
        command: list[str | Path] = [TREADLE, "dev", project, "--once", "--port", "0", "--aws-port", "0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        assert second.returncode == 1
        assert "already-running" in second.stderr
        assert str(dev.process.pid) in second.stderr
        assert json.loads((project / ".treadle/dev.json").read_text())["pid"] == dev.process.pid


def test_commands_find_out_that_an_emulator_was_killed(tmp_path: Path) -> None:
    project = messaging(tmp_path)
    dev = Dev(project, "--no-watch")
    try:
        dev.process.kill()
        dev.process.wait(20)
        command: list[str | Path] = [TREADLE, "emit", "message.sent", "-C", project]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        dev.stop()

    assert done.returncode == 1
    assert "not-running" in done.stderr


def test_once_deploys_says_ready_and_ends(tmp_path: Path) -> None:
    project = messaging(tmp_path)
    command: list[str | Path] = [TREADLE, "dev", project, "--once", "--port", "0", "--aws-port", "0", "--json"]

    good = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    write(project, "steps/broken_step.py", "import nothing_of_this_name\n")
    bad = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert good.returncode == 0, good.stderr
    assert [json.loads(line)["event"] for line in good.stdout.splitlines()][-1] == "ready"
    assert bad.returncode == 1


def test_a_busy_port_is_an_error_that_names_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        command: list[str | Path] = [TREADLE, "dev", tmp_path, "--once", "--port", str(port), "--aws-port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "port-busy" in done.stderr
    assert f"process {os.getpid()}" in done.stderr


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    done = subprocess.run(
        [TREADLE, "dev", tmp_path, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert "loopback" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    project = write(
        tmp_path / "app",
        "steps/a_step.py",
        api_step(
            "A",
            "    import os, subprocess\n"
            '    child = subprocess.Popen(["sleep", "600"])\n'
            '    return {"body": {"pids": [os.getpid(), child.pid]}}',
        ),
    )
    dev = Dev(project, "--no-watch")
    try:
        pids = dev.http("POST", "/a", {}).json()["pids"]
        assert (project / ".treadle" / "dev.json").exists()
        dev.process.send_signal(number)
        assert dev.process.wait(20) == 0
    finally:
        dev.stop()

    assert not (project / ".treadle" / "dev.json").exists()
    assert [pid for pid in pids if _is_running(pid)] == []


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
