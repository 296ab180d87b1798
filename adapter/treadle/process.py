"""What lives as long as the function's process: the manifest, the step's module, the names of what it may reach."""

# ruff: noqa: PTH100, PTH118, PTH120 - pathlib is not loaded at a cold start
from __future__ import annotations

import os
import time

from treadle.errors import HandlerMissing
from treadle.logger import error_fields, write_line
from treadle.manifest import Manifest, read_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from treadle.context import Context
    from treadle.manifest import CronTrigger
    from treadle.resources import Resources
    from treadle.shapes import LambdaContext, UserHandler


RESERVED_MS = 500
"""What the adapter needs of an invocation's time beside the handler: to tell of its end, to put a message back."""


class StepProcess:
    """One step in one process. Its module is loaded when the process starts: then Lambda gives it a whole CPU."""

    __slots__ = (
        "_deadline_seconds",
        "_handlers",
        "_module",
        "_queue_arn",
        "_resources",
        "_schedules",
        "context",
        "manifest",
        "project_root",
        "version",
    )

    def __init__(self, task_root: str) -> None:
        self.manifest: Manifest = read_manifest(os.path.join(task_root, "treadle", "manifest.json"))
        self.version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.project_root = os.path.join(task_root, "app")
        self.context: Context | None = None
        self._module: ModuleType | None = None
        self._handlers: dict[str | None, UserHandler] = {}
        self._resources: Resources | None = None
        self._queue_arn: str | None = None
        self._schedules: dict[str, CronTrigger] | None = None
        self._deadline_seconds = float("inf")

    def start(self) -> None:
        """Loads the step. A failure is logged, and met again by the first invocation, which has a way to report it."""
        os.chdir(self.project_root)
        try:
            self.handler()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            message = f"{self.manifest.source} cannot be loaded"
            write_line({"level": "error", "msg": message, "step": self.manifest.step, **error_fields(error)})

    def handler(self, route_key: str | None = None) -> UserHandler:
        """The step's handler; for a route, with what the route's middleware puts around it.

        Raises: HandlerMissing, MiddlewareMissing, and whatever the step's module raises when it is loaded.
        """
        handler = self._handlers.get(route_key)
        if handler is None:
            handler = self._handlers[route_key] = self._composed(route_key)
        return handler

    def _composed(self, route_key: str | None) -> UserHandler:
        if self.manifest.application is not None:
            from treadle.asgi import AsgiHandler

            return AsgiHandler(self._defined("app"), self.manifest.application)
        handler: Any = self._defined("handler")
        if not callable(handler):
            raise HandlerMissing(f"{self.manifest.source} has no function `handler`")
        schema = None if route_key is None else self.manifest.body_schemas.get(route_key)
        if schema is not None:
            from treadle.validation import with_checked_body

            handler = with_checked_body(handler, schema, str(route_key), is_flow=self.manifest.is_flow)
        keys = None if route_key is None else self.manifest.middleware.get(route_key)
        if keys is not None:
            from treadle.middleware import middleware_of, through

            middleware = middleware_of(self.config(), keys)
            handler = through(middleware, handler) if middleware else handler
        found: UserHandler = handler
        return found

    def config(self) -> Any:
        """The step's config, as its module has it."""
        return self._defined("config")

    def _defined(self, name: str) -> Any:
        from treadle.loader import defined, load_module

        if self._module is None:
            if self.manifest.secrets:
                from treadle.secrets import fetch_secrets

                fetch_secrets(self.manifest.secrets)
            self._module = load_module(self.project_root, self.manifest.source, self.manifest.package)
        return defined(self._module, name)

    def resources(self, lambda_context: LambdaContext) -> Resources:
        """Names and endpoints of the account and region in which the function runs; the same for every invocation."""
        if self._resources is None:
            from treadle.resources import Resources

            self._resources = Resources.of_function(lambda_context.invoked_function_arn, self._seconds_left)
        return self._resources

    def queue_arn(self, lambda_context: LambdaContext) -> str:
        """The step's own queue."""
        if self._queue_arn is None:
            resources = self.resources(lambda_context)
            name = resources.names.queue(self.manifest.step, fifo=self.manifest.is_fifo)
            self._queue_arn = resources.queue_arn(name)
        return self._queue_arn

    def schedules(self, lambda_context: LambdaContext) -> dict[str, CronTrigger]:
        """The step's cron triggers, by the names of their rules and schedules."""
        if self._schedules is None:
            names, manifest = self.resources(lambda_context).names, self.manifest
            self._schedules = {
                names.schedule(manifest.step, trigger.number): trigger for trigger in manifest.cron_triggers
            }
        return self._schedules

    def begin(self, lambda_context: LambdaContext) -> None:
        """Notes when the invocation has to end: no call to AWS waits longer."""
        self._deadline_seconds = time.monotonic() + lambda_context.get_remaining_time_in_millis() / 1000

    def handler_seconds(self, lambda_context: LambdaContext) -> float | None:
        """What a message's or a firing's handler may take, None without a limit.

        It is a little less than Lambda's own timeout where that is near, so that the reason is told.
        """
        seconds = self.manifest.timeout_seconds
        if seconds is None:
            return None
        left = (lambda_context.get_remaining_time_in_millis() - RESERVED_MS) / 1000
        return float(min(seconds, left)) if left > 0 else float(seconds)

    def _seconds_left(self) -> float:
        return self._deadline_seconds - time.monotonic()


_TASK_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_processes: list[StepProcess] = []


def running_context() -> Context | None:
    """The context of the run that is under way, None where there is none."""
    return _processes[0].context if _processes else None


def current_process() -> StepProcess:
    """The process's step, loaded on the first call.

    Raises: ManifestError.
    """
    if not _processes:
        process = StepProcess(_TASK_ROOT)
        _processes.append(process)
        process.start()
    return _processes[0]
