"""The emulator that `treadle dev` runs for a project, for commands that talk to it through AWS's own API."""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from treadle.message import Origin
from treadle.names import Names
from treadle.trace import new_trace_id
from treadle_infra.app.findings import TreadleError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a direct run of a step gave: a result, or AWS's error document."""

    result: Any
    trace_id: str | None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A running emulator and the manifest of what it runs."""

    aws_url: str
    manifest: Mapping[str, Any]

    def invoke(self, step: str, data: object) -> Outcome:
        """Runs a step once through Lambda's Invoke. Raises TreadleError `no-such-step`."""
        names = [str(entry["step"]) for entry in self.manifest["steps"]]
        if step not in names:
            raise TreadleError("no-such-step", f"there is no step `{step}`", hint=f"the steps are: {', '.join(names)}")
        answer = self._call(
            "lambda",
            "invoke",
            FunctionName=self._names().function(step),
            Qualifier="live",
            Payload=json.dumps({"treadle.invoke": {"data": data}}).encode(),
        )
        document = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            return Outcome(None, None, document)
        return Outcome(document.get("result"), document.get("traceId"))

    def emit(self, topic: str, data: object) -> str:
        """Publishes a message as the adapter would; returns its trace id. Raises TreadleError `no-such-topic`."""
        topics = [str(entry["topic"]) for entry in self.manifest["topics"]]
        if topic not in topics:
            hint = f"the topics are: {', '.join(topics)}" if topics else "no step emits or subscribes to anything"
            raise TreadleError("no-such-topic", f"there is no topic `{topic}`", hint=hint)
        origin = Origin(new_trace_id())
        attribute = origin.attribute(emit_id=secrets.token_hex(16), step="treadle emit", topic=topic, flows=())
        self._call(
            "sns",
            "publish",
            TopicArn=f"arn:aws:sns:us-east-1:000000000000:{self._names().topic(topic)}",
            Message=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
            MessageAttributes={"treadle": {"DataType": "String", "StringValue": attribute}},
        )
        return origin.trace_id

    def _call(self, service: str, method: str, **params: object) -> Any:
        """One call of AWS's API. Raises TreadleError `call-refused` in AWS's words."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(service), method)(**params)
        except (BotoCoreError, ClientError) as problem:
            raise TreadleError("call-refused", f"the emulator refused {service} {method}: {problem}") from None

    def _names(self) -> Names:
        return Names(str(self.manifest["app"]), str(self.manifest["stage"]))

    def _client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        session: Any = boto3.session.Session(region_name="us-east-1")
        config = Config(retries={"total_max_attempts": 1}, read_timeout=910)
        return session.client(
            service,
            endpoint_url=self.aws_url,
            config=config,
            aws_access_key_id="treadle",  # any key that the emulator did not issue is root's
            aws_secret_access_key="treadle",  # noqa: S106
        )


def read_details(project: Path) -> Mapping[str, Any] | None:
    """What `dev.json` says of a project's emulator: {"pid", "http", "ws", "aws", "clock"}; None where none answers.

    It must answer: after a kill -9 the file is still there, and the process id may be somebody else's by now.
    """
    try:
        details = cast("Mapping[str, Any]", json.loads((project / ".treadle" / "dev.json").read_text()))
        with urllib.request.urlopen(f"{details['http']}/__treadle/health", timeout=2) as answer:  # noqa: S310 - ours
            return details if answer.status == 200 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_running(project: Path) -> Running:
    """The emulator that runs for a project. Raises TreadleError `not-running`."""
    details = read_details(project)
    if details is None:
        raise TreadleError(
            "not-running", f"no emulator runs for {project}", hint=f"start it with: treadle dev {project}"
        )
    manifest = json.loads((project / ".treadle" / "assembly" / "dev" / "manifest.json").read_text())
    return Running(str(details["aws"]), manifest)
