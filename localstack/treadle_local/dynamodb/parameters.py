"""Reads the members of a request that are not expressions or items, in AWS's words where they are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from treadle_local.aws.service import Params
from treadle_local.dynamodb.capacity import Detail
from treadle_local.dynamodb.errors import broken_constraint, invalid, malformed

_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)


def member(params: Params, name: str) -> Any:
    """A member that must be there.

    Raises: ValidationException.
    """
    value = params.get(name)
    if value is None:
        raise broken_constraint(None, _lower(name), "Member must not be null")
    return value


def table_name(params: Params) -> str:
    """The table's name or ARN, as given."""
    name = member(params, "TableName")
    if not isinstance(name, str):
        raise malformed("Unexpected value type in payload: TableName")
    return name


def index_name(params: Params) -> str | None:
    """The name of a secondary index, None when absent."""
    name = params.get("IndexName")
    if name is not None and not isinstance(name, str):
        raise malformed("Unexpected value type in payload: IndexName")
    return name


def mapping(params: Params, name: str) -> Mapping[str, Any]:
    """A structure or map that must be there."""
    value = member(params, name)
    if not isinstance(value, dict):
        raise malformed(f"Unexpected value type in payload: {name}")
    return cast("dict[str, Any]", value)


def listing(params: Params, name: str, *, minimum: int, maximum: int) -> list[Mapping[str, Any]]:
    """A list of structures that must be there, of so many."""
    value = member(params, name)
    if not isinstance(value, list):
        raise malformed(f"Unexpected value type in payload: {name}")
    elements = cast("list[Mapping[str, Any]]", value)
    if not all(isinstance(element, Mapping) for element in elements):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise malformed(f"Unexpected value type in payload: {name}")
    shown = f"[{len(elements)} items]"
    if len(elements) < minimum:
        raise broken_constraint(shown, _lower(name), f"Member must have length greater than or equal to {minimum}")
    if len(elements) > maximum:
        raise broken_constraint(shown, _lower(name), f"Member must have length less than or equal to {maximum}")
    return elements


def choice(params: Params, name: str, allowed: tuple[str, ...], default: str) -> str:
    """A member that is one of the allowed words."""
    value = params.get(name)
    if value is None:
        return default
    if value not in allowed:
        words = ", ".join(allowed)
        raise broken_constraint(value, _lower(name), f"Member must satisfy enum value set: [{words}]")
    word: str = value
    return word


def flag(params: Params, name: str, *, default: bool) -> bool:
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise malformed(f"Unexpected token received from parser: {name}")
    return value


def integer(params: Params, name: str, minimum: int, maximum: int | None = None) -> int | None:
    """A whole number within bounds, None when absent."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed(f"Unexpected token received from parser: {name}")
    if value < minimum:
        raise broken_constraint(value, _lower(name), f"Member must have value greater than or equal to {minimum}")
    if maximum is not None and value > maximum:
        raise broken_constraint(value, _lower(name), f"Member must have value less than or equal to {maximum}")
    return value


def capacity_detail(params: Params) -> Detail:
    """What ReturnConsumedCapacity asks for."""
    words = ("INDEXES", "TOTAL", "NONE")
    return cast("Detail", choice(params, "ReturnConsumedCapacity", words, "NONE"))


def returns_old_on_failure(params: Params) -> bool:
    """Whether a failed condition shall show the stored item."""
    words: tuple[Literal["ALL_OLD"], Literal["NONE"]] = ("ALL_OLD", "NONE")
    return choice(params, "ReturnValuesOnConditionCheckFailure", words, "NONE") == "ALL_OLD"


def check_table_name(name: str) -> None:
    """Passes for a name that a table could have.

    Raises: ValidationException.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise broken_constraint(name, "tableName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
    if not 3 <= len(name) <= 255:
        raise invalid("TableName must be at least 3 characters long and at most 255 characters long")


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
