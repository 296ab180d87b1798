"""What a function finds around it, and what it gets for leaving its bounds: as on Lambda, through Invoke."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from support.dev import Dev, wait_until
from support.lambda_account import Account, invoke, make_role, zipped

SANDBOXED = os.path.exists("/proc/self/ns/mnt")  # noqa: PTH110 - a file of the system
linux = pytest.mark.skipif(not SANDBOXED, reason="elsewhere processes have no mount namespace, or are not frozen")


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator))


def run(account: Account, name: str, payload: object = None) -> tuple[dict[str, Any], str]:
    """The answer's error document and the log of one invocation that fails."""
    answer = account.client.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(payload).encode())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    return json.loads(answer["Payload"].read()), base64.b64decode(answer["LogResult"]).decode()


def failing(account: Account, source: str, **settings: Any) -> tuple[dict[str, Any], str]:
    return run(account, account.make(source, **settings))


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


# what is around it


@linux
def test_folders_and_search_path_are_those_of_lambda(account: Account) -> None:
    source = """
import os, sys

def handler(event, context):
    return {"folder": os.getcwd(), "file": __file__, "path": sys.path, "argv": sys.argv,
            "roots": [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"], os.environ["PYTHONPATH"]]}
"""
    found = invoke(account.client, account.make(source), {})
    assert (found["folder"], found["file"]) == ("/var/task", "/var/task/app.py")
    assert found["path"][:2] == ["/var/task", "/var/runtime"]
    assert not any("treadle" in entry or "site-packages" in entry for entry in found["path"])
    assert found["roots"] == ["/var/task", "/var/runtime", "/var/runtime"]
    assert found["argv"] == ["/var/runtime/bootstrap.py", "app.handler"]


def test_nothing_of_the_machine_is_in_its_environment(account: Account) -> None:
    source = "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n"
    found = invoke(account.client, account.make(source, Environment={"Variables": {"OWN": "1"}}), {})
    assert found["OWN"] == "1"
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    ours = {name for name in found if not re.match(r"AWS_|_?LAMBDA_|_HANDLER|_X_AMZN_", name)}
    assert ours <= {"OWN", "PATH", "LANG", "TZ", "PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR"}


def test_a_module_of_the_function_comes_before_what_is_installed(account: Account) -> None:
    source = "import boto3\n\ndef handler(event, context):\n    return boto3.__version__\n"
    name = account.make(source)
    assert invoke(account.client, name, {})[0].isdigit()
    own = base64.b64encode(b"__version__ = 'own'\n").decode()
    writer = (
        f"import base64, sys, types\nboto3 = types.ModuleType('boto3')\nexec(base64.b64decode('{own}'), vars(boto3))\n"
    )
    handler = "def handler(event, context):\n    return boto3.__version__\n"
    assert invoke(account.client, account.make(writer + handler), {}) == "own"


@linux
def test_its_code_cannot_be_written(account: Account) -> None:
    error, _ = failing(account, "def handler(event, context):\n    open('new.txt', 'w')\n")
    assert error["errorType"] == "OSError"
    assert error["errorMessage"] == "[Errno 30] Read-only file system: 'new.txt'"


@linux
def test_temporary_files_are_its_own_and_stay_with_the_environment(account: Account) -> None:
    source = """
import os, time

def handler(event, context):
    before = os.listdir("/tmp")
    open(f"/tmp/{context.aws_request_id}", "w")
    size = os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize
    return {"before": len(before), "mb": size // 1024**2}
"""
    name = account.make(source, EphemeralStorage={"Size": 600})
    assert invoke(account.client, name, {}) == {"before": 0, "mb": 600}
    assert invoke(account.client, name, {}) == {"before": 1, "mb": 600}
    account.client.update_function_code(FunctionName=name, ZipFile=zipped(source + "# new\n"))
    assert invoke(account.client, name, {})["before"] == 0
    assert invoke(account.client, account.make(source), {}) == {"before": 0, "mb": 512}


