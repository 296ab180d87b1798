"""When the cron steps of an app run, read from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle_infra.app.model import CronDialect, CronTrigger
from treadle_infra.topology.firings import next_firings


@dataclass(frozen=True, slots=True)
class PlannedSchedule:
    """One schedule of a step: `number` counts the step's own from 1, `name` is AWS's. `timezone` None means UTC."""

    step: str
    number: int
    name: str
    expression: str
    timezone: str | None
    dialect: CronDialect

    def next_firings(self, after: datetime, count: int) -> list[datetime]:
        """The next times, later than `after`; fewer where its years end."""
        return next_firings(CronTrigger(self.expression, self.timezone, self.dialect), after, count)


def planned_schedules(manifest: Mapping[str, Any]) -> list[PlannedSchedule]:
    """The schedules of all steps, in the order of the manifest."""
    return [
        PlannedSchedule(
            step=str(entry["step"]),
            number=number,
            name=str(schedule["name"]),
            expression=str(schedule["expression"]),
            timezone=schedule.get("timezone"),
            dialect="unix" if schedule.get("dialect") == "unix" else "and",
        )
        for entry in manifest["steps"]
        for number, schedule in enumerate(entry.get("schedules", ()), 1)
    ]
