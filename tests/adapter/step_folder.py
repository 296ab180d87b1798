"""A step laid out as in its zip, and run by a fresh interpreter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADAPTER = Path(__file__).parents[2] / "adapter" / "treadle"
EVENTS = Path(__file__).parents[1] / "events"
QUEUE_ARN = "arn:aws:sqs:us-east-2:123456789012:shop--dev--Step"
ROUTE = "POST /things"

API = {"kind": "api", "routeKey": ROUTE}
EVENT = {"kind": "event", "topic": "thing.made"}
SCHEDULE = "shop--dev--Step"
CRON = {"kind": "cron", "number": 0, "expression": "0 9 * * *", "timezone": None, "guard": None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Lambda would give back for one event; `error` is the raised error's type."""

    result: Any
    error: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """All that a process did with its events."""

    answers: tuple[Answer, ...]
    log: tuple[dict[str, Any], ...]
    text: str
    modules: frozenset[str]

    @property
    def answer(self) -> Answer:
        (answer,) = self.answers
        return answer

    @property
    def records(self) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("treadle") == "invocation"]

    def lines(self, level: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("level") == level]


class StepFolder:
    """A step's folder, with the adapter beside the project's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copytree(ADAPTER, path / "treadle", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("steps/thing_step.py", "async def handler(input, context):\n    return {'status': 200}\n")
        self.manifest()

    def write(self, name: str, source: str) -> StepFolder:
        file = self.path / "app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        return self

    def step(self, source: str) -> StepFolder:
        return self.write("steps/thing_step.py", source)

    def manifest(self, **changes: Any) -> StepFolder:
        manifest = {
            "manifest": 1,
            "step": "Step",
            "source": "steps/thing_step.py",
            "flows": ["things"],
            "triggers": [API],
            "queue": {"maxRetries": 3},
            "emits": None,
            "streams": None,
        }
        (self.path / "treadle" / "manifest.json").write_text(json.dumps(manifest | changes))
        return self

    def run(
        self,
        *events: Mapping[str, Any],
        entry: str = "api",
        environment: Mapping[str, str] | None = None,
        remaining_ms: Sequence[int] = (10_000,),
        python: str = sys.executable,
    ) -> Run:
        """What a new process of this step answers to the events, one after the other."""
        lines = "".join(json.dumps({"event": event, "remaining_ms": remaining_ms}) + "\n" for event in events)
        done = subprocess.run(
            [
                python,
                "-I",
                "-W",
                "error",
                "-W",
                "ignore::ResourceWarning",
                str(Path(__file__).with_name("run_events.py")),
                str(self.path),
                entry,
            ],
            input=lines,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "TREADLE_APP": "shop",
                "TREADLE_STAGE": "dev",
                "AWS_REGION": "us-east-2",
                "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_SESSION_TOKEN": "token",
                "AWS_LAMBDA_FUNCTION_VERSION": "7",
                **(environment or {}),
            },
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", done.stderr
        answers = [json.loads(line) for line in (self.path / "answers").read_text().splitlines()]
        return Run(
            tuple(Answer(answer.get("result"), answer.get("error"), answer.get("message", "")) for answer in answers),
            tuple(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")),
            done.stdout,
            frozenset((self.path / "modules").read_text().split("\n")),
        )


def event_file(name: str) -> dict[str, Any]:
    """One of AWS's documented payloads."""
    payload: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return payload


def request(
    body: str | None = None,
    *,
    content_type: str | None = "application/json",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    base64: bool = False,
    **changes: Any,
) -> dict[str, Any]:
    """A payload 2.0 event of the step's route."""
    event = event_file("http_api_request.json")
    event.update(routeKey=ROUTE, rawPath="/things", rawQueryString=query, isBase64Encoded=base64)
    event["headers"] = {**({"content-type": content_type} if content_type else {}), **(headers or {})}
    for absent in ("body", "cookies", "pathParameters", "queryStringParameters"):
        del event[absent]
    if body is not None:
        event["body"] = body
    return event | changes


def message(
    body: str = "{}", *, message_id: str = "m1", attempt: int = 1, metadata: Mapping[str, Any] | str | None = None
) -> dict[str, Any]:
    """One record of a batch from the step's queue."""
    record: dict[str, Any] = event_file("sqs_batch.json")["Records"][0]
    record.update(messageId=message_id, receiptHandle=f"receipt-{message_id}", body=body, eventSourceARN=QUEUE_ARN)
    record["attributes"]["ApproximateReceiveCount"] = str(attempt)
    record["messageAttributes"] = {}
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        record["messageAttributes"]["treadle"] = {"stringValue": text, "dataType": "String"}
    return record


def batch(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def firing(time: str = "2026-07-14T09:00:00Z", **changes: Any) -> dict[str, Any]:
    """The plain event of the step's rule."""
    event = event_file("scheduled_event.json")
    return event | {"time": time, "resources": [f"arn:aws:events:us-east-2:123456789012:rule/{SCHEDULE}"]} | changes


def scheduled(time: str = "2026-07-14T09:00:00Z", event_id: str = "d32c5kddcf5bb8c3", **more: Any) -> dict[str, Any]:
    """The input that an EventBridge Scheduler schedule gives."""
    return {"treadle.cron": {"schedule": SCHEDULE, "time": time, "id": event_id, **more}}
