"""The lines that `treadle dev` prints for what happens, made from what the emulator's parts report."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from treadle_cli.reporting import JsonReporter, TextReporter
from treadle_local.cloudformation.events import StackEvent
from treadle_local.dev.happenings import Mended, Ready, Reloaded
from treadle_local.dev.translate import Translator
from treadle_local.functions.logs import LogLine
from treadle_local.functions.pollers import Batch
from treadle_local.gateway import happenings as sockets
from treadle_local.schedules import happenings as schedules

Show = Callable[..., Sequence[str]]
NINE = datetime(2026, 7, 14, 9, tzinfo=UTC)
ALIAS = "arn:aws:lambda:us-east-1:000000000000:function:shop--dev--{}:live"
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/shop--dev--orders--stream/stream/2026-07-14T00:00:00.000"


@pytest.fixture
def translator() -> Translator:
    made = Translator(TextReporter(colour=False).tell)
    made.steps = {
        "shop--dev--Nightly": "Nightly",
        "shop--dev--_treadle-broadcast": "_treadle-broadcast",
        "shop--dev--_treadle-websocket": "_treadle-websocket",
    }
    return made


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was printed, without the times."""
    return lambda: [re.sub(r"^\d\d:\d\d:\d\d  \S* *", "", line) for line in capsys.readouterr().out.splitlines()]


def log(translator: Translator, function: str, value: object) -> None:
    translator.watcher().log(LogLine(f"shop--dev--{function}", "r", json.dumps(value), 0))


def broadcast_record(**more: object) -> dict[str, Any]:
    trigger = {"kind": "stream", "stream": "orders", "group": "default", "id": "7", "event": "update"}
    return {"treadle": "invocation", "traceId": "ABCDE-1234567", "trigger": trigger, "result": "ok", **more}


def test_a_firing_is_told_by_its_step(translator: Translator, lines: Callable[[], list[str]]) -> None:
    schedule = translator.watcher().schedule
    schedule(schedules.Firing("shop--dev--Nightly", "arn:rule", ALIAS.format("Nightly"), NINE))
    schedule(schedules.Undelivered("shop--dev--Nightly", "arn:rule", ALIAS.format("Nightly"), "no permission"))
    schedule(schedules.Missed("shop--dev--Nightly", "arn:rule", 2, NINE, NINE))

    assert lines() == [
        "cron  fired",
        "trouble a firing of shop--dev--Nightly was given up: no permission",
        "trouble shop--dev--Nightly missed 2 firings from 14 Jul 09:00 to 14 Jul 09:00 UTC",
    ]


def test_connections_are_told_in_a_line_each(translator: Translator, lines: Callable[[], list[str]]) -> None:
    socket = translator.watcher().socket
    socket(sockets.Connected("c1=", "/feed", None, 3.0))
    socket(sockets.Received("c1=", "join", 90, ALIAS.format("_treadle-websocket"), 2.0, None))
    socket(sockets.Received("c1=", "join", 90, ALIAS.format("_treadle-websocket"), 2.0, "AccessDenied"))
    socket(sockets.Refused("/feed", 401, "Authentication failed", None, 3.0))
    socket(sockets.Disconnected("c1=", 1001, "Going away", 61.2))

    assert lines() == [
        "websocket connected /feed  c1=",
        "trouble a WebSocket message for join came to nothing: AccessDenied",
        "websocket refused 401 /feed  Authentication failed",
        "websocket disconnected (1001 Going away) after 61 s  c1=",
    ]


def test_a_change_of_a_stream_is_told_only_where_somebody_got_it(
    translator: Translator, lines: Callable[[], list[str]]
) -> None:
    log(translator, "_treadle-broadcast", broadcast_record(delivered=0))
    log(translator, "_treadle-broadcast", broadcast_record(delivered=1))
    log(translator, "_treadle-broadcast", broadcast_record(delivered=12))

    assert lines() == [
        "stream orders  update default/7 → 1 connection  ABCDE-1234567",
        "stream orders  update default/7 → 12 connections  ABCDE-1234567",
    ]


