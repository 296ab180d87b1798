"""Route selection expressions of WebSocket APIs: which part of a message names its route.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_BODY = "request.body."
_PART = re.compile(
    r"\\(?P<escaped>.)|\$\{(?P<braced>[^{}$]+)\}|\$(?P<bare>[A-Za-z0-9_][\w.-]*)|(?P<text>[^\\$]+)", re.S
)


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
