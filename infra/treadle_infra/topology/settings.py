"""What every function and queue of an app has in common."""

from __future__ import annotations

from treadle.names import Names
from treadle_infra.app.model import App

DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600
USUAL_LOG_LEVEL = "info"
"""What the adapter logs from on where nothing is said."""


def environment(app: App, names: Names) -> tuple[tuple[str, str], ...]:
    """The variables of every function, by name: those that the adapter computes all names from, and the app's own."""
    variables = {**dict(app.environment), "TREADLE_APP": names.app, "TREADLE_STAGE": names.stage}
    if app.log_level != USUAL_LOG_LEVEL:
        variables["LOG_LEVEL"] = app.log_level
    return tuple(sorted(variables.items()))
