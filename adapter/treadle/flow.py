"""What steps in the dialect of Motia 1.0 get beyond the rest: their trigger, conditions, and requests to write to."""

from __future__ import annotations

from treadle.context import Context
from treadle.errors import HandlerMissing
from treadle.http.request import Request
from treadle.invoke import call_handler, positional_parameters
from treadle.manifest import ApiTrigger, CronTrigger, EventTrigger, StateTrigger, StreamTrigger
from treadle.middleware import member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from treadle.logger import Logger
    from treadle.manifest import Manifest, Trigger
    from treadle.process import StepProcess
    from treadle.shapes import UserHandler

_ALIASES = {"http": "api", "queue": "event"}
"""What a kind of trigger was called before."""


class TriggerInfo:
    """What has started a run; `index` counts the step's triggers from 0. What does not belong to `type` is None."""

    def __init__(self, kind: str, index: int, **members: str) -> None:
        self.type = kind
        self.index = index
        self.path = members.get("path")
        self.method = members.get("method")
        self.topic = members.get("topic")
        self.expression = members.get("expression")


class FlowContext(Context):
    """`trigger` says what has started the run, `input_value` is what the handler gets first."""

    trigger: TriggerInfo
    input_value: object = None

    @property
    def enqueue(self) -> Any:
        """`await context.enqueue({"topic": "order.created", "data": {...}})`"""
        return self.emit

    def is_queue(self) -> bool:
        return self.trigger.type == "queue"

    def is_api(self) -> bool:
        return self.trigger.type == "http"

    is_http = is_api

    def is_cron(self) -> bool:
        return self.trigger.type == "cron"

    def is_state(self) -> bool:
        return self.trigger.type == "state"

    def is_stream(self) -> bool:
        return self.trigger.type == "stream"

    def get_data(self) -> Any:
        """The request's body, else what came in; None on a schedule."""
        value = self.input_value
        return value["body"] if isinstance(value, Request) else value

    async def match(self, handlers: Mapping[str, UserHandler]) -> object:
        """The result of the handler for this kind of trigger, else of `default`; it gets the input and the context."""
        kind = self.trigger.type
        handler = handlers.get(kind) or handlers.get(_ALIASES.get(kind, kind)) or handlers.get("default")
        if handler is None:
            self.logger.warn(f"no handler for a trigger of type `{kind}`", {"handlers": sorted(handlers)})
            return None
        arguments = (self.input_value, self)
        result: Any = handler(*arguments[: positional_parameters(handler, 2)])
        return await result if hasattr(result, "__await__") else result


def begin(context: FlowContext, process: StepProcess, trigger: Trigger | None, argument: object) -> object:
    """What the handler gets first; the context knows it, and the trigger, from here on."""
    chosen = trigger or next(iter(process.manifest.triggers))
    context.trigger = _info(process.manifest, chosen)
    value: object = argument
    if isinstance(argument, Request):
        value = HttpArgs(argument, context.trigger.method or "")
    elif isinstance(chosen, CronTrigger):
        value = None
    elif isinstance(chosen, (StateTrigger, StreamTrigger)) and isinstance(argument, dict):
        value = ChangeInput(argument)  # pyright: ignore[reportUnknownArgumentType]
    context.input_value = value
    return value


def holds(process: StepProcess, trigger: Trigger | None, context: FlowContext, logger: Logger) -> bool:
    """Whether the trigger's condition holds; True where it has none. Raises what the condition raises."""
    if trigger is None or trigger.condition is None:
        return True
    condition: Any = process.config()
    for key in trigger.condition:
        condition = condition[key] if isinstance(key, int) else member(condition, key)
    if not callable(condition):
        raise HandlerMissing(f"{process.manifest.source}: the `condition` of {trigger} is no function")
    return bool(call_handler(condition, (context.input_value, context), logger))


def answered(result: object, argument: object) -> object:
    """The handler's result, or what it has written to the response where it returned nothing."""
    if result is None and isinstance(argument, HttpArgs) and argument.response.is_used:
        return argument.response.result()
    return result


def trigger_of(manifest: Manifest, cause: str | Trigger | None) -> Trigger | None:
    """The trigger on this route or topic; of a message that names none of the step's topics, the first on any."""
    if cause is not None and not isinstance(cause, str):
        return cause
    for trigger in manifest.triggers:
        if isinstance(trigger, ApiTrigger) and trigger.route_key == cause:
            return trigger
        if isinstance(trigger, EventTrigger) and trigger.topic == cause:
            return trigger
    return next((trigger for trigger in manifest.triggers if isinstance(trigger, EventTrigger)), None)


def _info(manifest: Manifest, trigger: Trigger) -> TriggerInfo:
    index = manifest.triggers.index(trigger)
    if isinstance(trigger, ApiTrigger):
        method, _, path = trigger.route_key.partition(" ")
        return TriggerInfo("http", index, method=method, path=trigger.path or path)
    if isinstance(trigger, EventTrigger):
        return TriggerInfo("queue", index, topic=trigger.topic)
    if isinstance(trigger, StateTrigger):
        return TriggerInfo("state", index)
    if isinstance(trigger, StreamTrigger):
        return TriggerInfo("stream", index)
    return TriggerInfo("cron", index, expression=trigger.expression)


class ChangeInput(dict[str, "Any"]):
    """A change of state or of a stream; its members answer as attributes too, in camelCase or snake_case.

    So do those of a stream's `event`: `change.event.type`.
    """

    __slots__ = ()

    def __init__(self, change: dict[str, Any]) -> None:
        super().__init__(change)
        if isinstance(change.get("event"), dict):
            self["event"] = ChangeInput(change["event"])

    def __getattr__(self, name: str) -> Any:
        first, *rest = name.split("_")
        for key in (name, first + "".join(part.title() for part in rest)):
            if key in self:
                return self[key]
        raise AttributeError(f"the change has no `{name}`; it has {', '.join(self)}")


class HttpArgs(Request):
    """A request that has itself as `request`, and a `response` to write to, as handlers of Motia 1.0 expect it."""

    __slots__ = ("__dict__",)

    def __init__(self, request: Request, method: str) -> None:
        super().__init__(request)
        self.__dict__.update(request=self, response=HttpResponse(), method=method, request_body=BodyReader(request))

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            return default


class HttpResponse:
    """A response that the handler writes bit by bit; it goes out as a whole when the handler has returned.

    `await response.status(201)`, `await response.headers({...})`, `response.writer.stream.write(b"...")`.
    """

    def __init__(self) -> None:
        self._status = 200
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self.is_used = False
        self.writer = self.stream = self

    async def status(self, code: int) -> None:
        self._status, self.is_used = code, True

    async def headers(self, headers: Mapping[str, str]) -> None:
        self._headers.update(headers)
        self.is_used = True

    def write(self, content: bytes | str) -> None:
        self._body += content.encode() if isinstance(content, str) else content
        self.is_used = True

    def end(self, content: bytes | str = b"") -> None:
        self.write(content)

    def close(self) -> None:
        self.is_used = True

    def result(self) -> dict[str, object]:
        body: bytes | str = bytes(self._body)
        try:
            body = bytes(self._body).decode()
        except UnicodeDecodeError:
            body = bytes(self._body)
        return {"status": self._status, "headers": self._headers, "body": body}


class BodyReader:
    """The request's bytes: `async for chunk in request.request_body.stream`."""

    def __init__(self, request: Request) -> None:
        raw = request["rawBody"]
        self._content: bytes = raw.encode() if isinstance(raw, str) else raw

    @property
    async def stream(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content

    async def read_all(self) -> bytes:
        return self._content
