"""Narrowing of JSON values at the border: an object or a list of whatever, or nothing."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def listed(value: Any) -> list[Any]:
    """The value itself where it is a list, else a list of it."""
    return value if is_list(value) else [value]
