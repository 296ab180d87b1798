"""JSON text as AWS reads it: UTF-8, without the numbers and half characters that only Python's own reader takes."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from treadle_local.aws.wire import unreadable

_HALVES = (b"\\ud", b"\\uD")  # escaped surrogates: two make a character, and one alone cannot be written again


def read_json(body: bytes) -> Any:
    """The value of a JSON document.

    Raises: AwsError SerializationException.
    """
    try:
        value = _decode(body.decode("utf-8"))
        if any(half in body for half in _HALVES):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (RecursionError, ValueError) as error:
        raise unreadable(error) from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