def test_treadles_own_functions_are_heard_when_something_is_wrong(
    translator: Translator, lines: Callable[[], list[str]]
) -> None:
    log(translator, "_treadle-websocket", {"level": "info", "msg": "joined"})
    log(translator, "_treadle-websocket", {"level": "warn", "msg": "join refused", "streamName": "orders"})
    log(translator, "_treadle-websocket", {"treadle": "invocation", "result": "ok", "trigger": {"kind": "websocket"}})
    failed = {"treadle": "invocation", "result": "error", "trigger": {"kind": "websocket", "routeKey": "join"}}
    log(translator, "_treadle-websocket", {**failed, "durationMs": 4})

    assert lines() == ["WARN join refused  streamName=orders", "websocket join  error  4 ms"]


def test_a_batch_that_fails_says_where_its_records_go(translator: Translator, lines: Callable[[], list[str]]) -> None:
    watcher = translator.watcher()
    watcher.batch(Batch("shop--dev--_treadle-broadcast", STREAM, 3, 3, "r", "it raised"))
    watcher.batch(Batch("shop--dev--_treadle-broadcast", STREAM, 3, 0, "r", None))
    watcher.dropped("shop--dev--_treadle-broadcast", "3 changes were given up: too old")

    assert lines() == [
        "trouble 3 message(s) go back to the stream: it raised",
        "trouble 3 changes were given up: too old",
    ]


def test_programs_get_the_same_as_objects(capsys: pytest.CaptureFixture[str]) -> None:
    translator = Translator(JsonReporter().tell)
    translator.steps = {"shop--dev--Nightly": "Nightly", "shop--dev--_treadle-broadcast": "_treadle-broadcast"}
    watcher = translator.watcher()
    watcher.schedule(schedules.Firing("shop--dev--Nightly", "arn:rule", ALIAS.format("Nightly"), NINE))
    watcher.socket(sockets.Connected("c1=", "/feed", None, 3.0))
    log(translator, "_treadle-broadcast", broadcast_record(delivered=2))

    fired, connected, announced = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert fired == {
        "event": "fired",
        "step": "Nightly",
        "schedule": "shop--dev--Nightly",
        "time": "2026-07-14T09:00:00+00:00",
    }
    assert connected == {"event": "connected", "connection_id": "c1=", "path": "/feed"}
    assert (announced["event"], announced["change"], announced["delivered"]) == ("announced", "update", 2)


def test_what_a_step_says_cannot_steer_the_terminal_or_look_like_a_line_of_its_own(
    translator: Translator, lines: Callable[[], list[str]]
) -> None:
    translator.watcher().log(LogLine("shop--dev--Nightly", "r", "\x1b[31mred\x1b[0m\ttab \x9b2J \u202e", 0))
    fields = {"who\n": "a\n12:00:00  Fake  INFO hi", "deep": ["\x07\u2066"]}
    log(translator, "Nightly", {"level": "info", "msg": "one\n12:00:00  Fake  INFO two\r", **fields})
    failed = {
        "level": "error",
        "msg": "failed",
        "errorType": "E",
        "errorMessage": "no",
        "stack": "E: no\nmore \x1b[2J\n",
    }
    log(translator, "Nightly", failed)
    translator.watcher().dropped("shop--dev--Nightly", "given up\nas if")

    margin = " " * len("12:00:00  Nightly  ")
    assert lines() == [
        r"│ \x1b[31mred\x1b[0m" + "\t" + r"tab \x9b2J \u202e",
        r'INFO one  who\n=a\n12:00:00  Fake  INFO hi  deep=["\u0007\u2066"]',
        margin + "│ 12:00:00  Fake  INFO two",
        "ERROR failed",
        margin + "│ E: no",
        margin + r"│ more \x1b[2J",
        "trouble given up",
        margin + "│ as if",
    ]


