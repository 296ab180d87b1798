"""Moments as AWS's operations give them and its events write them."""

from __future__ import annotations

from datetime import UTC, datetime

from treadle_local.aws.wire import unreadable


def moment_of(value: object) -> datetime:
    """The moment of a timestamp: a datetime, seconds since 1970, or ISO 8601 text as templates have it.

    Raises: AwsError SerializationException.
    """
    try:
        match value:
            case datetime():
                moment = value
            case int() | float():
                moment = datetime.fromtimestamp(value, UTC)
            case _:
                moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise unreadable(f"{value!r} is no timestamp") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def written(moment: datetime) -> str:
    """To the second, `2024-03-31T01:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
