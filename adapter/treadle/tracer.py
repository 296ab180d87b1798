"""`context.tracer`: Powertools' Tracer with the step as its service, for projects that depend on Powertools."""

from __future__ import annotations

import os
from importlib import import_module

from treadle.errors import PowertoolsMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

    class Tracer(Protocol):
        """`aws_lambda_powertools.Tracer`, as far as handlers use it.

        Source: https://docs.aws.amazon.com/powertools/python/latest/core/tracer/
        """

        def put_annotation(self, key: str, value: str | float | bool) -> None: ...

        def put_metadata(self, key: str, value: Any, namespace: str | None = None) -> None: ...

        def capture_method(self, method: Function) -> Function: ...


REMEDY = "add `aws-lambda-powertools[tracer]` to the project's dependencies"
_tracers: list[Any] = []


def process_tracer(step: str) -> Tracer:
    """The process's tracer. `POWERTOOLS_SERVICE_NAME` comes before the step's name.

    Raises: PowertoolsMissing.
    """
    if not _tracers:
        try:
            import_module("aws_xray_sdk")
            powertools = import_module("aws_lambda_powertools.tracing")
        except ModuleNotFoundError as error:
            raise PowertoolsMissing(f"context.tracer needs {error.name}: {REMEDY}") from error
        _tracers.append(powertools.Tracer(service=os.environ.get("POWERTOOLS_SERVICE_NAME") or step))
    found: Tracer = _tracers[0]
    return found
