"""CORS headers that steps set themselves, which API Gateway drops where it has a CORS configuration.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from treadle_infra.app.findings import Finding, SourceLocation, warning
from treadle_infra.app.model import Cors
from treadle_infra.discovery.source import ParseProblem, Sources, parse

_ORIGIN, _CREDENTIALS, _EXPOSED = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
)
_NAMES = {name.lower(): name for name in (_ORIGIN, _CREDENTIALS, _EXPOSED)}
"""The headers that matter on a response that is no preflight's."""


def cors_header_findings(sources: Sources, files: Iterable[str], cors: Cors | None) -> Iterator[Finding]:
    """A warning for each header in `files` by which a step says something else than the project's `cors`."""
    for path in files if cors is not None else ():
        for header, value, line in _headers_of(sources.content(path)):
            if cors is None or value in _configured(cors).get(header, ()):
                continue
            yield warning(
                "cors-header-dropped",
                f"`{header}` is API Gateway's own business: what the step says here does not reach the browser",
                SourceLocation(path, line),
                "say it in the project's `cors` settings, for all routes, or switch those off",
            )


def _configured(cors: Cors) -> Mapping[str, tuple[str, ...]]:
    """Texts that may stand in the source, since they say what is sent anyway."""
    return {
        _ORIGIN: cors.allow_origins,
        _CREDENTIALS: ("true",) if cors.allow_credentials else ("false",),
        _EXPOSED: (*cors.expose_headers, ", ".join(cors.expose_headers)),
    }


@lru_cache(maxsize=4096)
def _headers_of(content: bytes) -> tuple[tuple[str, str | None, int], ...]:
    """Name, value (None: computed) and line of each CORS header that is written out in a file."""
    if b"ccess-" not in content and b"CCESS-" not in content:
        return ()
    tree = parse(content)
    if isinstance(tree, ParseProblem):
        return ()
    found: list[tuple[str, str | None, int]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys, values=values):
                pairs = [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=value):
                pairs = [(key, value)]
            case _:
                continue
        for key, value in pairs:
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.lower() in _NAMES:
                found.append((_NAMES[key.value.lower()], _text(value), key.lineno))
    return tuple(found)


def _text(value: ast.expr) -> str | None:
    if isinstance(value, ast.Constant):
        return str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
    return None
