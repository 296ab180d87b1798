"""What one function knows about the app: the `treadle/manifest.json` in its zip."""

from __future__ import annotations

from typing import assert_never

from treadle_infra.app.model import HttpTrigger, Json, Step, TopicTrigger, Trigger
from treadle_infra.topology.batches import timing
from treadle_infra.topology.build import queue_settings, route_key

MANIFEST_FORMAT = 1


def manifest_slice(step: Step) -> dict[str, Json]:
    """The part of the app that the step's adapter reads; `emits` None means any topic.

    Example: {"manifest": 1, "step": "SendMessage", "source": "steps/api_step.py", "flows": ["messaging"],
    "triggers": [{"kind": "api", "routeKey": "POST /messages"}, {"kind": "event", "topic": "message.sent"}],
    "timeoutSeconds": 30, "queue": {"maxRetries": 3}, "emits": ["message.sent"], "streams": ["messages"]}

    `timeoutSeconds` is for one message; `streams` are those that the step uses, None where it may use any.

    Raises: TreadleError `queue-settings-differ`.
    """
    settings = queue_settings(step)
    return {
        "manifest": MANIFEST_FORMAT,
        "step": step.name,
        "source": step.path,
        "flows": list(step.flows),
        "triggers": [_trigger(trigger) for trigger in step.triggers],
        "timeoutSeconds": timing(step, settings).handler_seconds,
        "queue": None if settings is None else {"maxRetries": settings.max_retries},
        "emits": None if step.emits is None else [emit.topic for emit in step.emits],
        "streams": None if step.usage.any_stream else list[Json](sorted(step.usage.streams)),
    }


def _trigger(trigger: Trigger) -> Json:
    match trigger:
        case HttpTrigger():
            return {"kind": "api", "routeKey": route_key(trigger)}
        case TopicTrigger(topic):
            return {"kind": "event", "topic": topic}
        case _:
            assert_never(trigger)
