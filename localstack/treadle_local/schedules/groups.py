"""Schedule groups with the schedules in them, and their tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.schedules.refusals import conflict, invalid, not_found
from treadle_local.schedules.schedule import DEFAULT_GROUP, Schedule


@dataclass(slots=True)
class Group:
    """A group by name; schedules go with it when it is deleted."""

    arn: str
    name: str
    created: datetime | None = None
    token: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    schedules: dict[str, Schedule] = field(default_factory=dict[str, Schedule])

    def at(self, name: str) -> Schedule:
        """The schedule of this name. Raises: AwsError ResourceNotFoundException."""
        found = self.schedules.get(name)
        if found is None:
            raise not_found(f"Schedule {name} does not exist.")
        return found

    def describe(self) -> dict[str, Any]:
        """The answer of GetScheduleGroup; also an entry of ListScheduleGroups."""
        dates = {} if self.created is None else {"CreationDate": self.created, "LastModificationDate": self.created}
        return {"Arn": self.arn, "Name": self.name, "State": "ACTIVE", **dates}


class Groups:
    """All groups of the account and region; the default one is always there."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._groups = {DEFAULT_GROUP: Group(self._arn(DEFAULT_GROUP), DEFAULT_GROUP)}

    def __iter__(self) -> Iterator[Group]:
        """All groups by name."""
        return iter([self._groups[name] for name in sorted(self._groups)])

    def at(self, name: str | None) -> Group:
        """The group of this name, or the default one. Raises: AwsError ResourceNotFoundException."""
        found = self._groups.get(name or DEFAULT_GROUP)
        if found is None:
            raise not_found(f"Schedule group {name} does not exist.")
        return found

    def at_arn(self, arn: str) -> Group:
        """The group whose tags are meant; schedules have none.

        Raises: AwsError ResourceNotFoundException; ValidationException for the ARN of anything else.
        """
        if ":schedule-group/" not in arn:
            raise invalid(f"{arn} is not the ARN of a schedule group.")
        return self.at(arn.rpartition("/")[2])

    def add(self, name: str, token: str | None, now: datetime, tags: dict[str, str]) -> Group:
        """A new group, or the one that the same call made before. Raises: AwsError ConflictException."""
        known = self._groups.get(name)
        if known is not None:
            if token is not None and token == known.token:
                return known
            raise conflict(f"Schedule group {name} already exists.")
        self._groups[name] = Group(self._arn(name), name, now, token, tags)
        return self._groups[name]

    def remove(self, name: str) -> Group:
        """The group that is gone.

        Raises: AwsError ResourceNotFoundException; ValidationException for the default group.
        """
        if name == DEFAULT_GROUP:
            raise invalid("The default schedule group cannot be deleted.")
        group = self.at(name)
        del self._groups[name]
        return group

    def find(self, schedule_arn: str) -> Schedule | None:
        """The schedule with this ARN."""
        group, _, name = schedule_arn.partition(":schedule/")[2].partition("/")
        return self._groups[group].schedules.get(name) if group in self._groups else None

    def _arn(self, name: str) -> str:
        return self._region.arn("scheduler", f"schedule-group/{name}")
