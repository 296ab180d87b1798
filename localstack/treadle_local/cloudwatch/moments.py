"""Times in requests, which stand there in another form for each protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from treadle_local.cloudwatch.refusals import invalid_value


def seconds_of(value: Any, member: str) -> float:
    """Seconds since the epoch. Raises: AwsError InvalidParameterValue."""
    if isinstance(value, datetime):
        return value.timestamp() if value.tzinfo else value.replace(tzinfo=UTC).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise invalid_value(f"The value {value} for parameter {member} is no timestamp.") from None
    return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp()


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def written(seconds: float) -> str:
    """As alarms write it: `2026-01-31T12:00:00.000+0000`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{int(seconds % 1 * 1000):03d}+0000"
