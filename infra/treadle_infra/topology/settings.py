"""What every function and queue of an app has in common."""

from __future__ import annotations

from treadle.names import Names

PYTHON_RUNTIME = "python3.13"
DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600
LOG_RETENTION_DAYS = 14


def environment(names: Names) -> tuple[tuple[str, str], ...]:
    """The variables that the adapter computes all names from."""
    return (("TREADLE_APP", names.app), ("TREADLE_STAGE", names.stage))
