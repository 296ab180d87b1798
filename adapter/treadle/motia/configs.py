"""Configs as step files make them: dicts that also answer attributes. Discovery checks what is in them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Members(dict[str, "Any"]):
    """A dict whose keys are attributes too; keys are as they were given, and None stands for nothing."""

    __slots__ = ()
    _type = ""

    def __init__(self, *given: Any, **members: Any) -> None:
        super().__init__()
        if self._type:
            self["type"] = self._type
        for one in given:
            self.update(one)
        self.update({name: value for name, value in members.items() if value is not None})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self:
            return self[name]
        first, *rest = name.split("_")
        return self.get(first + "".join(part.title() for part in rest))


class StepConfig(Members):
    """`{"name", "triggers", "enqueues", ...}`"""


class ApiRouteConfig(StepConfig):
    """A config of the first dialect, as release candidates wrote it: `ApiRouteConfig(name=..., path=...)`."""

    _type = "api"


class EventConfig(StepConfig):
    _type = "event"


class CronConfig(StepConfig):
    _type = "cron"


class NoopConfig(StepConfig):
    _type = "noop"


class StreamConfig(Members):
    """`{"name", "schema", "baseConfig", ...}`"""


class QueueConfig(Members):
    """How messages wait for a step: `type`, `max_retries`, `delay_seconds` ..."""


class HandlerConfig(Members):
    """Memory and timeout: `ram`, `cpu`, `timeout`."""


class QueryParam(Members):
    """`{"name", "description"}`"""


class Enqueue(Members):
    """`{"topic", "label", "conditional"}`"""


class ApiTrigger(Members):
    _type = "http"


class QueueTrigger(Members):
    _type = "queue"


class CronTrigger(Members):
    _type = "cron"


class StateTrigger(Members):
    _type = "state"


class StreamTrigger(Members):
    _type = "stream"


def http(method: str, path: str, **options: Any) -> ApiTrigger:
    """The step answers HTTP requests. Options: body_schema, response_schema, query_params, middleware, condition."""
    return ApiTrigger(method=method, path=path, **options)


api = http


def queue(topic: str, **options: Any) -> QueueTrigger:
    """The step gets the messages of a topic. Options: input, config, condition."""
    return QueueTrigger(topic=topic, **options)


event = queue


def cron(expression: str, **options: Any) -> CronTrigger:
    """The step runs at these times. Options: condition, timezone."""
    return CronTrigger(expression=expression, **options)


def state(**options: Any) -> StateTrigger:
    """The step runs when state changes. Options: condition."""
    return StateTrigger(**options)


def stream(stream_name: str, **options: Any) -> StreamTrigger:
    """The step runs when a stream's items change. Options: group_id, item_id, condition."""
    return StreamTrigger(stream_name=stream_name, **options)
