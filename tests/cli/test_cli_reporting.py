"""The lines that `treadle dev` prints for what happens, made from what the emulator's parts report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from treadle_cli.reporting import JsonReporter, TextReporter
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
    watcher.dropped("shop--dev--_treadle-broadcast", "3 record(s) were dropped: too old")

    assert lines() == [
        "trouble 3 message(s) go back to the stream: it raised",
        "trouble given up: 3 record(s) were dropped: too old",
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
