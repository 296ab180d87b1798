"""Which route of a WebSocket API takes a message.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from treadle_local.apigateway.selection import SelectionExpression
from treadle_local.apigateway.store import Deployment
from treadle_local.gateway.routes import REMEMBERED_DEPLOYMENTS, Integration, routes_with_integrations
from treadle_local.gateway.websocket_event import CONNECT, DEFAULT, DISCONNECT


@dataclass(frozen=True, slots=True)
class Route:
    """A route; one without an integration does nothing."""

    key: str
    integration: Integration | None


@dataclass(frozen=True, slots=True)
class WebSocketTable:
    """The routes of one deployment of a WebSocket API."""

    expression: SelectionExpression
    routes: Mapping[str, Route]

    def select(self, message: str) -> Route | None:
        """The route of a message. One that is no JSON, or names no route of its own, is for `$default`."""
        try:
            key = self.expression.evaluate(json.loads(message))
        except (ValueError, RecursionError):
            key = None
        if key is not None and key not in (CONNECT, DISCONNECT) and key in self.routes:
            return self.routes[key]
        return self.routes.get(DEFAULT)


@lru_cache(maxsize=REMEMBERED_DEPLOYMENTS)
def websocket_table(deployment: Deployment) -> WebSocketTable:
    """The routes that a deployment has."""
    expression = SelectionExpression.parse(deployment.settings["RouteSelectionExpression"])
    pairs = routes_with_integrations(deployment)
    return WebSocketTable(expression, {key: Route(key, integration) for key, integration in pairs})
