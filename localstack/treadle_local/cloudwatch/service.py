"""CloudWatch in the emulator: metrics and alarms on them; dashboards are kept, all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle_local.aws.authorization import actions
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.cloudwatch import reads, writes
from treadle_local.cloudwatch.actions import Actions, Receivers
from treadle_local.cloudwatch.alarms import Alarms
from treadle_local.cloudwatch.dashboards import Dashboards
from treadle_local.cloudwatch.refusals import not_here
from treadle_local.cloudwatch.series import Metrics
from treadle_local.cloudwatch.tags import checked_tags


class CloudWatch:
    """The service over `metrics`, which the emulator's other parts add theirs to."""

    def __init__(self, region: Region, clock: Clock, metrics: Metrics, receivers: Receivers) -> None:
        self._region = region
        self._alarms = Alarms(region, clock, metrics, Actions(region, receivers))
        dashboards = Dashboards(region, clock)
        self._handlers: Mapping[str, Callable[[Params], Result]] = {
            "PutMetricData": lambda params: writes.put_metric_data(metrics, params, clock.now()),
            "GetMetricData": lambda params: reads.get_metric_data(metrics, params),
            "GetMetricStatistics": lambda params: reads.get_metric_statistics(metrics, params),
            "ListMetrics": lambda params: reads.list_metrics(metrics, params, clock.now()),
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._tags,
            **self._alarms.operations,
            **dashboards.operations,
        }

    def close(self) -> None:
        """Ends the timer."""
        self._alarms.close()

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        handler = self._handlers.get(operation)
        if handler is None:
            raise not_here(f"cloudwatch {operation}")
        return handler(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return actions.targets(self._region, "cloudwatch", operation, params)

    def _tag(self, params: Params) -> Result:
        alarm = self._alarms.by_arn(str(params.get("ResourceARN")))
        alarm.tags = checked_tags(params.get("Tags") or (), alarm.tags)
        return {}

    def _untag(self, params: Params) -> Result:
        alarm = self._alarms.by_arn(str(params.get("ResourceARN")))
        for key in params.get("TagKeys") or ():
            alarm.tags.pop(str(key), None)
        return {}

    def _tags(self, params: Params) -> Result:
        tags = self._alarms.by_arn(str(params.get("ResourceARN"))).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
