"""What lives as long as the process of a system function: its slice, and the names of what it may reach."""

# ruff: noqa: PTH100, PTH118, PTH120 - pathlib is not loaded at a cold start
from __future__ import annotations

import os
import time

from treadle.live.slice import read_slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle.aws.client import AwsClient
    from treadle.resources import Resources
    from treadle.shapes import Event, LambdaContext, LambdaHandler

_TASK_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class SystemProcess:
    """One system function, `websocket` or `broadcast`, in one process. `task_root` is where its zip lies unpacked."""

    __slots__ = ("_deadline_seconds", "_hurried_clients", "_resources", "project_root", "slice", "version")

    def __init__(self, system: str, task_root: str = _TASK_ROOT) -> None:
        """Raises: ManifestError."""
        self.slice = read_slice(os.path.join(task_root, "treadle", "system.json"), system)
        self.version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.project_root = os.path.join(task_root, "app")
        self._resources: Resources | None = None
        self._hurried_clients: list[AwsClient] = []
        self._deadline_seconds = float("inf")

    def resources(self, lambda_context: LambdaContext) -> Resources:
        """Names and endpoints of the account and region in which the function runs; the same for every invocation."""
        if self._resources is None:
            from treadle.resources import Resources

            self._resources = Resources.of_function(lambda_context.invoked_function_arn, self.seconds_left)
        return self._resources

    def hurried_client(self, lambda_context: LambdaContext, reserved_seconds: Callable[[], float]) -> AwsClient:
        """A client whose calls end earlier than the invocation by so much, for what is to be followed by something."""
        from treadle.aws.client import AwsClient

        resources = self.resources(lambda_context)
        client = AwsClient(resources.region, resources.partition, lambda: self.seconds_left() - reserved_seconds())
        self._hurried_clients.append(client)
        return client

    def close(self) -> None:
        """Ends the connections to AWS."""
        for client in self._hurried_clients:
            client.close()
        if self._resources is not None:
            self._resources.client.close()

    def begin(self, lambda_context: LambdaContext) -> None:
        """Notes when the invocation has to end: no call to AWS waits longer."""
        self._deadline_seconds = time.monotonic() + lambda_context.get_remaining_time_in_millis() / 1000

    def seconds_left(self) -> float:
        """Until the invocation has to end."""
        return self._deadline_seconds - time.monotonic()


def handler_of(process: SystemProcess, serve: Callable[[Event, LambdaContext], dict[str, Any]]) -> LambdaHandler:
    """The handler that Lambda calls: `serve`, and behind it the export of spans, where the app asks for it."""

    def handler(event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
        process.begin(lambda_context)
        return serve(event, lambda_context)

    telemetry = process.slice.telemetry
    if telemetry is None:
        return handler
    from treadle.otlp import exporting

    return exporting(handler, telemetry)