@linux
def test_temporary_files_beyond_the_storage_are_refused(account: Account) -> None:
    source = "def handler(event, context):\n    open('/tmp/much', 'wb').write(bytes(event))\n"
    name = account.make(source, MemorySize=2048, Timeout=30)
    assert run(account, name, 530 * 1024**2)[0]["errorMessage"] == "[Errno 28] No space left on device"


def test_another_version_of_python_runs_what_is_made_for_it_or_is_refused_by_name(account: Account) -> None:
    source = "import sys\n\ndef handler(event, context):\n    return list(sys.version_info[:2])\n"
    assert invoke(account.client, account.make(source), {}) == [3, 13]
    answer = invoke(account.client, account.make(source, Runtime="python3.12"), {})
    if answer != [3, 12]:
        assert answer["errorType"] == "Runtime.NotSupported"
        assert "uv python install 3.12" in answer["errorMessage"]


# what it says


def test_a_record_of_many_lines_is_one_event_of_the_log(emulator: Dev) -> None:
    role = make_role(emulator, actions=("logs:CreateLogStream", "logs:PutLogEvents"))
    account = Account(emulator, emulator.client("lambda"), role)
    source = """
import logging

def handler(event, context):
    print("one\\ntwo")
    print("begun ", end="")
    logging.getLogger().warning("first\\nsecond")
    raise ValueError("lost")
"""
    name = account.make(source)
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    account.client.invoke(FunctionName=name)
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    _, _, one, two, begun, warning, error, _, _ = [event["message"] for event in events]
    assert (one, two, begun) == ("one", "two", "begun ")
    assert re.fullmatch(r"\[WARNING\]\t\S+Z\t\S+\tfirst\nsecond", warning)
    assert error.startswith("[ERROR] ValueError: lost\nTraceback (most recent call last):\n")
    assert "raise ValueError" in error


# leaving its bounds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("held = []\n    while True:\n        held.append(bytes(1_000_000) + b'x')", id="more and more"),
        pytest.param("return len(b'x' * 200_000_000)", id="all at once"),
    ],
)
@linux
def test_more_memory_than_it_has_kills_it(account: Account, body: str) -> None:
    name = account.make(f"def handler(event, context):\n    {body}\n", Timeout=20)
    for _ in range(2):
        error, log = run(account, name)
        assert error["errorType"] == "Runtime.OutOfMemory"
        assert re.fullmatch(r"RequestId: \S+ Error: Runtime exited with error: signal: killed", error["errorMessage"])
        assert "Memory Size: 128 MB\tMax Memory Used: 128 MB\t" in log
        assert log.splitlines()[-1].endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\t")


def test_a_segmentation_fault_is_an_exit_error_and_the_next_event_runs(account: Account) -> None:
    source = (
        "import ctypes\n\ndef handler(event, context):\n    return ctypes.string_at(0) and None if event else 'fine'\n"
    )
    name = account.make(source)
    error, log = run(account, name, True)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: segmentation fault")
    assert int(re.findall(r"Max Memory Used: (\d+) MB", log)[0]) > 5
    assert invoke(account.client, name, False) == "fine"


def test_sys_exit_is_an_exit_error(account: Account) -> None:
    error, _ = failing(account, "import sys\n\ndef handler(event, context):\n    sys.exit(7)\n")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


@linux
def test_it_has_as_many_file_descriptors_as_on_lambda(account: Account) -> None:
    source = "def handler(event, context):\n    held = []\n    while True:\n        held.append(open('/dev/null'))\n"
    error, _ = failing(account, source)
    assert (error["errorType"], error["errorMessage"]) == ("OSError", "[Errno 24] Too many open files: '/dev/null'")


def test_a_recursion_without_end_is_its_own_error(account: Account) -> None:
    source = "def handler(event, context):\n    return handler(event, context)\n"
    error, _ = failing(account, source)
    assert error["errorType"] == "RecursionError"


