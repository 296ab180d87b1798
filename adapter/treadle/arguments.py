"""Arguments of state and stream methods: the group may be left out, and anything may be given by keyword."""

from __future__ import annotations

DEFAULT_GROUP = "default"


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
