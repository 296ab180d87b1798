"""`context.metrics`: Powertools' Metrics, set up for app, step and stage, for projects that depend on Powertools."""

from __future__ import annotations

import os
from importlib import import_module

from treadle.errors import PowertoolsMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from treadle.logger import Logger

    class Metrics(Protocol):
        """`aws_lambda_powertools.Metrics`, as far as handlers use it.

        Source: https://docs.aws.amazon.com/powertools/python/latest/core/metrics/
        """

        def add_metric(self, name: str, unit: Any, value: float, resolution: Any = 60) -> None: ...

        def add_dimension(self, name: str, value: str) -> None: ...

        def add_dimensions(self, **dimensions: str) -> None: ...

        def add_metadata(self, key: str, value: Any) -> None: ...

        def set_default_dimensions(self, **dimensions: str) -> None: ...

        def flush_metrics(self, raise_on_empty_metrics: bool = False) -> None: ...

        def clear_metrics(self) -> None: ...


REMEDY = "add `aws-lambda-powertools` to the project's dependencies"
_metrics: list[Any] = []


def process_metrics(step: str) -> Metrics:
    """The process's metrics: the app as namespace, the step as service, the stage as a dimension.

    Powertools' own variables, `POWERTOOLS_METRICS_NAMESPACE` and `POWERTOOLS_SERVICE_NAME`, come before these.
    Raises: PowertoolsMissing.
    """
    if not _metrics:
        try:
            powertools = import_module("aws_lambda_powertools.metrics")
        except ModuleNotFoundError as error:
            raise PowertoolsMissing(f"context.metrics needs {error.name}: {REMEDY}") from error
        environment = os.environ
        metrics = powertools.Metrics(
            namespace=environment.get("POWERTOOLS_METRICS_NAMESPACE") or environment["TREADLE_APP"],
            service=environment.get("POWERTOOLS_SERVICE_NAME") or step,
        )
        metrics.set_default_dimensions(stage=environment["TREADLE_STAGE"])
        _metrics.append(metrics)
    found: Metrics = _metrics[0]
    return found


def write_metrics(logger: Logger) -> None:
    """Writes what a run has gathered, as one line of CloudWatch's embedded metric format; never raises.

    The run's own dimensions end with it, also where it has gathered nothing.
    """
    for metrics in _metrics:
        try:
            if metrics.provider.metric_set:
                metrics.flush_metrics()
            else:
                metrics.clear_metrics()
        except Exception as error:
            logger.failure("the metrics of this run cannot be written", error)
            metrics.clear_metrics()
