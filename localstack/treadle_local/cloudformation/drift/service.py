"""The operations of drift detection. A detection is over when its call returns: what it found is told by the others."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.drift.detection import ResourceDrift, ResourceStatus, check, is_checkable
from treadle_local.cloudformation.errors import validation_error
from treadle_local.cloudformation.json_values import listed
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.requests import required
from treadle_local.cloudformation.resources import StackResource
from treadle_local.cloudformation.stacks import Stack

Operation: TypeAlias = Callable[[Params], Result | Awaitable[Result]]

# The calls that tell of stacks and resources, and the member of their answers that does.
_OF_STACKS = {"DescribeStacks": "Stacks", "ListStacks": "StackSummaries"}
_OF_RESOURCES = {
    "DescribeStackResource": "StackResourceDetail",
    "DescribeStackResources": "StackResources",
    "ListStackResources": "StackResourceSummaries",
}
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/detect-drift-stack.html
_DETECTABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"})
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResourceDrifts.html
_PAGE = 100
_AT_ONCE = 20


@dataclass(slots=True)
class _StackDrift:
    """What is known of one stack: the last result for each logical id, and when it was last checked."""

    checked_at: float
    resources: dict[str, ResourceDrift] = field(default_factory=dict[str, ResourceDrift])


@dataclass(frozen=True, slots=True)
class _Detection:
    """One DetectStackDrift that is over."""

    stack_id: str
    finished_at: float
    status: str
    drifted: int


class Drift:
    """The drift of all stacks. `find` is the stack of a name or id, or None."""

    def __init__(self, region: Region, clock: Clock, aws: Aws, find: Callable[[str], Stack | None]) -> None:
        self._region = region
        self._clock = clock
        self._aws = aws
        self._find = find
        self._stacks: dict[str, _StackDrift] = {}
        self._detections: dict[str, _Detection] = {}

        self.operations: Mapping[str, Operation] = MappingProxyType(
            {
                "DescribeStackDriftDetectionStatus": self._describe_detection,
                "DescribeStackResourceDrifts": self._describe_resources,
                "DetectStackDrift": self._detect_stack,
                "DetectStackResourceDrift": self._detect_resource,
            }
        )

    def told_by(self, operations: Mapping[str, Operation]) -> dict[str, Operation]:
        """The operations, with `DriftInformation` in the answers of those that tell of stacks and resources."""
        return {name: self._telling(name, operation) for name, operation in operations.items()}

    def _telling(self, name: str, operation: Operation) -> Operation:
        member = (_OF_STACKS | _OF_RESOURCES).get(name)
        if member is None:
            return operation
        add = self._add_to_stack if name in _OF_STACKS else self._add_to_resource

        def told(params: Params) -> Result | Awaitable[Result]:
            answer = operation(params)
            if isinstance(answer, Mapping) and self._stacks:
                for described in listed(answer[member]):
                    add(described, params)
            return answer

        return told

    def _add_to_stack(self, described: dict[str, Any], params: Params) -> None:
        stack = self._find(described["StackId"])
        known = None if stack is None else self._stacks.get(stack.id)
        if stack is not None and known is not None:
            status = {"StackDriftStatus": self._status(stack), "LastCheckTimestamp": _moment(known.checked_at)}
            described["DriftInformation"] = status

    def _add_to_resource(self, described: dict[str, Any], params: Params) -> None:
        stack = self._find(described.get("StackId") or params["StackName"])
        found = None if stack is None else self._results(stack).get(described["LogicalResourceId"])
        if found is not None:
            checked = {"LastCheckTimestamp": _moment(found.checked_at)}
            described["DriftInformation"] = {"StackResourceDriftStatus": found.status.value, **checked}

    async def _detect_stack(self, params: Params) -> Result:
        stack = self._stack(params)
        wanted: Collection[str] | None = params.get("LogicalResourceIds")
        for logical_id in wanted or ():
            _resource(stack, logical_id)
        chosen = [
            record
            for logical_id, record in stack.resources.items()
            if is_checkable(record) and (wanted is None or logical_id in wanted)
        ]
        found = await self._check_all(stack, chosen)
        identity = str(uuid.uuid4())
        drifted = sum(each.is_drifted for each in found)
        self._detections[identity] = _Detection(stack.id, self._clock.now(), self._status(stack), drifted)
        return {"StackDriftDetectionId": identity}

    async def _detect_resource(self, params: Params) -> Result:
        stack = self._stack(params)
        record = _resource(stack, required(params, "LogicalResourceId"))
        if not is_checkable(record):
            raise validation_error(f"Drift detection is not supported for resource type {record.type}")
        (found,) = await self._check_all(stack, [record])
        return {"StackResourceDrift": _told(stack, found)}

    def _describe_detection(self, params: Params) -> Result:
        identity = required(params, "StackDriftDetectionId")
        detection = self._detections.get(identity)
        if detection is None:
            raise validation_error(f"Drift detection {identity} does not exist")
        return {
            "StackId": detection.stack_id,
            "StackDriftDetectionId": identity,
            "StackDriftStatus": detection.status,
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": detection.drifted,
            "Timestamp": _moment(detection.finished_at),
        }

    def _describe_resources(self, params: Params) -> Result:
        name = required(params, "StackName")
        stack = self._find(name)
        if stack is None:
            raise validation_error(f"Stack with id {name} does not exist")
        statuses: Sequence[str] = params.get("StackResourceDriftStatusFilters") or ()
        found = [each for each in self._results(stack).values() if not statuses or each.status.value in statuses]
        start, size = _start(params), min(params.get("MaxResults") or _PAGE, _PAGE)
        page = {"StackResourceDrifts": [_told(stack, each) for each in found[start : start + size]]}
        return page | ({"NextToken": str(start + size)} if start + size < len(found) else {})

    async def _check_all(self, stack: Stack, records: Sequence[StackResource]) -> list[ResourceDrift]:
        now = self._clock.now()
        found: list[ResourceDrift] = []
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            checks = (check(self._aws, self._region, stack.name, record, now) for record in some)
            found += await asyncio.gather(*checks)
        known = self._stacks.setdefault(stack.id, _StackDrift(now))
        known.checked_at = now
        known.resources.update({each.record.logical_id: each for each in found})
        return found

    def _status(self, stack: Stack) -> str:
        """DRIFTED where any resource that was checked is; a check of one resource counts for its stack too."""
        results = self._results(stack).values()
        if any(each.is_drifted for each in results):
            return "DRIFTED"
        return "UNKNOWN" if any(each.status is ResourceStatus.UNKNOWN for each in results) else "IN_SYNC"

    def _results(self, stack: Stack) -> dict[str, ResourceDrift]:
        """The last results for the resources that still stand as they stood then."""
        known = self._stacks.get(stack.id)
        return {
            logical_id: each
            for logical_id, each in ({} if known is None else known.resources).items()
            if (record := stack.resources.get(logical_id)) is not None
            and record.physical_id == each.record.physical_id
            and not record.is_gone
        }

    def _stack(self, params: Params) -> Stack:
        """The stack to be checked. Raises: ValidationError where there is none, or it is in no state for that."""
        name = required(params, "StackName")
        stack = self._find(name)
        if stack is None:
            raise validation_error(f"Stack [{name}] does not exist")
        if stack.status not in _DETECTABLE:
            raise validation_error(f"Stack [{stack.id}] is in {stack.status} state and cannot be checked for drift")
        return stack


def _told(stack: Stack, drift: ResourceDrift) -> dict[str, Any]:
    """A `StackResourceDrift`."""
    record = drift.record
    context = _context(record)
    return {
        "StackId": stack.id,
        "LogicalResourceId": record.logical_id,
        "PhysicalResourceId": record.physical_id,
        "ResourceType": record.type,
        "StackResourceDriftStatus": drift.status.value,
        "Timestamp": _moment(drift.checked_at),
        "ExpectedProperties": _json(drift.expected),
        "PropertyDifferences": [
            {
                "PropertyPath": each.path,
                "ExpectedValue": each.expected,
                "ActualValue": each.actual,
                "DifferenceType": each.type.value,
            }
            for each in drift.differences
        ],
        **({} if drift.actual is None else {"ActualProperties": _json(drift.actual)}),
        **({"PhysicalResourceIdContext": context} if context else {}),
        **({} if drift.reason is None else {"DriftStatusReason": drift.reason}),
    }


def _context(record: StackResource) -> list[dict[str, str]]:
    """What is needed beside the physical id to tell which resource is meant: a route's API."""
    names = PROVIDERS[record.type].schema.published.primary_identifier
    found = {name: record.model.properties[name] for name in names if name in record.model.properties}
    if len(names) < 2:
        return []
    return [{"Key": name, "Value": value} for name, value in found.items() if value != record.physical_id]


def _resource(stack: Stack, logical_id: str) -> StackResource:
    record = stack.resources.get(logical_id)
    if record is None:
        raise validation_error(f"Resource {logical_id} does not exist for stack {stack.name}")
    return record


def _start(params: Params) -> int:
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise validation_error("Invalid NextToken")
    return int(token)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