def test_a_stack_that_is_printed_has_the_projects_own_paths_and_a_line_for_each_of_its_lines(
    translator: Translator, lines: Callable[[], list[str]]
) -> None:
    # as the runtime client of a function that logs plain text has it
    folder = "/home/me/shop/.treadle/cache/code/OSp41i204upA2Km"
    frame = f'\xa0\xa0File "{folder}/app/steps/a_step.py", line 3'
    stack = f"[ERROR] ValueError: no\rTraceback (most recent call last):\r{frame}"
    translator.watcher().log(LogLine("shop--dev--Nightly", "r", stack, 0))

    margin = " " * len("12:00:00  Nightly  ")
    assert lines() == [
        "│ [ERROR] ValueError: no",
        margin + "│ Traceback (most recent call last):",
        margin + '│ \xa0\xa0File "steps/a_step.py", line 3',
    ]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ({"status": "timeout"}, "killed: it took longer than its timeout (1000 ms)"),
        (
            {"status": "error", "errorType": "Runtime.OutOfMemory"},
            "killed: it took more memory than its 128 MB (1000 ms)",
        ),
        ({"status": "error", "errorType": "Runtime.ExitError"}, "its process ended before it answered (1000 ms)"),
        ({"status": "error", "errorType": "Runtime.New"}, "ended by Lambda without a record (Runtime.New, 1000 ms)"),
        ({"status": "error"}, None),  # the handler's own, which has been told
        ({"status": "success"}, None),
    ],
)
def test_an_end_that_the_step_could_not_tell_is_told(
    translator: Translator, lines: Callable[[], list[str]], ending: dict[str, str], told: str | None
) -> None:
    record = {"requestId": "r", "metrics": {"durationMs": 1000, "memorySizeMB": 128}, **ending}
    log(translator, "Nightly", {"time": "2026-07-14T09:00:00.000Z", "type": "platform.report", "record": record})

    assert lines() == ([] if told is None else [f"ERROR {told}"])


def test_what_lambda_says_in_plain_text_is_not_shown(translator: Translator, lines: Callable[[], list[str]]) -> None:
    report = "REPORT RequestId: r\tDuration: 1.20 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
    for text in ("INIT_START Runtime Version: python:3.13.v1", "START RequestId: r", "END RequestId: r", report, "own"):
        translator.watcher().log(LogLine("shop--dev--Nightly", "r", text, 0))
    assert lines() == ["│ own"]


def test_programs_get_what_a_step_says_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    translator = Translator(JsonReporter().tell)
    for text in ("\x1b[31mred\u202e", "half \ud83d of a pair"):
        translator.watcher().log(LogLine("f", "r", text, 0))

    told = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["\x1b[31mred\u202e", "half \ud83d of a pair"]


def test_a_resource_that_fails_is_told_without_the_details_of_the_call_and_with_a_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = "Invalid Schedule Expression. (Service: scheduler; Status Code: 400; Error Code: ValidationException)"
    failed = StackEvent("id", "shop--dev", "Nightly", "", "AWS::Scheduler::Schedule", "CREATE_FAILED", 0, reason)
    for reporter in (TextReporter(colour=False), JsonReporter()):
        translator = Translator(reporter.tell)
        translator.stacks = ("shop--dev",)
        translator.origins = {"Nightly": {"Step": "Nightly", "Source": "steps/nightly_step.py:3"}}
        translator.watcher().stack_event(failed)
        translator.watcher().stack_event(replace(failed, stack_name="shop--prod"))  # somebody else's: not told

    text, told = capsys.readouterr().out.rsplit("\n\n", 1)
    assert text.strip().splitlines() == [
        "error[deploy-failed]: AWS::Scheduler::Schedule: Invalid Schedule Expression.",
        "  --> steps/nightly_step.py:3 (step Nightly)",
        "hint: look at the step's `cron` and `timezone`: AWS takes fewer expressions than cron does",
    ]
    assert json.loads(told)["reason"] == reason


def test_a_reload_names_what_changed(lines: Callable[[], list[str]]) -> None:
    tell = TextReporter(colour=False).tell
    tell(Reloaded(("Nightly",), (), 0.05, ("stream `secret`",)))
    tell(Reloaded((), ("stream `old`",), 0.05, ("authentication",)))
    tell(Reloaded((), (), 0.05))
    tell(Mended(1, 0))
    tell(Mended(2, 1))

    assert lines() == [
        "reloaded Nightly, stream `secret`  50 ms",
        "reloaded authentication; removed stream `old`  50 ms",
        "reloaded settings  50 ms",
        "mended 1 error",
        "mended 2 errors, 1 left",
    ]


def test_the_way_to_turn_the_clock_can_be_copied_whole(capsys: pytest.CaptureFixture[str]) -> None:
    ready = Ready("http://127.0.0.1:1", "ws://127.0.0.1:1", "http://127.0.0.1:2", "manual", 1.0, (), ())
    TextReporter(colour=False).tell(ready)

    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  Clock")]
    command = shlex.split(line.removeprefix("  Clock   manual: "))
    assert command[:4] == ["curl", "-X", "POST", "http://127.0.0.1:2/__treadle/clock"]
    assert command[4:] == ["-H", "content-type: application/json", "-d", '{"advance_seconds": 60}']
