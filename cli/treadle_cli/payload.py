"""JSON that a person gives on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import typer

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def parse_data(text: str) -> JsonValue:
    """The value of `--data`: JSON, `@FILE` or `-` for standard input.

    Raises: a usage error that shows where the JSON breaks.
    """
    source = "standard input" if text == "-" else text[1:] if text.startswith("@") else "it"
    try:
        content = _content(text)
        value: JsonValue = json.loads(content, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can be written in JSON, but not be sent
    except OSError as problem:
        raise _usage_error(f"cannot read {source}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise _usage_error(f"{source} is not UTF-8") from None
    except (ValueError, RecursionError) as problem:
        raise _usage_error(f"{source} is not JSON: {problem}") from None
    return value


def _content(text: str) -> str:
    if text == "-":
        return sys.stdin.buffer.read().decode()
    return Path(text[1:]).read_text("utf-8") if text.startswith("@") else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _usage_error(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--data")
