"""Which route of a WebSocket API takes a message.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
and .../apigateway-websocket-api-selection-expressions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.gateway.routes import Integration, integrations_by_id
from treadle_local.gateway.websocket_event import CONNECT, DEFAULT, DISCONNECT

_BODY = "request.body."
_PART = re.compile(
    r"\\(?P<escaped>.)|\$\{(?P<braced>[^{}$]+)\}|\$(?P<bare>[A-Za-z0-9_][\w.-]*)|(?P<text>[^\\$]+)", re.S
)
_MAXIMUM_TIMEOUT_SECONDS = 29.0
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""


@dataclass(frozen=True, slots=True)
class SelectionExpression:
    """A route selection expression: texts, and paths into the message's JSON, in turn."""

    parts: tuple[str | tuple[str, ...], ...]

    @classmethod
    def parse(cls, expression: str) -> SelectionExpression:
        """Raises ValueError, which says what of it is not possible."""
        parts: list[str | tuple[str, ...]] = []
        at = 0
        while at < len(expression):
            found = _PART.match(expression, at)
            if found is None:
                raise ValueError(f"{expression} cannot be read from {expression[at:]} on")
            at = found.end()
            variable = found["braced"] or found["bare"]
            if variable is None:
                parts.append(found["escaped"] or found["text"])
            elif variable.startswith(_BODY) and variable != _BODY:
                parts.append(tuple(variable.removeprefix(_BODY).split(".")))
            else:
                raise ValueError(f"${variable}: routes are selected by $request.body.… only")
        return cls(tuple(parts))

    def evaluate(self, body: Any) -> str | None:
        """The route key that a message's JSON value stands for; None where a variable has no value in it."""
        texts: list[str] = []
        for part in self.parts:
            text = part if isinstance(part, str) else _text_at(body, part)
            if text is None:
                return None
            texts.append(text)
        return "".join(texts)


def _text_at(body: Any, path: tuple[str, ...]) -> str | None:
    value = body
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = cast("Mapping[str, Any]", value)[name]
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


@dataclass(frozen=True, slots=True)
class Route:
    """A route; one without an integration does nothing."""

    key: str
    integration: Integration | None


@dataclass(frozen=True, slots=True)
class WebSocketTable:
    """The routes of one WebSocket API as they are now."""

    expression: SelectionExpression
    routes: Mapping[str, Route]
    stages: frozenset[str]

    def select(self, message: str) -> Route | None:
        """The route of a message. One that is no JSON, or names no route of its own, is for `$default`."""
        try:
            key = self.expression.evaluate(json.loads(message))
        except (ValueError, RecursionError):
            key = None
        if key is not None and key not in (CONNECT, DISCONNECT) and key in self.routes:
            return self.routes[key]
        return self.routes.get(DEFAULT)


def websocket_table(
    api: Mapping[str, Any],
    routes: Iterable[Mapping[str, Any]],
    integrations: Iterable[Mapping[str, Any]],
    stages: Iterable[Mapping[str, Any]],
) -> WebSocketTable:
    """The table of an API from what GetApi, GetRoutes, GetIntegrations and GetStages answer."""
    by_id = integrations_by_id(integrations, _MAXIMUM_TIMEOUT_SECONDS)
    targets = {str(route["RouteKey"]): str(route.get("Target") or "") for route in routes}
    return WebSocketTable(
        SelectionExpression.parse(str(api["RouteSelectionExpression"])),
        {key: Route(key, by_id.get(target.removeprefix("integrations/"))) for key, target in targets.items()},
        frozenset(str(stage["StageName"]) for stage in stages),
    )
