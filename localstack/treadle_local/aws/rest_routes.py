"""Which operation of a REST service an HTTP request is, by the method, path and query of AWS's service models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from treadle_local.aws.service_models import service_model

if TYPE_CHECKING:
    from botocore.model import OperationModel

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's request line.

    `fixed_query` are the query's parts that stand in the model (`?uploads` has an empty value, `?list-type=2` its own),
    `required_query` and `required_headers` what the operation cannot be without.
    """

    operation: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    fixed_query: tuple[tuple[str, str], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]
    literal_characters: int
    deprecated: bool

    @property
    def precision(self) -> tuple[int, int, int, bool]:
        """Of two routes that fit a request, the one that asks for more is meant."""
        required = len(self.required_query) + len(self.required_headers)
        return len(self.fixed_query), required, self.literal_characters, not self.deprecated

    def matches(self, query: Query) -> bool:
        """Whether the query of a request has what stands in the model."""
        return all(name in query and (not value or value in query[name]) for name, value in self.fixed_query)

    def is_complete(self, query: Query, headers: Mapping[str, str]) -> bool:
        """Whether a request has what the operation cannot be without."""
        return self.required_query <= query.keys() and self.required_headers <= headers.keys()


@dataclass(frozen=True, slots=True)
class Found:
    """The operation, and the path's labels by their names in the template."""

    operation: str
    labels: Mapping[str, str]


def find_route(service: str, method: str, path: str, query: Query, headers: Mapping[str, str]) -> Found | None:
    """The operation of a request; None when the service has no such. `path` is percent-encoded, as it was sent.

    One that lacks a required parameter is found only where the request fits no other, for its service to complain.
    """
    incomplete: Found | None = None
    for route in _routes(service).get(method, ()):
        matched = route.path.fullmatch(path)
        if matched is None or not route.matches(query):
            continue
        found = Found(route.operation, dict(zip(route.labels, map(unquote, matched.groups()), strict=True)))
        if route.is_complete(query, headers):
            return found
        incomplete = incomplete or found
    return incomplete


@cache
def _routes(service: str) -> Mapping[str, Sequence[Route]]:
    """The routes of a service by method, the most precise ones first."""
    by_method: defaultdict[str, list[Route]] = defaultdict(list)
    model = service_model(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        by_method[operation.http["method"]].append(_route(name, operation))
    for routes in by_method.values():
        routes.sort(key=lambda route: route.precision, reverse=True)
    return by_method


def _route(name: str, operation: OperationModel) -> Route:
    template, _, query = operation.http["requestUri"].partition("?")
    fixed = parse_qs(query, keep_blank_values=True)
    required: dict[str, set[str]] = {"querystring": set(), "header": set()}
    shape = operation.input_shape
    for member_name in shape.required_members if shape is not None else ():
        serialization = shape.members[member_name].serialization if shape is not None else {}
        if serialization.get("location") in required:
            required[serialization["location"]].add(serialization["name"])
    expression, labels = _expression(template)
    return Route(
        operation=name,
        path=expression,
        labels=labels,
        fixed_query=tuple((key, value) for key, values in fixed.items() for value in values),
        required_query=frozenset(required["querystring"]),
        required_headers=frozenset(header.lower() for header in required["header"]),
        literal_characters=len(_LABEL.sub("", template)),
        deprecated=bool(operation.deprecated),
    )


def _expression(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """A template's expression with one group for each label; `{Key+}` takes slashes too."""
    literal_end = 0
    pieces: list[str] = []
    for label in _LABEL.finditer(template):
        pieces += [re.escape(template[literal_end : label.start()]), "(.+)" if label[2] else "([^/]+)"]
        literal_end = label.end()
    pieces.append(re.escape(template[literal_end:].rstrip("/")))
    if not template.endswith("+}"):
        pieces.append("/?")
    return re.compile("".join(pieces), re.DOTALL), tuple(label[1] for label in _LABEL.finditer(template))
