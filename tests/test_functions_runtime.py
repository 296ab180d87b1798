"""Functions at run time, through Invoke: how they end, what is said about it, which processes they share."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from support.aws import unique
from support.dev import TREADLE, Dev, wait_until
from support.lambda_account import Account, invoke, make_queue, make_role, zipped
from support.projects import api_step, event_step, write

PID = "import os\n\ndef handler(event, context):\n    return os.getpid()\n"
SLEEP = """
import os, time

def handler(event, context):
    open(event["begun"], "a").write(f"{os.getpid()}\\n")
    time.sleep(event["seconds"])
    open(event["done"], "a").write("done\\n")
    return os.getpid()
"""


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator, actions=("sqs:*", "logs:*")))


def failed(account: Account, source: str, payload: object = None, **settings: Any) -> dict[str, Any]:
    """The error document of a function that fails."""
    answer = account.client.invoke(FunctionName=account.make(source, **settings), Payload=json.dumps(payload).encode())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document: dict[str, Any] = json.loads(answer["Payload"].read())
    return document


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # gone before it is opened, or before it is read
        return False


# how functions fail


def test_a_function_that_takes_too_long_is_killed_and_the_next_event_runs(account: Account) -> None:
    source = "import os, time\n\ndef handler(event, context):\n    time.sleep(event)\n    return os.getpid()\n"
    name = account.make(source, Timeout=1)
    before = invoke(account.client, name, 0)
    error = invoke(account.client, name, 30)
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert not is_running(before)
    assert invoke(account.client, name, 0) != before


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_is_an_exit_error(account: Account, ending: str, words: str) -> None:
    error = failed(account, f"import os\n\ndef handler(event, context):\n    {ending}\n")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].startswith("RequestId: ")
    assert error["errorMessage"].endswith(words)


def test_a_module_that_cannot_be_loaded_is_told_each_time(account: Account) -> None:
    name = account.make("raise RuntimeError('no start')\n")
    for _ in range(2):
        error = invoke(account.client, name, {})
        assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "no start")


def test_a_process_that_ends_while_it_starts_names_the_request(account: Account) -> None:
    error = failed(account, "import os\nos._exit(4)\n")
    assert error["errorType"] == "Runtime.ExitError"
    assert "RequestId:  " not in error["errorMessage"]
    assert "exit status 4" in error["errorMessage"]


@pytest.mark.parametrize(
    ("handler", "kind"), [("nothing.handler", "Runtime.ImportModuleError"), ("app.nothing", "Runtime.HandlerNotFound")]
)
def test_a_handler_that_is_not_there_is_named(account: Account, handler: str, kind: str) -> None:
    assert failed(account, PID, Handler=handler)["errorType"] == kind


def test_what_a_handler_raises_comes_back_with_its_stack(account: Account) -> None:
    error = failed(account, "def handler(event, context):\n    raise KeyError('lost')\n")
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'lost'")
    assert "line 2, in handler" in error["stackTrace"][0]
    assert error["requestId"]


def test_a_result_that_is_no_json_is_a_marshal_error(account: Account) -> None:
    assert failed(account, "def handler(event, context):\n    return {1, 2}\n")["errorType"] == "Runtime.MarshalError"


def test_a_response_over_six_megabytes_is_refused(account: Account) -> None:
    error = failed(account, "def handler(event, context):\n    return 'x' * 7_000_000\n")
    assert error["errorType"] == "Function.ResponseSizeTooLarge"


# what is said about a run


def test_the_log_tail_ends_with_the_report(account: Account) -> None:
    source = "def handler(event, context):\n    for _ in range(3000):\n        print('é' * 10)\n    print('last')\n"
    settings = {"MemorySize": 256, "LoggingConfig": {"LogFormat": "JSON"}}
    answer = account.client.invoke(FunctionName=account.make(source, **settings), LogType="Tail")
    tail = base64.b64decode(answer["LogResult"])
    assert len(tail) <= 4096
    *_, last, report = tail.decode().splitlines()
    assert last == "last"
    record = json.loads(report)["record"]
    assert record["status"] == "success"
    assert record["metrics"]["memorySizeMB"] == 256
    assert record["metrics"]["maxMemoryUsedMB"] > 5
    assert record["metrics"]["initDurationMs"] > 0


def test_memory_is_measured_and_the_start_is_billed_once(account: Account) -> None:
    source = "def handler(event, context):\n    return len(b'x' * event)\n"
    name = account.make(source, LoggingConfig={"LogFormat": "JSON"})

    def metrics(size: int) -> dict[str, float]:
        answer = account.client.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(size))
        report = base64.b64decode(answer["LogResult"]).decode().splitlines()[-1]
        found: dict[str, float] = json.loads(report)["record"]["metrics"]
        return found

    small, large = metrics(1), metrics(60_000_000)
    assert large["maxMemoryUsedMB"] >= small["maxMemoryUsedMB"] + 50
    assert "initDurationMs" in small
    assert "initDurationMs" not in large


def log_of(account: Account, name: str) -> list[str]:
    logs = account.emulator.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


@pytest.fixture
def logging_account(emulator: Dev) -> Account:
    """An account whose functions may write their logs."""
    role = make_role(emulator, actions=("logs:CreateLogStream", "logs:PutLogEvents"))
    return Account(emulator, emulator.client("lambda"), role)


def logged(account: Account, source: str, **settings: Any) -> list[str]:
    """What is in the log of a function that has run once."""
    name = account.make(source, **settings)
    account.emulator.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    account.client.invoke(FunctionName=name)
    return log_of(account, name)


def test_a_function_that_logs_text_has_the_lines_of_lambda_in_text(logging_account: Account) -> None:
    lines = logged(logging_account, "print('loading')\ndef handler(event, context):\n    print('at work')\n")
    begin, loading, start, work, end, report = lines
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3\.13\.v\d+\t"
        r"Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
        begin,
    )
    assert (loading, work) == ("loading", "at work")
    request_id = start.split()[2]
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert end == f"END RequestId: {request_id}"
    assert re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t",
        report,
    )


@pytest.mark.parametrize(
    ("source", "told", "status"),
    [
        ("import time; time.sleep(9)", r"[-0-9T:.]+Z \S+ Task timed out after 1.00 seconds", "Status: timeout"),
        (
            "import os; os._exit(3)",
            r"RequestId: \S+ Error: Runtime exited with error: exit status 3",
            "Status: error\tError Type: Runtime.ExitError",
        ),
    ],
)
def test_an_end_that_the_function_cannot_tell_is_told(
    logging_account: Account, source: str, told: str, status: str
) -> None:
    lines = logged(logging_account, f"def handler(event, context):\n    {source}\n", Timeout=1)
    assert re.fullmatch(told, lines[2])
    assert lines[-1].endswith(f"\t{status}\t")


@pytest.mark.parametrize(
    ("level", "body", "kinds"),
    [
        ("INFO", "pass", ["platform.initStart", "platform.start", "platform.report"]),
        ("DEBUG", "pass", ["platform.initStart", "platform.start", "platform.report"]),
        ("WARN", "pass", []),
        ("WARN", "import os; os._exit(3)", ["platform.report"]),
    ],
)
def test_a_function_that_logs_json_has_the_records_that_its_level_lets_through(
    logging_account: Account, level: str, body: str, kinds: list[str]
) -> None:
    settings = {"LogFormat": "JSON", "SystemLogLevel": level}
    lines = logged(logging_account, f"def handler(event, context):\n    {body}\n", LoggingConfig=settings)
    assert [json.loads(line)["type"] for line in lines] == kinds


def test_a_function_that_logs_json_leaves_out_what_is_below_its_own_level(logging_account: Account) -> None:
    source = """
