"""`treadle logs` against a running emulator."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.command import treadle
from support.dev import TREADLE, Dev, wait_until
from support.projects import api_step, event_step, write

_TALK = """\
    context.logger.info("talking", {"to": req["body"]["to"], "n": {"deep": [1]}})
    context.logger.warn("careful")
    print("printed", req["body"]["to"])
    await context.emit({"topic": "said", "data": req["body"]})
    return {"body": {}}"""
_LISTEN = """\
    context.logger.info("heard")
    if data["to"] == "nobody":
        raise ValueError("no such " + data["to"])
    if data["to"] == "death":
        import os
        os._exit(3)"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Two steps, one after the other, that have said something to two people."""
    project = tmp_path_factory.mktemp("logs")
    write(project, "steps/talk_step.py", api_step("Talk", _TALK))
    write(project, "steps/listen_step.py", event_step("Listen", "said", _LISTEN))
    with Dev(project, "--no-watch", "--clock", "manual") as running:
        for name in ("ada", "nobody"):
            talk(running, name)
        wait_until("both heard", lambda: len(running.all("handled", step="Listen")) == 2)
        yield running


def talk(dev: Dev, name: str) -> str:
    """Sends a request; its trace id."""
    return dev.http("POST", "/talk", {"to": name}).headers["x-trace-id"]


def logs(dev: Dev, *arguments: str) -> list[str]:
    """The lines that are shown, without their times."""
    done = treadle("logs", "-C", dev.project, *arguments)
    assert (done.code, done.err) == (0, "")
    return [re.sub(r"^(\d\d-\d\d )?\d\d:\d\d:\d\d\.\d\d\d  ", "", line) for line in done.out.splitlines()]


def json_logs(dev: Dev, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs(dev, "--json", *arguments)]


def test_lines_have_their_step_level_message_and_fields_and_errors_their_stack(dev: Dev) -> None:
    shown = logs(dev)

    assert 'Talk    INFO talking  to=ada  n={"deep": [1]}' in shown
    assert "Talk    WARN careful" in shown
    assert "Talk    │ printed ada" in shown
    start = next(index for index, line in enumerate(shown) if line.startswith("Listen  ERROR Listen failed"))
    stack = [line.strip() for line in shown[start + 1 : start + 4]]
    assert stack[0].startswith('│ File "steps/listen_step.py", line 7')
    assert stack[2] == "│ ValueError: no such nobody"
    assert not any('"treadle"' in line or "platform" in line for line in shown)


def test_one_step_is_shown_by_its_name_either_way(dev: Dev) -> None:
    assert {line.split()[0] for line in logs(dev, "Talk")} == {"Talk"}
    assert logs(dev, "--step", "Talk") == logs(dev, "Talk")
    both = logs(dev, "Talk", "--step", "Listen")
    assert both == logs(dev)


def test_one_trace_is_shown_by_its_id_or_the_beginning_of_it(dev: Dev) -> None:
    record = next(one["record"] for one in dev.all("handled", step="Listen") if one["record"]["result"] == "ok")
    trace_id, w3c_id = record["traceId"], record["w3cId"]

    for text in (trace_id, trace_id[:9], trace_id.lower(), w3c_id, w3c_id[:16]):
        shown = logs(dev, "--trace", text)
        assert [line for line in shown if "INFO" in line] == [
            'Talk    INFO talking  to=ada  n={"deep": [1]}',
            "Listen  INFO heard",
        ]
    assert treadle("logs", "--trace", "ZZZZZ-0000000", "-C", dev.project).err.startswith(
        "error[no-such-trace]: there is no trace `ZZZZZ-0000000`\n"
    )


def test_errors_alone_can_be_shown(dev: Dev) -> None:
    shown = json_logs(dev, "--errors")

    assert {line["level"] for line in shown} == {"error"}
    assert "Listen" in {line["step"] for line in shown}
    assert "Talk" not in {line["step"] for line in shown}