def test_a_child_process_ends_with_the_environment(account: Account) -> None:
    source = """
import subprocess, time

def handler(event, context):
    if event is None:
        time.sleep(60)
    return subprocess.Popen(["sleep", "100"]).pid
"""
    name = account.make(source, Timeout=1)
    child = invoke(account.client, name, 1)
    assert is_running(child)
    assert run(account, name)[0]["errorType"] == "Sandbox.Timedout"
    wait_until("the end of the child", lambda: not is_running(child))


def test_a_fork_in_the_handler_harms_nothing(account: Account) -> None:
    source = """
import os

def handler(event, context):
    child = os.fork()
    if child == 0:
        os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    name = account.make(source)
    assert [invoke(account.client, name, {}) for _ in range(3)] == [5, 5, 5]


# between events


@linux
def test_nothing_goes_on_between_two_events(account: Account) -> None:
    source = """
import os, threading, time

ticks = 0

def tick():
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1

threading.Thread(target=tick, daemon=True).start()

def handler(event, context):
    return {"ticks": ticks, "pid": os.getpid()}
"""
    name = account.make(source)
    first = invoke(account.client, name, {})
    status = Path(f"/proc/{first['pid']}/status")
    wait_until("frozen", lambda: "\nState:\tT" in status.read_text())
    before = re.findall(r"ctxt_switches:\t(\d+)", status.read_text())
    for _ in range(3):  # time for others
        invoke(account.client, account.make(source), {})
    assert re.findall(r"ctxt_switches:\t(\d+)", status.read_text()) == before
    after = invoke(account.client, name, {})
    assert after["pid"] == first["pid"]
    assert after["ticks"] < first["ticks"] + 15


# starts that fail


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        (
            'raise RuntimeError("not yet")',
            r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: RuntimeError",
        ),
        ("time.sleep(60)", r"INIT_REPORT Init Duration: 10\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout"),
    ],
)
def test_a_start_that_fails_is_done_again_with_the_first_event(
    emulator: Dev, tmp_path: Path, failing: str, told: str
) -> None:
    role = make_role(emulator, actions=("logs:CreateLogStream", "logs:PutLogEvents"))
    account = Account(emulator, emulator.client("lambda"), role)
    mark = tmp_path / "mark"
    source = f"""
import os, time

if not os.path.exists({str(mark)!r}):
    open({str(mark)!r}, "w")
    {failing}

def handler(event, context):
    return "fine"
"""
    name = account.make(source)
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    assert invoke(account.client, name, {}) == "fine"
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
    (line,) = [line for line in lines if line.startswith("INIT_REPORT")]
    assert re.fullmatch(told, line)
    assert "Init Duration" not in lines[-1]


def test_a_start_that_takes_longer_than_the_event_may_times_out(account: Account, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    source = f"""
import os, time

if os.path.exists({str(mark)!r}):
    time.sleep(30)
open({str(mark)!r}, "w")
os._exit(1)

def handler(event, context):
    return "fine"
"""
    error, log = failing(account, source, Timeout=1)
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert log.splitlines()[-1].endswith("Status: timeout\t")


# the emulator's end


@linux
def test_a_killed_emulator_leaves_no_process(tmp_path: Path) -> None:
    emulator = Dev(tmp_path, "--clock", "manual", "--no-watch")
    account = Account(emulator, emulator.client("lambda"), make_role(emulator))
    source = "import os, subprocess\n\ndef handler(event, context):\n"
    source += "    return [os.getpid(), os.getppid(), subprocess.Popen(['sleep', '100']).pid]\n"
    try:
        pids = [pid for _ in range(2) for pid in invoke(account.client, account.make(source), {})]
        assert all(is_running(pid) for pid in pids)
    finally:
        emulator.process.send_signal(signal.SIGKILL)
        emulator.stop()
    wait_until("the end of all", lambda: not any(is_running(pid) for pid in pids))
