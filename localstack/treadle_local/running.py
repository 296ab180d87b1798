"""The emulator that `treadle dev` runs for a project, for commands that talk to it through AWS's own API."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from treadle.message import Origin
from treadle.names import FIFO_SUFFIX, Names
from treadle.trace import new_trace, trace_of_event
from treadle_infra.app.findings import TreadleError
from treadle_local.observe.app import App
from treadle_local.observe.reading import Logs
from treadle_local.observe.schedules import PlannedSchedule, planned_schedules


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a direct run of a step gave: a result, or AWS's error document."""

    result: Any
    trace_id: str
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A running emulator and the manifest of what it runs."""

    project: Path
    aws_url: str
    has_manual_clock: bool
    manifest: Mapping[str, Any]
    _clients: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def app(self) -> App:
        """What its logs show."""
        return App(self.manifest, Logs(self._call_logs, _is_missing))

    def reread(self) -> Running:
        """The same emulator with what it runs now."""
        return replace(self, manifest=_manifest(self.project))

    def now(self) -> float:
        """The time of its clock in seconds since the epoch."""
        if not self.has_manual_clock:
            return time.time()
        with urllib.request.urlopen(f"{self.aws_url}/__treadle/clock", timeout=10) as answer:  # noqa: S310 - ours
            return float(json.load(answer)["now"])

    def invoke(self, step: str, data: object) -> Outcome:
        """Runs a step once through Lambda's Invoke. Raises TreadleError `no-such-step`."""
        self._check_step(step)
        trace_id = new_trace().trace_id
        return self._invoke(step, {"treadle.invoke": {"data": data, "traceId": trace_id}}, trace_id)

    def schedules(self) -> list[PlannedSchedule]:
        """The schedules of all cron steps, those of one step numbered from 1."""
        return planned_schedules(self.manifest)

    def schedule(self, step: str, number: int) -> PlannedSchedule:
        """One schedule of a step. Raises TreadleError `no-such-step`, `no-such-schedule`."""
        scheduled = list(dict.fromkeys(schedule.step for schedule in self.schedules()))
        self._check_step(step, scheduled, "cron steps")
        own = [schedule for schedule in self.schedules() if schedule.step == step]
        if not own:
            hint = f"the cron steps are: {', '.join(scheduled)}" if scheduled else "the project has no cron step"
            raise TreadleError("no-such-schedule", f"step `{step}` has no cron trigger", hint=hint)
        if number > len(own):
            listed = ", ".join(f"{schedule.number}: {schedule.expression}" for schedule in own)
            raise TreadleError("no-such-schedule", f"step `{step}` has no schedule {number}", hint=f"it has {listed}")
        return own[number - 1]

    def run_schedule(self, schedule: PlannedSchedule) -> Outcome:
        """Runs its step once as a firing would, whatever the day; `result` is `ok`."""
        now = datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        event_id = f"manual-{secrets.token_hex(16)}"
        firing = {"schedule": schedule.name, "time": now, "id": event_id, "manual": True}
        return self._invoke(schedule.step, {"treadle.cron": firing}, trace_of_event(event_id).trace_id)

    def _check_step(self, step: str, offered: Sequence[str] | None = None, kind: str = "steps") -> None:
        """Raises TreadleError `no-such-step`, with the one of the offered names (all steps') that was meant."""
        names = self.app.steps()
        if step in names:
            return
        choices = names if offered is None else offered
        lower = {name.lower(): name for name in choices}
        meant = next(iter(get_close_matches(step.lower(), list(lower), n=1)), None)
        guess = f"did you mean `{lower[meant]}`? " if meant is not None else ""
        listed = f"the {kind} are: {', '.join(choices)}" if choices else f"the project has no {kind}"
        raise TreadleError("no-such-step", f"there is no step `{step}`", hint=f"{guess}{listed}")

    def _invoke(self, step: str, event: Mapping[str, Any], trace_id: str) -> Outcome:
        answer = self._call(
            "lambda",
            "invoke",
            FunctionName=self._names().function(step),
            Qualifier="live",
            Payload=json.dumps(event).encode(),
        )
        document = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            return Outcome(None, trace_id, document)
        return Outcome(document["result"], document["traceId"])

    def emit(self, topic: str, data: object, group: str | None = None) -> str:
        """Publishes a message as the adapter would; returns its trace id. Raises TreadleError `no-such-topic`."""
        topics = {str(entry["topic"]): str(entry["name"]) for entry in self.manifest["topics"]}
        if topic not in topics:
            hint = f"the topics are: {', '.join(topics)}" if topics else "no step emits or subscribes to anything"
            raise TreadleError("no-such-topic", f"there is no topic `{topic}`", hint=hint)
        origin = Origin(new_trace())
        emit_id = secrets.token_hex(16)
        attribute = origin.attribute(emit_id=emit_id, step="treadle emit", topic=topic, flows=())
        order = {} if group is None else {"MessageGroupId": group}
        if topics[topic].endswith(FIFO_SUFFIX):
            order = {"MessageGroupId": group or origin.trace_id, "MessageDeduplicationId": emit_id}
        self._call(
            "sns",
            "publish",
            TopicArn=f"arn:aws:sns:us-east-1:000000000000:{topics[topic]}",
            Message=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
            MessageAttributes={"treadle": {"DataType": "String", "StringValue": attribute}},
            **order,
        )
        return origin.trace_id

    def _call_logs(self, method: str, **params: object) -> Any:
        return self._call("logs", method, **params)

    def _call(self, service: str, method: str, **params: object) -> Any:
        """One call of AWS's API. Raises TreadleError `call-refused` in AWS's words, `not-running` when it has ended."""
        from botocore import exceptions

        try:
            return getattr(self._client(service), method)(**params)
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as problem:
            raise TreadleError(
                "not-running", f"the emulator at {self.aws_url} does not answer any more", hint=str(problem)
            ) from None
        except (exceptions.BotoCoreError, exceptions.ClientError) as problem:
            message = f"the emulator refused {service} {method}: {problem}"
            raise TreadleError("call-refused", message) from problem

    def _names(self) -> Names:
        return Names(str(self.manifest["app"]), str(self.manifest["stage"]))

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            session: Any = boto3.session.Session(region_name="us-east-1")
            config = Config(retries={"total_max_attempts": 1}, read_timeout=910)
            self._clients[service] = session.client(
                service,
                endpoint_url=self.aws_url,
                config=config,
                aws_access_key_id="treadle",  # any key that the emulator did not issue is root's
                aws_secret_access_key="treadle",  # noqa: S106
            )
        return self._clients[service]


def _is_missing(problem: Exception) -> bool:
    response: Mapping[str, Any] = getattr(problem.__cause__, "response", {})
    return bool(response.get("Error", {}).get("Code") == "ResourceNotFoundException")


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
    return Running(project, str(details["aws"]), details.get("clock") == "manual", _manifest(project))


def _manifest(project: Path) -> Mapping[str, Any]:
    """What runs; a project without a step has no manifest."""
    path = project / ".treadle" / "assembly" / "dev" / "manifest.json"
    manifest: Mapping[str, Any] = {"app": "", "stage": "dev", "steps": [], "topics": []}
    if path.exists():
        manifest = json.loads(path.read_text())
    return manifest
