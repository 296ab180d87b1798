"""The check of single resources: each is read from its service and held against what its stack made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.drift.differences import Difference, differences, own_tags
from treadle_local.cloudformation.errors import ResourceError
from treadle_local.cloudformation.providers.base import Context, Model, ReservedTags, Schema
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.resources import StackResource


class ResourceStatus(Enum):
    IN_SYNC = "IN_SYNC"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """What a check has found. Properties are in the template's shapes; `checked_at` is in seconds since the epoch."""

    record: StackResource
    status: ResourceStatus
    checked_at: float
    expected: dict[str, Any]
    actual: dict[str, Any] | None = None
    differences: tuple[Difference, ...] = ()
    reason: str | None = None

    @property
    def is_drifted(self) -> bool:
        return self.status in (ResourceStatus.MODIFIED, ResourceStatus.DELETED)


def is_checkable(record: StackResource) -> bool:
    """Whether AWS checks resources of this type, and this one is there to be checked."""
    return bool(record.physical_id) and not record.is_gone and PROVIDERS[record.type].schema.published.readable


async def check(aws: Aws, region: Region, stack_name: str, record: StackResource, now: float) -> ResourceDrift:
    """Holds one resource against what is there now."""
    provider = PROVIDERS[record.type]
    context = Context(aws, region, stack_name, record.logical_id, ReservedTags(), record.physical_id)
    expected = _shown(provider.schema, record.model, record.model)
    try:
        actual = await provider.read(context, record.model)
    except ResourceError as failure:
        return ResourceDrift(record, ResourceStatus.UNKNOWN, now, expected, reason=str(failure))
    if actual is None:
        return ResourceDrift(record, ResourceStatus.DELETED, now, expected)
    found = differences(provider.schema, record.model, actual)
    status = ResourceStatus.MODIFIED if found else ResourceStatus.IN_SYNC
    return ResourceDrift(record, status, now, expected, _shown(provider.schema, actual, record.model), found)


def _shown(schema: Schema, model: Model, expected: Model) -> dict[str, Any]:
    """Those properties of a model that the stack sets, with their tags if it sets any."""
    shown = {name: value for name, value in model.properties.items() if name in expected.properties}
    tags = own_tags(model)
    if schema.tags is not None and own_tags(expected) and tags:
        shown["Tags"] = schema.tags.write(tags)
    return shown
