"""Which route of an HTTP API answers a request, as API Gateway picks it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html (Route priority)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

_MAXIMUM_TIMEOUT_SECONDS = 30.0
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""


@dataclass(frozen=True, slots=True)
class Integration:
    """The function behind a route. `credentials_role` is the role that API Gateway takes on to invoke it."""

    integration_id: str
    function_arn: str
    credentials_role: str | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Match:
    """A route that fits a request, with its path parameters decoded."""

    route_key: str
    integration: Integration
    path_parameters: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    """One path segment of all routes: literal children first, then a parameter, then a greedy parameter."""

    literal: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    parameter: tuple[str, _Node] | None = None
    greedy: tuple[str, dict[str, tuple[str, Integration]]] | None = None
    methods: dict[str, tuple[str, Integration]] = field(default_factory=dict[str, tuple[str, Integration]])


class RouteTable:
    """All routes of one API. Literal segments win over parameters, parameters over greedy ones, a method over ANY."""

    def __init__(self, routes: Iterable[tuple[str, Integration]]) -> None:
        self._root = _Node()
        self._default: tuple[str, Integration] | None = None
        for route_key, integration in routes:
            self._add(route_key, integration)

    def _add(self, route_key: str, integration: Integration) -> None:
        if route_key == "$default":
            self._default = (route_key, integration)
            return
        method, path = route_key.split(" ", 1)
        node = self._root
        for segment in path.strip("/").split("/") if path != "/" else ():
            if segment.startswith("{") and segment.endswith("+}"):
                if node.greedy is None:
                    node.greedy = (segment[1:-2], {})
                node.greedy[1][method] = (route_key, integration)
                return
            if segment.startswith("{") and segment.endswith("}"):
                if node.parameter is None:
                    node.parameter = (segment[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.literal.setdefault(segment, _Node())
        node.methods[method] = (route_key, integration)

    def match(self, method: str, path: str) -> Match | None:
        """The route for a request; `path` is percent-encoded, without the stage. None where there is none."""
        # a slash at the end is a segment of its own, empty, which only a greedy parameter takes
        segments = [unquote(segment) for segment in path[1:].split("/")] if path != "/" else []
        found = self._find(self._root, segments, 0, method, {})
        if found is None and self._default is not None:
            return Match(*self._default, {})
        return found

    def _find(self, node: _Node, segments: list[str], at: int, method: str, parameters: dict[str, str]) -> Match | None:
        if at == len(segments):
            target = node.methods.get(method) or node.methods.get("ANY")
            return Match(target[0], target[1], _named(target[0], parameters)) if target else None
        segment = segments[at]
        child = node.literal.get(segment)
        if child is not None and (found := self._find(child, segments, at + 1, method, parameters)):
            return found
        if node.parameter is not None and segment:
            deeper = {**parameters, str(at): segment}
            if found := self._find(node.parameter[1], segments, at + 1, method, deeper):
                return found
        if node.greedy is not None:
            target = node.greedy[1].get(method) or node.greedy[1].get("ANY")
            if target is not None:
                rest = {**parameters, str(at): "/".join(segments[at:])}
                return Match(target[0], target[1], _named(target[0], rest))
        return None


def _named(route_key: str, by_position: Mapping[str, str]) -> dict[str, str]:
    """Parameters under the names of the route that matched: two routes may name the same place differently."""
    if not by_position:
        return {}
    pattern = route_key.split(" ", 1)[1].strip("/").split("/")
    return {pattern[int(at)].strip("{}").removesuffix("+"): value for at, value in by_position.items()}


def route_table(routes: Iterable[Mapping[str, Any]], integrations: Iterable[Mapping[str, Any]]) -> RouteTable:
    """The table of an API from what GetRoutes and GetIntegrations answer."""
    by_id = integrations_by_id(integrations, _MAXIMUM_TIMEOUT_SECONDS)
    pairs = (
        (str(route["RouteKey"]), by_id[target])
        for route in routes
        if (target := str(route.get("Target") or "").removeprefix("integrations/")) in by_id
    )
    return RouteTable(pairs)


def integrations_by_id(
    integrations: Iterable[Mapping[str, Any]], maximum_timeout_seconds: float
) -> dict[str, Integration]:
    """What GetIntegrations answers, by id; `maximum_timeout_seconds` is what holds where none is set, too."""
    return {str(entry["IntegrationId"]): _integration(entry, maximum_timeout_seconds) for entry in integrations}


def _integration(entry: Mapping[str, Any], maximum_timeout_seconds: float) -> Integration:
    uri = str(entry.get("IntegrationUri", ""))
    # an ARN, or the longer form arn:aws:apigateway:…:lambda:path/2015-03-31/functions/<arn>/invocations
    arn = uri.split("/functions/", 1)[-1].removesuffix("/invocations")
    timeout_seconds = float(entry.get("TimeoutInMillis") or 1000 * maximum_timeout_seconds) / 1000
    return Integration(
        str(entry["IntegrationId"]),
        arn,
        entry.get("CredentialsArn") or None,
        min(timeout_seconds, maximum_timeout_seconds),
    )
