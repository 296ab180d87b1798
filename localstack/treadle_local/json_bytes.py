"""JSON as bytes, for what every event and every answer is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson


def json_bytes(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """The shortest JSON of a value, in UTF-8; `default` stands in for what has no JSON, times included.

    What `orjson` does not take, `json` writes: integers of any length, and half characters, which texts of users have.
    Raises: TypeError.
    """
    try:
        return orjson.dumps(value, default, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default)
        return text.encode("utf-8", "surrogatepass")
