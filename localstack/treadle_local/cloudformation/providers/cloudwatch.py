"""AWS::CloudWatch::Alarm."""

from __future__ import annotations

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    removed_keys,
    tags_of,
)

_IMPLEMENTED = (
    *("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm"),
    *("Dimensions", "EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic"),
    *("InsufficientDataActions", "MetricName", "Metrics", "Namespace", "OKActions", "Period", "Statistic"),
    *("Threshold", "ThresholdMetricId", "TreatMissingData", "Unit"),
)


class Alarm:
    schema = Schema(
        "AWS::CloudWatch::Alarm",
        implemented=_IMPLEMENTED,
        attributes=frozenset({"Arn"}),
        name_property="AlarmName",
        tags=TagForm.PAIRS,
        required=("ComparisonOperator", "EvaluationPeriods"),
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("AlarmName") or context.generated_name(255)
        found = await context.call("cloudwatch", "DescribeAlarms", AlarmNames=[name])
        if found.get("MetricAlarms") or found.get("CompositeAlarms"):
            raise AlreadyExistsError(name)
        await context.call_tagged(
            "cloudwatch", "PutMetricAlarm", TagForm.PAIRS, model.tags, **{**model.properties, "AlarmName": name}
        )
        context.initiated(name)
        return self._attributes(context)

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        """Sets the whole alarm: what PutMetricAlarm is not given goes back to its default."""
        await context.call("cloudwatch", "PutMetricAlarm", **{**after.properties, "AlarmName": context.physical_id})
        attributes = self._attributes(context)
        if before.tags != after.tags:
            arn = attributes["Arn"]
            if removed := removed_keys(before, after):
                await context.call("cloudwatch", "UntagResource", ResourceARN=arn, TagKeys=removed)
            await context.tag("cloudwatch", "TagResource", TagForm.PAIRS, after.tags, ResourceARN=arn)
        return attributes

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there("cloudwatch", "DeleteAlarms", AlarmNames=[context.physical_id])

    async def read(self, context: Context, model: Model) -> Model | None:
        found = await context.call("cloudwatch", "DescribeAlarms", AlarmNames=[context.physical_id])
        if not found.get("MetricAlarms"):
            return None
        (alarm,) = found["MetricAlarms"]
        tags = await context.call("cloudwatch", "ListTagsForResource", ResourceARN=alarm["AlarmArn"])
        return Model(self.schema.observed(alarm), tags_of(tags.get("Tags")))

    def _attributes(self, context: Context) -> Attributes:
        return {"Arn": context.region.arn("cloudwatch", f"alarm:{context.physical_id}")}
