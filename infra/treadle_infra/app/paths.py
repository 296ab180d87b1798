"""Route paths: from Express's syntax, in which steps are written, to API Gateway's."""

from __future__ import annotations

import re

_LITERAL = re.compile(r"[A-Za-z0-9._~$&'()+,;=@%!-]+")
_PARAMETER = re.compile(r":([A-Za-z0-9_]+)")


def path_problem(path: str) -> str | None:
    """What in a path has no counterpart in API Gateway, as half a sentence; None where all of it has one."""
    if not path.startswith("/"):
        return "it must begin with `/`"
    segments = path.strip("/").split("/") if path.strip("/") else []
    seen: set[str] = set()
    for position, segment in enumerate(segments):
        if segment == "*":
            if position != len(segments) - 1:
                return "`*` may stand at its end only"
            continue
        parameter = _PARAMETER.fullmatch(segment)
        if parameter:
            if parameter[1] in seen:
                return f"the parameter `:{parameter[1]}` stands in it twice"
            seen.add(parameter[1])
        elif not segment:
            return "it has an empty segment (`//`)"
        elif segment.startswith(":") and segment.endswith("?"):
            return f"the optional parameter `{segment}` has no counterpart in API Gateway; write two steps"
        elif not _LITERAL.fullmatch(segment):
            return f"the segment `{segment}` is neither plain text nor one `:parameter`"
    return None


def gateway_path(path: str) -> str:
    """The path in API Gateway's syntax: `/orders/:id` becomes `/orders/{id}`, a `*` at the end `{proxy+}`."""
    segments = path.strip("/").split("/") if path.strip("/") else []
    return "/" + "/".join("{proxy+}" if segment == "*" else _PARAMETER.sub(r"{\1}", segment) for segment in segments)
