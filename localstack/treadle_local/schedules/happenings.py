"""What schedules have to tell, as values."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

_log = logging.getLogger("treadle.schedules")


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule or schedule has sent its event to one target, or is to send it; `time` is the moment planned."""

    name: str
    source_arn: str
    target_arn: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An event that reached neither its target nor a dead-letter queue is gone."""

    name: str
    source_arn: str
    target_arn: str
    reason: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Firings that did not happen since the machine slept: how many, the first and the last."""

    name: str
    source_arn: str
    count: int
    first: datetime
    last: datetime


ScheduleHappening: TypeAlias = Firing | Undelivered | Missed
Tell: TypeAlias = Callable[[ScheduleHappening], None]


def log_trouble(happening: ScheduleHappening) -> None:
    """Writes to the log what would else go unnoticed."""
    match happening:
        case Undelivered(name, _, target_arn, reason):
            _log.error("%s: an event for %s was given up: %s", name, target_arn, reason)
        case Missed(name, _, count, first, last):
            _log.warning("%s missed %d firing(s) from %s to %s", name, count, first, last)
        case Firing():
            return
