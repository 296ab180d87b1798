"""`treadle invoke` and `treadle emit`, with an emulator and without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import treadle
from support.dev import Dev, wait_until
from support.projects import api_step, event_step, messaging, write


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The messaging example and a step that fails, in the emulator."""
    project = messaging(tmp_path_factory.mktemp("cli"))
    write(project, "steps/fail_step.py", event_step("Fail", "fail.now", '    raise ValueError("no " + data["what"])'))
    write(project, "steps/echo_step.py", api_step("Echo", '    return {"body": req["body"]}'))
    with Dev(project, "--no-watch") as running:
        yield running


@pytest.mark.parametrize("arguments", [("invoke", "SendMessage"), ("emit", "message.sent")])
def test_without_an_emulator_one_is_told_how_to_start_it(project: Path, arguments: tuple[str, str]) -> None:
    done = treadle(*arguments, "-C", project)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error[not-running]: no emulator runs for {project}\nhint: start it with: treadle dev {project}\n"
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('{"a" 1}', "line 1 column 6"),
        ('{\n  "a": tru\n}', "line 2 column 8"),
        ("", "line 1 column 1"),
        ("[NaN]", "NaN is no JSON value"),
        (r'"\ud800"', "surrogates not allowed"),
        ("[" * 100_000, "is not JSON"),
        ("@missing.json", "cannot read missing.json: No such file or directory"),
        ("@", "cannot read"),
    ],
)
def test_data_that_is_no_json_is_wrong_usage(tmp_path: Path, data: str, told: str) -> None:
    done = treadle("invoke", "SendMessage", "--data", data, folder=tmp_path)

    assert (done.code, done.out) == (2, "")
    assert "Invalid value for --data" in done.err
    assert told in done.err


def test_broken_json_in_a_file_or_on_standard_input_is_named_as_such(tmp_path: Path) -> None:
    write(tmp_path, "data.json", "{")
    (tmp_path / "latin.json").write_bytes('"ü"'.encode("latin-1"))

    from_file = treadle("emit", "message.sent", "-d", "@data.json", folder=tmp_path)
    from_input = treadle("emit", "message.sent", "-d", "-", folder=tmp_path, stdin="[1,")
    not_utf_8 = treadle("emit", "message.sent", "-d", "@latin.json", folder=tmp_path)

    assert (from_file.code, from_input.code, not_utf_8.code) == (2, 2, 2)
    assert "data.json is not JSON" in from_file.err
    assert "standard input is not JSON" in from_input.err
    assert "latin.json is not UTF-8" in not_utf_8.err


def test_invoke_prints_the_result_and_talks_beside_it(dev: Dev) -> None:
    done = treadle("invoke", "Echo", "--data", '{"text": "grüße", "n": [1, null]}', folder=dev.project)

    assert (done.code, done.json()) == (0, {"body": {"text": "grüße", "n": [1, None]}})
    assert re.fullmatch(r"trace \S+\n", done.err)


def test_data_comes_from_a_file_or_from_standard_input_too(dev: Dev, tmp_path: Path) -> None:
    write(tmp_path, "data.json", '{"from": "a file"}')

    from_file = treadle("invoke", "Echo", "-d", f"@{tmp_path / 'data.json'}", "-C", dev.project)
    from_input = treadle("invoke", "Echo", "-d", "-", "-C", dev.project, stdin='{"from": "input, größer"}')

    assert from_file.json() == {"body": {"from": "a file"}}
    assert from_input.json() == {"body": {"from": "input, größer"}}


def test_invoke_as_json_has_the_result_and_the_trace(dev: Dev) -> None:
    done = treadle("invoke", "Echo", "-C", dev.project, "--json")

    answer = done.json()
    assert (done.code, done.err, answer["result"]) == (0, "", {"body": {}})
    wait_until("its record", lambda: [r for r in dev.all("handled") if r["record"]["traceId"] == answer["traceId"]])


def test_a_failing_handler_is_told_by_the_steps_own_lines(dev: Dev) -> None:
    done = treadle("invoke", "Fail", "-C", dev.project, "--data", '{"what": "way"}')

    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert lines[0] == "ValueError: no way"
    assert lines[1].startswith('  File "steps/fail_step.py", line 5')
    assert "raise ValueError" in lines[2]
    assert "dispatch" not in done.err


def test_a_failing_handler_as_json_is_awss_error_document(dev: Dev) -> None:
    done = treadle("invoke", "Fail", "-C", dev.project, "--json", "-d", '{"what": "way"}')

    error = done.json()["error"]
    assert (done.code, done.err) == (1, "")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no way")


def test_emit_prints_the_trace_that_the_step_runs_under(dev: Dev) -> None:
    done = treadle("emit", "message.sent", "-C", dev.project, "-d", '{"text": "hi", "userId": "from-emit"}')

    trace = done.out.strip()
    assert (done.code, done.err) == (0, "")
    found = wait_until("the run", lambda: [r for r in dev.all("handled") if r["record"]["traceId"] == trace])
    assert (found[0]["step"], found[0]["record"]["result"]) == ("ProcessMessage", "ok")


def test_emit_as_json_has_topic_and_trace(dev: Dev) -> None:
    done = treadle("emit", "message.processed", "-C", dev.project, "--json")

    assert (done.code, set(done.json())) == (0, {"topic", "traceId"})


@pytest.mark.parametrize(
    ("arguments", "code", "one_of_them"),
    [(("invoke", "Sendmessage"), "no-such-step", "SendMessage"), (("emit", "sent"), "no-such-topic", "message.sent")],
)
def test_an_unknown_step_or_topic_is_told_with_those_there_are(
    dev: Dev, arguments: tuple[str, str], code: str, one_of_them: str
) -> None:
    done = treadle(*arguments, "-C", dev.project)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error[{code}]: ")
    assert one_of_them in done.err.split("hint: ")[1]
