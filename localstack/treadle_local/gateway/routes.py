"""Which route of an HTTP API answers a request, as API Gateway picks it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html (Route priority)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from treadle_local.apigateway.integrations import LONGEST_MILLISECONDS, function_of
from treadle_local.apigateway.store import Deployment, Part, Protocol

REMEMBERED_DEPLOYMENTS = 128
"""A deployment never changes: what is made of it is kept, for as many as are likely to be asked for."""


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


@lru_cache(maxsize=REMEMBERED_DEPLOYMENTS)
def route_table(deployment: Deployment) -> RouteTable:
    """The routes that a deployment of an HTTP API has; those without an integration are none."""
    pairs = routes_with_integrations(deployment)
    return RouteTable((key, integration) for key, integration in pairs if integration is not None)


def routes_with_integrations(deployment: Deployment) -> Iterator[tuple[str, Integration | None]]:
    """The route keys of a deployment, each with what is behind it."""
    by_target = {f"integrations/{part.id}": _integration(deployment.protocol, part) for part in deployment.integrations}
    for route in deployment.routes:
        yield route.settings["RouteKey"], by_target.get(route.settings.get("Target", ""))


def _integration(protocol: Protocol, part: Part) -> Integration:
    uri: str = part.settings["IntegrationUri"]
    milliseconds: int = part.settings.get("TimeoutInMillis", LONGEST_MILLISECONDS[protocol])
    return Integration(part.id, function_of(uri) or uri, part.settings.get("CredentialsArn"), milliseconds / 1000)