def test_each_line_is_an_object_for_programs(dev: Dev) -> None:
    first, *_ = json_logs(dev, "Talk")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first.pop("requestId")
    assert re.fullmatch(r"[A-Z0-9]{5}-\d{7}", first.pop("traceId"))
    assert first == {
        "step": "Talk",
        "type": "log",
        "level": "info",
        "message": "talking",
        "fields": {"to": "ada", "n": {"deep": [1]}},
    }


def test_the_ends_of_runs_are_shown_when_asked_for(dev: Dev) -> None:
    shown = [line for line in logs(dev, "--records") if re.search(r"POST /talk  |said  ", line)]
    records = [line["record"] for line in json_logs(dev, "--records") if line["type"] == "record"]

    assert re.fullmatch(r"Talk    POST /talk  200  \d+ ms  [A-Z0-9]{5}-\d{7}", shown[0])
    assert any(re.fullmatch(r"Listen  said  will retry  \d+ ms  \S+", line) for line in shown)
    assert {record["treadle"] for record in records} == {"invocation"}


def test_a_run_that_was_killed_is_told_though_it_could_not_say_so(dev: Dev) -> None:
    talk(dev, "death")

    told = "its process ended before it answered"
    wait_until("the end of it", lambda: any(told in line for line in logs(dev, "Listen")))


def test_only_what_is_recent_is_shown_wherever_the_emulators_clock_was_turned(dev: Dev) -> None:
    before = datetime.now(UTC)
    dev.advance(7200)
    talk(dev, "later")

    wait_until("it was heard", lambda: any("later" in line for line in logs(dev, "--since", "10m")))
    assert any("ada" in line for line in logs(dev, "--since", "1h"))
    assert not any("ada" in line for line in logs(dev, "--since", before.isoformat()))
    first, *_ = [line for line in json_logs(dev, "Talk") if line.get("fields") == {"to": "later", "n": {"deep": [1]}}]
    assert before <= datetime.fromisoformat(first["time"].replace("Z", "999+00:00")) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("Nobody",), 1, "error[no-such-step]: there is no step `Nobody`\nhint: the steps are: "),
        (("--since", "yesterday"), 2, "`yesterday` is neither a length"),
        (("--stage", "prod"), 1, "error[stage-not-deployed]: stage `prod` cannot be looked at"),
    ],
)
def test_wrong_usage_is_told(dev: Dev, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = treadle("logs", *arguments, "-C", dev.project)

    assert (done.code, done.out) == (code, "")
    assert told in re.sub(r"\s+│\n│ ", " ", done.err)


def test_following_shows_everything_once_and_ends_with_ctrl_c(dev: Dev) -> None:
    names = [f"person-{number}" for number in range(20)]
    command: list[str | Path] = [TREADLE, "logs", "--follow", "--json", "--since", "10m", "-C", dev.project]
    dev.advance(60)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen: list[str] = []
        for name in names:
            talk(dev, name)
            while name not in seen:
                line = json.loads(process.stdout.readline())
                if line.get("message") == "talking" and line["fields"]["to"].startswith("person-"):
                    seen.append(line["fields"]["to"])
        process.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in process.stdout]
        told = process.stderr.read()

    assert (process.returncode, told) == (0, "")
    assert seen == names
    assert not any(line.get("message") == "talking" for line in rest)


def test_following_ends_with_the_emulator(tmp_path: Path) -> None:
    project = write(tmp_path / "app", "steps/a_step.py", api_step("A", '    return {"body": {}}'))
    with Dev(project, "--no-watch") as dev:
        command: list[str | Path] = [TREADLE, "logs", "-f", "--records", "--json", "-C", project]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        dev.http("POST", "/a", {})
        assert "record" in process.stdout.readline()

    _, told = process.communicate(timeout=30)

    assert process.returncode == 1
    assert told.startswith("error[not-running]: the emulator at http://127.0.0.1:")


def test_without_an_emulator_one_is_told_how_to_start_it(tmp_path: Path) -> None:
    done = treadle("logs", "-C", tmp_path)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error[not-running]: no emulator runs for ")
