"""The Python of Motia's home page, text for text: what is Python runs; of what is not, we tell how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.sync.client import connect

from support.command import treadle
from support.dev import Dev, wait_until
from support.discovered import write
from treadle_infra.discovery.discover import discover

API = """\
config = {
    "name": "SendMessage",
    "type": "api",
    "path": "/messages",
    "method": "POST",
    "emits": ["message.sent"],
    "flows": ["messaging"]
}

async def handler(req, context):
    text = req.get("body", {}).get("text")
    user_id = req.get("body", {}).get("userId")
    message = {"text": text, "userId": user_id, "status": "sent"}
    await context.state.set("messages", user_id, message)
    await context.streams.messages.set(user_id, message)
    context.logger.info("Message sent", {"userId": user_id})
    await context.emit({"topic": "message.sent", "data": message})
    return {"status": 201, "body": message}
"""

EVENT = """\
config = {
    "name": "ProcessMessage",
    "type": "event",
    "subscribes": ["message.sent"],
    "emits": ["message.processed"],
    "flows": ["messaging"]
}

async def handler(input_data, context):
    text = input_data.get("text")
    user_id = input_data.get("userId")
    status = input_data.get("status")
    processed_message = {"text": text, "userId": user_id, "status": "processed"}
    await context.state.set("processed", user_id, processed_message)
    await context.streams.processed.set(user_id, processed_message)
    context.logger.info("Message processed", {"userId": user_id})
    await context.emit({ "topic": "message.processed",  "data": processed_message })
"""

CRON = """\
config = {
    "name": "DailySummary",
    "type": "cron",
    "cron": "0 9 * * *",
    "emits": ["summary.generated"],
    "flows": ["messaging"]
}

async def handler(context):
    messages = await context.state.get_group("messages")
    summary = {"total": len(messages), "status": "completed"}
    await context.state.set("summaries", "daily", summary)
    await context.streams.summary.set("latest", summary)
    context.logger.info("Daily summary generated", {"total": summary["total"]})
    await context.emit({ "topic": "summary.generated", "data": summary })
"""

API_WITH_BARE_KEYS = """\
config = {
    name: 'SendMessage',
    type: 'api',
    path: '/messages',
    "method": "POST",
    "emits": ["message.sent"],
    "flows": ["messaging"]
}

async def handler(req, context):
    text = req.get("body", {}).get("text")
    user_id = req.get("body", {}).get("userId")
    message = {"text": text, "userId": user_id, "status": "sent"}
    await context.state.set("messages", user_id, message)
    await context.streams.messages.set(user_id, message)
    context.logger.info("Message sent", {"userId": user_id})
    await context.emit({"topic": "message.sent", "data": message})
    return {"status": 201, "body": message}
"""

EVENT_WITH_A_BARE_TYPE = """\
config = {
    "name": "ProcessMessage",
    type: 'event',
    "subscribes": ["message.sent"],
    "emits": ["message.processed"],
    "flows": ["messaging"]
}

async def handler(input_data, context):
    text = input_data.get("text")
    user_id = input_data.get("userId")
    status = input_data.get("status")
    processed_message = {"text": text, "userId": user_id, "status": "processed"}
    await context.state.set("processed", user_id, processed_message)
    await context.streams.processed.set(user_id, processed_message)
    context.logger.info("Message processed", {"userId": user_id})
    await context.emit({ "topic": "message.processed", "data": processed_message })
"""

CRON_WITH_A_BARE_TYPE = """\
config = {
    "name": "DailySummary",
    type: 'cron',
    "cron": "0 9 * * *",
    "emits": ["summary.generated"],
    "flows": ["messaging"]
}

async def handler(context):
    messages = await context.state.get_group("messages")
    summary = {"total": len(messages), "status": "completed"}
    await context.state.set("summaries", "daily", summary)
    await context.streams.summary.set("latest", summary)
    context.logger.info("Daily summary generated", {"total": summary["total"]})
    await context.emit({  "topic": "summary.generated", "data": summary })
"""

EVENT_WITHOUT_A_BRACE = """\
config = {
    "name": "ProcessMessage",
    "type": "event",
    "subscribes": ["message.sent"],
    "emits": ["message.processed"],
    "flows": ["messaging"]
}

async def handler(input_data, context):
    text = input_data.get("text")
    user_id = input_data.get("userId")
    status = input_data.get("status")
    processed_message = {"text": text, "userId": user_id, "status": "processed"
    await context.state.set("processed", user_id, processed_message)
    await context.streams.processed.set(user_id, processed_message)
    context.logger.info("Message processed", {"userId": user_id})
    await context.emit({ "topic": "message.processed", "data": processed_message })
"""


def test_the_pages_steps_run_as_they_are(tmp_path: Path) -> None:
    project = tmp_path / "messaging"
    write(
        project, {"steps/api_step.py": API, "steps/event_step.py": EVENT_WITH_A_BARE_TYPE, "steps/cron_step.py": CRON}
    )

    with Dev(project, "--no-watch") as dev, connect(dev.http_url.replace("http", "ws")) as client:
        for stream in ("processed", "summary"):
            join = {"streamName": stream, "groupId": "default", "subscriptionId": stream}
            client.send(json.dumps({"type": "join", "data": join}))
            client.recv(timeout=30)

        answer = dev.http("POST", "/messages", {"text": "hi", "userId": "u1"})
        told = json.loads(client.recv(timeout=30))
        assert treadle("cron", "run", "DailySummary", "-C", project).code == 0
        summary = wait_until("the summary", lambda: _next_of(client.recv(timeout=30), "summary"))

    assert (answer.status, answer.json()) == (201, {"text": "hi", "userId": "u1", "status": "sent"})
    assert (told["streamName"], told["event"]["data"]["status"]) == ("processed", "processed")
    assert (summary["total"], summary["status"]) == (1, "completed")


def _next_of(message: str | bytes, stream: str) -> dict[str, object] | None:
    told = json.loads(message)
    data: dict[str, object] = told["event"]["data"]
    return data if told["streamName"] == stream else None


@pytest.mark.parametrize("source", [EVENT, EVENT_WITH_A_BARE_TYPE, CRON, CRON_WITH_A_BARE_TYPE, API])
def test_the_key_type_may_be_without_its_quotes(tmp_path: Path, source: str) -> None:
    write(tmp_path / "app", {"steps/a_step.py": source})

    discovery = discover(tmp_path / "app")

    assert len(discovery.app.steps) == 1
    assert not [finding for finding in discovery.findings if finding.severity == "error"]


@pytest.mark.parametrize(
    ("source", "code", "hint"),
    [
        (API_WITH_BARE_KEYS, "import-failed", 'keys of a dict are texts: write `"name":`'),
        (EVENT_WITHOUT_A_BRACE, "import-failed", None),
    ],
    ids=["bare-keys", "no-brace"],
)
def test_what_is_no_python_is_told_where_and_how_to_mend_it(
    tmp_path: Path, source: str, code: str, hint: str | None
) -> None:
    write(tmp_path / "app", {"steps/a_step.py": source})

    (finding,) = discover(tmp_path / "app").findings

    assert (finding.code, finding.hint) == (code, hint)
    assert str(finding.where).startswith("steps/a_step.py:")
