"""Narrowing of JSON values at the border: an object or a list of whatever, or nothing."""

from __future__ import annotations

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    return cast("list[Any]", value) if isinstance(value, list) else None


def listed(value: Any) -> list[Any]:
    """The value itself where it is a list, else a list of it."""
    items = as_list(value)
    return [value] if items is None else items
