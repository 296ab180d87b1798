"""JSON that a person gives on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def parse_data(text: str) -> JsonValue:
    """The value of `--data`: JSON, `@FILE` or `-` for standard input.

    Raises: a usage error that shows where the JSON breaks.
    """
    if text == "-":
        source, content = "standard input", sys.stdin.read()
    elif text.startswith("@"):
        source = text[1:]
        try:
            content = Path(source).read_text()
        except OSError as problem:
            raise typer.BadParameter(f"cannot read {source}: {problem.strerror}", param_hint="--data") from None
    else:
        source, content = "--data", text
    try:
        value: JsonValue = json.loads(content)
    except ValueError as problem:
        raise typer.BadParameter(f"{source} is not JSON: {problem}", param_hint="--data") from None
    return value
