"""A first `curl` for a project: a request that its first route will probably like."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from treadle_infra.app.model import App, HttpTrigger, Step

_READS_OF_BODY = re.compile(r"body\b[^\n]*?(?:\.get\(|\[)\s*[\"'](\w+)[\"']")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def sample_curl(app: App, project: Path, http_url: str) -> str | None:
    """A command that calls the first step that answers HTTP; None where there is none."""
    for step in app.steps:
        for trigger in step.triggers:
            if isinstance(trigger, HttpTrigger):
                return _curl(step, trigger, project, http_url)
    return None


def _curl(step: Step, trigger: HttpTrigger, project: Path, http_url: str) -> str:
    path = re.sub(r":\w+", "1", trigger.path).replace("*", "x")
    if trigger.method in ("GET", "ANY"):
        return f"curl {http_url}{path}"
    command = f"curl -X {trigger.method} {http_url}{path}"
    if trigger.method not in _METHODS_WITH_BODY:
        return command
    body = json.dumps(_from_schema(trigger.body_schema) or _from_source(project / step.path))
    return f"{command} -H 'content-type: application/json' -d '{body}'"


def _from_schema(schema: object) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    properties: Any = cast("dict[str, Any]", schema).get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: _value(value) for name, value in cast("dict[str, Any]", properties).items()}


def _value(schema: object) -> object:
    kind = cast("dict[str, Any]", schema).get("type") if isinstance(schema, dict) else None
    match kind:
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return "x"


def _from_source(source: Path) -> dict[str, Any]:
    """The names that the handler reads from the body, as far as its text shows them."""
    try:
        names = _READS_OF_BODY.findall(source.read_text())
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: "u1" if name.lower().endswith("id") else "hi" for name in dict.fromkeys(names) if name != "body"}
