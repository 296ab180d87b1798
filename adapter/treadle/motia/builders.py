"""Steps put together by calls: `step(config, handler)`, `multi_trigger_step(config).on_queue(f).handlers()`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Handler = Callable[..., Any]


class StepDefinition:
    """A config and its handler. It unpacks (`config, handler = step(...)`) and can stand as `handler` itself."""

    treadle_step = True
    """By this the loader knows a step that a module has under a name of its own."""

    def __init__(self, config: Any, handler: Handler) -> None:
        self.config = config
        self.handler = handler

    def __iter__(self) -> Iterator[Any]:
        return iter((self.config, self.handler))

    def __call__(self, input_value: Any, context: Any) -> Any:
        return self.handler(input_value, context)


class StepBuilder:
    def __init__(self, config: Any) -> None:
        self.config = config

    def handle(self, handler: Handler) -> StepDefinition:
        return StepDefinition(self.config, handler)


class MultiTriggerStepBuilder:
    """Gathers one handler for each kind of trigger."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self._handlers: dict[str, Handler] = {}

    def _on(self, kind: str, handler: Handler) -> MultiTriggerStepBuilder:
        self._handlers[kind] = handler
        return self

    def on_queue(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("queue", handler)

    def on_http(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("http", handler)

    on_api = on_http

    def on_cron(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("cron", handler)

    def on_state(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("state", handler)

    def on_stream(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("stream", handler)

    def on_default(self, handler: Handler) -> MultiTriggerStepBuilder:
        return self._on("default", handler)

    def handlers(self, handlers: Mapping[str, Handler] | None = None) -> StepDefinition:
        """The step; `handlers` are by kind of trigger, and go with those given before."""
        every = {**self._handlers, **(handlers or {})}

        async def handle(_input: Any, context: Any) -> Any:
            return await context.match(every)

        return StepDefinition(self.config, handle)


def step(config: Any, handler: Handler | None = None) -> Any:
    """The step of a config and a handler; without one a builder, whose `handle` takes it."""
    return StepBuilder(config) if handler is None else StepDefinition(config, handler)


def step_wrapper(config: Any, file: str, handler: Handler) -> StepDefinition:
    """What release candidates register a step with; its module has the same config and handler under their names."""
    del file
    return StepDefinition(config, handler)


def multi_trigger_step(config: Any) -> MultiTriggerStepBuilder:
    return MultiTriggerStepBuilder(config)
