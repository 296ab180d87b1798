"""Whether a word can be the name of an app or a stage, and what is said where it cannot; the same for every command."""

from __future__ import annotations

from treadle.names import APP_NAME_LIMIT, STAGE_NAME_LIMIT, is_app_name, is_stage_name
from treadle_infra.app.findings import Finding


def app_name_problem(name: str) -> Finding | None:
    """What is wrong with the name of an app."""
    if is_app_name(name):
        return None
    return Finding(
        "error",
        "app-name-not-allowed",
        f"`{name}` cannot be an app's name: {_rule(APP_NAME_LIMIT)}",
        hint="set `name` under `[tool.treadle]` in pyproject.toml",
    )


def stage_name_problem(name: str) -> Finding | None:
    """What is wrong with the name of a stage."""
    if is_stage_name(name):
        return None
    return Finding(
        "error",
        "stage-name-not-allowed",
        f"`{name}` cannot be a stage's name: {_rule(STAGE_NAME_LIMIT)}",
        hint="use a name such as `dev`, `prod` or `pr-12`",
    )


def _rule(limit: int) -> str:
    return f"at most {limit} lower-case letters, digits and single dashes, a letter first"
