"""AWS::CloudWatch::Alarm."""

from __future__ import annotations

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.properties import FLAG, NUMBER, TEXT, TEXTS, ListOf, Record, Text, Whole
from treadle_local.cloudformation.providers.base import (
    Attributes,
    Context,
    Model,
    Schema,
    TagForm,
    removed_keys,
)

_DIMENSIONS = ListOf(Record({"Name": TEXT, "Value": TEXT}, required=("Name", "Value")))
_METRIC = Record(
    {
        "AccountId": TEXT,
        "Expression": TEXT,
        "Id": TEXT,
        "Label": TEXT,
        "MetricStat": Record(
            {
                "Metric": Record({"Dimensions": _DIMENSIONS, "MetricName": TEXT, "Namespace": TEXT}),
                "Period": Whole(1),
                "Stat": TEXT,
                "Unit": TEXT,
            },
            required=("Metric", "Period", "Stat"),
        ),
        "Period": Whole(1),
        "ReturnData": FLAG,
    },
    required=("Id",),
)


class Alarm:
    schema = Schema(
        properties=Record(
            {
                "ActionsEnabled": FLAG,
                "AlarmActions": TEXTS,
                "AlarmDescription": TEXT,
                "AlarmName": TEXT,
                "ComparisonOperator": TEXT,
                "DatapointsToAlarm": Whole(1),
                "Dimensions": _DIMENSIONS,
                "EvaluateLowSampleCountPercentile": TEXT,
                "EvaluationPeriods": Whole(1),
                "ExtendedStatistic": TEXT,
                "InsufficientDataActions": TEXTS,
                "MetricName": TEXT,
                "Metrics": ListOf(_METRIC),
                "Namespace": TEXT,
                "OKActions": TEXTS,
                "Period": Whole(1),
                "Statistic": Text(("Average", "Maximum", "Minimum", "SampleCount", "Sum")),
                "Threshold": NUMBER,
                "ThresholdMetricId": TEXT,
                "TreatMissingData": Text(("breaching", "ignore", "missing", "notBreaching")),
                "Unit": TEXT,
            },
            required=("ComparisonOperator", "EvaluationPeriods"),
            elsewhere=frozenset(
                {
                    "ActionConfiguration",
                    "EvaluationCriteria",
                    "EvaluationInterval",
                    "EvaluationWindow",
                    "WarmUpConfiguration",
                }
            ),
        ),
        create_only=frozenset({"AlarmName"}),
        attributes=frozenset({"Arn"}),
        name_property="AlarmName",
        tags=TagForm.PAIRS,
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

    def _attributes(self, context: Context) -> Attributes:
        return {"Arn": context.region.arn("cloudwatch", f"alarm:{context.physical_id}")}