import logging

def handler(event, context):
    logging.getLogger().info("quiet")
    logging.getLogger().error("loud")
"""
    settings = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    (only,) = logged(logging_account, source, LoggingConfig=settings)
    assert (json.loads(only)["level"], json.loads(only)["message"]) == ("ERROR", "loud")


def test_a_line_like_a_log_record_of_any_shape_harms_nothing(account: Account) -> None:
    source = """
import json

def handler(event, context):
    for record in ({"msg": "m", "level": {}}, {"msg": 1, "level": "info", "traceId": [1]}, {"treadle": "invocation"}):
        print(json.dumps(record))
    return "fine"
"""
    assert invoke(account.client, account.make(source), {}) == "fine"


# processes


def test_an_idle_environment_is_used_again(account: Account) -> None:
    name = account.make(PID)
    assert len({invoke(account.client, name, {}) for _ in range(5)}) == 1


def test_events_at_the_same_time_run_in_processes_of_their_own(account: Account) -> None:
    source = "import os, time\n\ndef handler(event, context):\n    time.sleep(1)\n    return os.getpid()\n"
    name = account.make(source, Timeout=20)
    with ThreadPoolExecutor(6) as threads:
        runs = [threads.submit(invoke, account.client, name, {}) for _ in range(6)]
        pids = [run.result() for run in runs]
    assert len(set(pids)) == 6


def test_new_code_ends_the_environments_of_the_old(account: Account) -> None:
    name = account.make(PID)
    old = invoke(account.client, name, {})
    account.client.update_function_code(FunctionName=name, ZipFile=zipped(PID + "# new\n"))
    assert invoke(account.client, name, {}) != old
    wait_until("the end of the old process", lambda: not is_running(old))


def test_an_event_under_way_is_done_by_the_code_that_began_it(account: Account, tmp_path: Path) -> None:
    name = account.make(SLEEP, Timeout=20)
    event = {"begun": str(tmp_path / "begun"), "done": str(tmp_path / "done"), "seconds": 1}
    with ThreadPoolExecutor(1) as thread:
        under_way = thread.submit(invoke, account.client, name, event)
        wait_until("its begin", (tmp_path / "begun").exists)
        account.client.update_function_code(FunctionName=name, ZipFile=zipped(PID))
        new = invoke(account.client, name, {})
        old = under_way.result()
    assert new != old
    wait_until("the end of the old process", lambda: not is_running(old))


def test_a_process_that_ends_between_two_events_is_replaced(account: Account) -> None:
    name = account.make(PID)
    first = invoke(account.client, name, {})
    os.kill(first, signal.SIGKILL)
    wait_until("its end", lambda: not is_running(first))
    assert wait_until("the next", lambda: _pid(invoke(account.client, name, {}))) != first


def _pid(answer: object) -> int | None:
    return answer if isinstance(answer, int) else None


def test_a_caller_that_hangs_up_leaves_the_function_to_its_work(account: Account, tmp_path: Path) -> None:
    name = account.make(SLEEP, Timeout=20)
    event = {"begun": str(tmp_path / "begun"), "done": str(tmp_path / "done"), "seconds": 1.5}
    session: Any = boto3.session.Session(region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=0.7)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    impatient = session.client("lambda", endpoint_url=account.emulator.endpoint, config=config, **keys)
    with pytest.raises(ReadTimeoutError):
        invoke(impatient, name, event)
    impatient.close()
    quick = {"begun": str(tmp_path / "other"), "done": str(tmp_path / "other"), "seconds": 0}
    started = time.monotonic()
    other = invoke(account.client, name, quick)
    assert time.monotonic() - started < 1.0, "it waited for a process that works for somebody else"
    wait_until("the work that was begun", (tmp_path / "done").exists)
    assert int((tmp_path / "begun").read_text()) != other


# queues


def test_a_queue_that_is_made_again_is_polled_again(account: Account, tmp_path: Path) -> None:
    source = (
        f"def handler(event, context):\n    open({str(tmp_path / 'got')!r}, 'a').write(event['Records'][0]['body'])\n"
    )
    url, arn = make_queue(account.emulator)
    name = account.make(source)
    account.client.create_event_source_mapping(FunctionName=name, EventSourceArn=arn)
    sqs = account.emulator.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="one")
    wait_until("the first", lambda: (tmp_path / "got").exists() and (tmp_path / "got").read_text() == "one")
    sqs.delete_queue(QueueUrl=url)
    account.emulator.advance(61)  # a name is free again after a minute
    sqs.create_queue(QueueName=arn.rsplit(":", 1)[-1])
    sqs.send_message(QueueUrl=url, MessageBody="two")

    def both() -> bool:
        account.emulator.advance(5)
        return (tmp_path / "got").read_text() == "onetwo"

    wait_until("the second", both)


def test_a_batch_waits_for_its_window(account: Account, tmp_path: Path) -> None:
    source = (
        f"def handler(event, context):\n    open({str(tmp_path / 'got')!r}, 'a').write(str(len(event['Records'])))\n"
    )
    url, arn = make_queue(account.emulator)
    name = account.make(source)
    account.client.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn, BatchSize=10, MaximumBatchingWindowInSeconds=5
    )
    sqs = account.emulator.client("sqs")
    for body in "abc":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    assert not (tmp_path / "got").exists()
    account.emulator.advance(5)
    wait_until("the batch", (tmp_path / "got").exists)
    assert wait_until("its size", (tmp_path / "got").read_text) == "3"


# stopping


def _module(condition: str, marker: Path, seconds: float) -> str:
    return (
        f"import os, time\nif {condition}:\n"
        f"    open({str(marker)!r}, 'a').write(f'{{os.getpid()}}\\n')\n    time.sleep({seconds})\n"
    )


def at_run_time(marker: Path, seconds: float) -> str:
    """The beginning of a step whose process writes its id to a file and then takes long to start."""
    return _module("'AWS_LAMBDA_RUNTIME_API' in os.environ", marker, seconds)


def in_discovery(marker: Path, seconds: float) -> str:
    """The beginning of a step that is slow to discover, and says when that has begun."""
    return _module("'AWS_LAMBDA_RUNTIME_API' not in os.environ", marker, seconds)


def test_stopping_while_a_function_starts_leaves_no_process(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    project = write(
        tmp_path / "app", "steps/slow_step.py", at_run_time(begun, 60) + event_step("Slow", "slow.go", "    pass")
    )
    write(
        project,
        "steps/go_step.py",
        api_step("Go", '    await context.emit({"topic": "slow.go", "data": {}})\n    return {"body": {}}'),
    )
    dev = Dev(project, "--no-watch")
    try:
        assert dev.http("POST", "/go", {}).status == 200
        wait_until("the start", lambda: begun.exists() and begun.read_text())
        pids = [int(line) for line in begun.read_text().split()]
        assert dev.stop() == 0
    finally:
        dev.stop()
    assert [pid for pid in pids if is_running(pid)] == []


def test_ctrl_c_during_the_start_ends_it_at_once(tmp_path: Path) -> None:
    marker = unique("marker")
    source = in_discovery(tmp_path / marker, 4)
    project = write(tmp_path / "app", "steps/a_step.py", source + api_step("A", '    return {"body": {}}'))
    command: list[str | Path] = [TREADLE, "dev", project, "--port", "0", "--aws-port", "0", "--json", "--no-watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until("discovery", (tmp_path / marker).exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, "ready" in out, err) == (0, False, "")
    assert not (project / ".treadle" / "dev.json").exists()


# reloading


def test_an_edit_while_it_starts_is_not_missed(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    source = in_discovery(marker, 1)
    project = write(tmp_path / "app", "steps/a_step.py", source + api_step("A", '    return {"body": {"v": 1}}'))
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(Dev, project)
        wait_until("discovery", marker.exists)
        write(project, "steps/b_step.py", api_step("B", '    return {"body": {"v": 2}}'))
        with starting.result() as dev:
            wait_until("the new route", lambda: dev.http("POST", "/b", {}).status == 200)


def test_a_project_file_broken_by_an_edit_stops_nothing(tmp_path: Path) -> None:
    project = write(tmp_path / "app", "steps/a_step.py", api_step("A", '    return {"body": {"v": 1}}'))
    with Dev(project) as dev:
        write(project, "treadle.toml", "[tool.treadle\nname = ")
        wait_until("the finding", lambda: dev.first("findings"))
        assert dev.http("POST", "/a", {}).status == 200
        (project / "treadle.toml").unlink()
        write(project, "steps/a_step.py", api_step("A", '    return {"body": {"v": 2}}'))
        wait_until("the new version", lambda: dev.http("POST", "/a", {}).json() == {"v": 2})
