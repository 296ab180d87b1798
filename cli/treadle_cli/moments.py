"""Moments and lengths of time as people write and read them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(?:\d+[smhdw])+")


def parse_since(text: str) -> float:
    """Seconds since the epoch of `90s`, `10m`, `1h30m`, `2d` ago, or of an ISO date and time (local without an offset).

    By the machine's clock, which functions have too: the emulator's may be turned by hand.
    Raises: a usage error.
    """
    if _LENGTH.fullmatch(text):
        ago = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))
        return max(0.0, time.time() - ago)
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        message = f"`{text}` is neither a length (90s, 10m, 1h30m, 2d) nor a date and time (2026-07-14T09:00)"
        raise typer.BadParameter(message, param_hint="--since") from None


def moment(utc: datetime, timezone: str | None = None) -> str:
    """`Wed 2026-07-15 09:00 UTC`, in its timezone where there is one: `Wed 2026-07-15 09:00 Europe/Berlin`."""
    zone = UTC if timezone is None else ZoneInfo(timezone)
    return f"{utc.astimezone(zone):%a %Y-%m-%d %H:%M} {timezone or 'UTC'}"


def clock_time(time_ms: float, today: datetime) -> str:
    """`09:00:00.123` by this machine's timezone, with the date ahead where that is not `today`."""
    local = datetime.fromtimestamp(time_ms / 1000, today.tzinfo)
    text = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    return text if local.date() == today.date() else f"{local:%m-%d} {text}"


def iso_time(time_ms: float) -> str:
    """`2026-07-15T09:00:00.123Z`"""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def length(milliseconds: float) -> str:
    """A length of time with two or three digits: `7 ms`, `312 ms`, `2.4 s`, `41 s`, `3 min 5 s`, `2 h 4 min`."""
    if milliseconds < 0.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    whole = timedelta(seconds=round(seconds))
    minutes, rest = divmod(int(whole.total_seconds()), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
