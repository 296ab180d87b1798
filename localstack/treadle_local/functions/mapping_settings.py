"""An event source mapping's settings: from AWS's parameters to an `EventSourceMapping`, and back to AWS's shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from treadle_local.aws.service import Params, Region, Result
from treadle_local.functions.destinations import check_destination, named_destination
from treadle_local.functions.event_filters import compile_filters
from treadle_local.functions.model import EventSourceMapping, StreamSettings
from treadle_local.functions.refusals import constraint, invalid, not_here

# Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
_QUEUE_BATCH_SIZE = 10
_STREAM_BATCH_SIZE = 100
# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html (the quota before it is raised)
_MAXIMUM_FILTERS = 5
_MINIMUM_RECORD_AGE_SECONDS = 60

_NOT_YET = (
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPositionTimestamp",
    "Topics",
    "TumblingWindowInSeconds",
)
_STREAMS_ONLY = (
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "StartingPosition",
)

SourceKind = Literal["queue", "stream"]


def source_kind(arn: str) -> SourceKind:
    """What a mapping's source is. Raises InvalidParameterValueException."""
    service, _, resource = arn.removeprefix("arn:aws:").partition(":")
    if service == "sqs":
        return "queue"
    if service == "dynamodb" and "/stream/" in resource:
        return "stream"
    if service in ("kinesis", "kafka", "mq", "rds"):
        raise not_here(f"An event source mapping on {service}")
    raise invalid("Unrecognized event source.")


def check_members(kind: SourceKind, params: Params) -> None:
    """Returns when the parameters suit the kind of source and can be had here."""
    for member in _NOT_YET:
        if params.get(member):
            raise not_here(f"{member} of an event source mapping")
    if kind == "queue":
        for member in _STREAMS_ONLY:
            if params.get(member) is not None:
                raise invalid(f"{member} is not valid for SQS event sources.")
        if _on_failure(params) is not None:
            raise invalid("DestinationConfig is not valid for SQS event sources.")
    elif params.get("ScalingConfig"):
        raise invalid("ScalingConfig is not valid for DynamoDB event sources.")


def new_mapping(kind: SourceKind, uuid: str, function_arn: str, now: float, params: Params) -> EventSourceMapping:
    """A mapping as CreateEventSourceMapping's parameters describe it, with AWS's defaults."""
    stream: StreamSettings | None = None
    if kind == "stream":
        if params.get("StartingPosition") not in ("TRIM_HORIZON", "LATEST"):
            raise constraint(
                params.get("StartingPosition"),
                "startingPosition",
                "Member must satisfy enum value set: [TRIM_HORIZON, LATEST]",
            )
        stream = StreamSettings(params["StartingPosition"])
    batch_size = _QUEUE_BATCH_SIZE if stream is None else _STREAM_BATCH_SIZE
    blank = EventSourceMapping(
        uuid, params["EventSourceArn"], function_arn, batch_size, 0, enabled=True, last_modified=now, stream=stream
    )
    return changed(blank, params)


def changed(mapping: EventSourceMapping, params: Params) -> EventSourceMapping:
    """The mapping with the settings that the parameters carry; an absent parameter changes nothing."""
    fields: dict[str, Any] = {
        field: params[member] for member, field in _PLAIN_MEMBERS.items() if params.get(member) is not None
    }
    if "FunctionResponseTypes" in params:
        fields["report_batch_item_failures"] = "ReportBatchItemFailures" in params["FunctionResponseTypes"]
    if "ScalingConfig" in params:
        fields["maximum_concurrency"] = params["ScalingConfig"].get("MaximumConcurrency")
    if "FilterCriteria" in params:
        fields["filters"] = _filters(params["FilterCriteria"])
    if "DestinationConfig" in params:
        fields["destination"] = _on_failure(params)
    if mapping.stream is not None:
        fields["stream"] = _changed_stream(mapping.stream, params)
    result = replace(mapping, **fields)
    _check_batch(result)
    return result


_PLAIN_MEMBERS = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "window_seconds",
    "Enabled": "enabled",
}
_STREAM_MEMBERS = {
    "ParallelizationFactor": "parallelization_factor",
    "BisectBatchOnFunctionError": "bisect_batch_on_function_error",
    "MaximumRetryAttempts": "maximum_retry_attempts",
    "MaximumRecordAgeInSeconds": "maximum_record_age_seconds",
}


def mapping_arn(uuid: str, region: Region) -> str:
    return region.arn("lambda", f"event-source-mapping:{uuid}")


def render(mapping: EventSourceMapping, region: Region, state: str | None = None) -> Result:
    """AWS's EventSourceMappingConfiguration; `state` where it is other than Enabled or Disabled."""
    result: Result = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping_arn(mapping.uuid, region),
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window_seconds,
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.report_batch_item_failures else [],
        "LastModified": datetime.fromtimestamp(mapping.last_modified, UTC),
        "State": state or ("Enabled" if mapping.enabled else "Disabled"),
        "StateTransitionReason": "USER_INITIATED" if mapping.stream is None else "User action",
    }
    if mapping.maximum_concurrency is not None:
        result["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
    if mapping.filters:
        result["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in mapping.filters]}
    if mapping.destination is not None:
        result["DestinationConfig"] = {"OnFailure": {"Destination": mapping.destination}}
    if mapping.stream is not None:
        result["StartingPosition"] = mapping.stream.starting_position
        result |= {member: getattr(mapping.stream, field) for member, field in _STREAM_MEMBERS.items()}
    return result


def _changed_stream(stream: StreamSettings, params: Params) -> StreamSettings:
    fields: dict[str, Any] = {
        field: params[member] for member, field in _STREAM_MEMBERS.items() if params.get(member) is not None
    }
    age_seconds = fields.get("maximum_record_age_seconds", -1)
    if -1 < age_seconds < _MINIMUM_RECORD_AGE_SECONDS:
        rule = f"Member must have value greater than or equal to {_MINIMUM_RECORD_AGE_SECONDS}"
        raise constraint(age_seconds, "maximumRecordAgeInSeconds", rule)
    return replace(stream, **fields)


def _check_batch(mapping: EventSourceMapping) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    if mapping.stream is not None or mapping.batch_size <= _QUEUE_BATCH_SIZE:
        if mapping.source_arn.endswith(".fifo") and mapping.window_seconds:
            raise invalid("Batching window is not supported for FIFO queues")
        return
    if mapping.source_arn.endswith(".fifo"):
        raise invalid(f"Batch size must not exceed {_QUEUE_BATCH_SIZE} for FIFO queues")
    if mapping.window_seconds == 0:
        raise invalid(
            "Maximum batch window in seconds must be greater than 0 "
            f"if maximum batch size is greater than {_QUEUE_BATCH_SIZE}"
        )


def _filters(criteria: Mapping[str, Any]) -> tuple[str, ...]:
    patterns = tuple(str(one.get("Pattern", "")) for one in criteria.get("Filters") or ())
    if len(patterns) > _MAXIMUM_FILTERS:
        raise invalid(f"The number of filters must not exceed {_MAXIMUM_FILTERS}.")
    compile_filters(patterns)
    return patterns


def _on_failure(params: Params) -> str | None:
    configuration: Mapping[str, Any] = params.get("DestinationConfig") or {}
    if named_destination(configuration, "OnSuccess"):
        raise invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    destination = named_destination(configuration, "OnFailure")
    if destination is not None:
        check_destination(destination, services=("sqs", "sns"))
    return destination
