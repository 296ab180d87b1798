"""Arguments of state and stream methods: the group may be left out, and anything may be given by keyword."""

from __future__ import annotations

DEFAULT_GROUP = "default"
_LONGEST_TTL_SECONDS = 100 * 366 * 24 * 3600
"""A limit of ours: what is longer is more likely a point in time, or milliseconds."""


def bind(
    method: str, names: tuple[str, ...], positional: tuple[object, ...], keywords: dict[str, object]
) -> list[object]:
    """The values of `names`, in their order. The first name is the group: left out, it is `default`.

    `bind("set", ("group", "key", "value"), ("k", 1), {})` is `["default", "k", 1]`.
    Raises: TypeError.
    """
    for keyword in keywords:
        if keyword not in names:
            raise TypeError(f"{method}() has no argument `{keyword}`; it takes {', '.join(names)}")
    open_names = [name for name in names if name not in keywords]
    if open_names and open_names[0] == names[0] and len(positional) == len(open_names) - 1:
        positional = (DEFAULT_GROUP, *positional)
    if len(positional) != len(open_names):
        least, most = len(names) - 1, len(names)
        given = len(positional) + len(keywords)
        raise TypeError(f"{method}() takes {least} or {most} arguments ({', '.join(names)}), got {given}")
    values = dict(zip(open_names, positional, strict=True)) | keywords
    return [values[name] for name in names]


def checked_ttl_seconds(method: str, ttl_seconds: object) -> float | None:
    """`ttl_seconds` where it is a positive number, None where it is None.

    Raises: TypeError, ValueError.
    """
    if ttl_seconds is None:
        return None
    if isinstance(ttl_seconds, bool) or not isinstance(ttl_seconds, (int, float)):
        raise TypeError(f"{method}: `ttl_seconds` must be a number, not {type(ttl_seconds).__qualname__}")
    if not 0 < ttl_seconds <= _LONGEST_TTL_SECONDS:
        raise ValueError(f"{method}: `ttl_seconds` must be more than 0 and at most 100 years, not {ttl_seconds}")
    return float(ttl_seconds)
