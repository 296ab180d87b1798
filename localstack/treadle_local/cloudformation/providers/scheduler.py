"""AWS::Scheduler::Schedule."""

from __future__ import annotations

from treadle_local.cloudformation.properties import TEXT, Record, Text, Whole
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Schema, pick

_TARGET = Record(
    {
        "Arn": TEXT,
        "DeadLetterConfig": Record({"Arn": TEXT}),
        "Input": TEXT,
        "RetryPolicy": Record({"MaximumEventAgeInSeconds": Whole(60, 86400), "MaximumRetryAttempts": Whole(0, 185)}),
        "RoleArn": TEXT,
    },
    required=("Arn", "RoleArn"),
    elsewhere=frozenset(
        {
            "EcsParameters",
            "EventBridgeParameters",
            "KinesisParameters",
            "SageMakerPipelineParameters",
            "SqsParameters",
        }
    ),
)


class Schedule:
    schema = Schema(
        properties=Record(
            {
                "Description": TEXT,
                "EndDate": TEXT,
                "FlexibleTimeWindow": Record(
                    {"MaximumWindowInMinutes": Whole(1, 1440), "Mode": Text(("OFF", "FLEXIBLE"))}, required=("Mode",)
                ),
                "GroupName": TEXT,
                "KmsKeyArn": TEXT,
                "Name": TEXT,
                "ScheduleExpression": TEXT,
                "ScheduleExpressionTimezone": TEXT,
                "StartDate": TEXT,
                "State": Text(("ENABLED", "DISABLED")),
                "Target": _TARGET,
            },
            required=("FlexibleTimeWindow", "ScheduleExpression", "Target"),
        ),
        create_only=frozenset({"GroupName", "Name"}),
        attributes=frozenset({"Arn"}),
        name_property="Name",
    )

    async def create(self, context: Context, model: Model) -> Attributes:
        name = model.properties.get("Name") or context.generated_name(64)
        created = await context.call("scheduler", "CreateSchedule", **{**model.properties, "Name": name})
        context.initiated(name)
        return {"Arn": created["ScheduleArn"]}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        """Sets the whole schedule: what UpdateSchedule is not given goes back to its default."""
        updated = await context.call("scheduler", "UpdateSchedule", **{**after.properties, "Name": context.physical_id})
        return {"Arn": updated["ScheduleArn"]}

    async def delete(self, context: Context, model: Model) -> None:
        await context.call_if_there(
            "scheduler", "DeleteSchedule", Name=context.physical_id, **pick(model.properties, "GroupName")
        )
