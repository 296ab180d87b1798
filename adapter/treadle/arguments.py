"""Arguments of state and stream methods: the group may be left out, and anything may be given by keyword."""

from __future__ import annotations

DEFAULT_GROUP = "default"
_SYNONYMS = (
    ("group", "groupid", "channel"),
    ("key", "id", "itemid"),
    ("value", "data", "item"),
    ("ops", "operations"),
    ("ttlseconds", "ttl", "ttlms", "expires", "expiresin"),
    ("expectedversion", "version", "ifversion"),
)
"""What one argument is called here and elsewhere, in small letters only."""
_LONGEST_TTL_SECONDS = 100 * 366 * 24 * 3600
"""A limit of ours: what is longer is more likely a point in time, or milliseconds."""


def bind(
    method: str,
    names: tuple[str, ...],
    positional: tuple[object, ...],
    keywords: dict[str, object],
    *,
    options: tuple[str, ...] = (),
    form: str = "",
) -> list[object]:
    """The values of `names`, in their order. The first name is the group: left out, it is `default`.

    `bind("set", ("group", "key", "value"), ("k", 1), {})` is `["default", "k", 1]`.
    `options` are what the method takes by keyword only, and has taken out of `keywords`; errors end with `form`.
    Raises: TypeError.
    """
    ending = form and f"; {form}"
    for keyword in keywords:
        if keyword not in names:
            known = (*names, *options)
            meant = _meant(keyword, known)
            hint = f"; did you mean `{meant}`?" if meant else ""
            raise TypeError(f"{method}() has no argument `{keyword}`; it takes {', '.join(known)}{hint}{ending}")
    open_names = [name for name in names if name not in keywords]
    if open_names and open_names[0] == names[0] and len(positional) == len(open_names) - 1:
        positional = (DEFAULT_GROUP, *positional)
    if len(positional) != len(open_names):
        least, most = len(names) - 1, len(names)
        given = len(positional) + len(keywords)
        lacking = [name for name in open_names if name != names[0]][len(positional) :]
        if lacking:
            ending = f"; missing: {', '.join(lacking)}{ending}"
        elif options:
            ending = f"; by keyword only: {', '.join(options)}{ending}"
        raise TypeError(f"{method}() takes {least} or {most} arguments ({', '.join(names)}), got {given}{ending}")
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


def _meant(keyword: str, known: tuple[str, ...]) -> str | None:
    """The one of `known` that is spelled like `keyword`, or is called so elsewhere."""
    from difflib import get_close_matches

    spelled = {_letters(name): name for name in known}
    given = _letters(keyword)
    if given in spelled:
        return spelled[given]
    for synonyms in _SYNONYMS:
        if given in synonyms:
            for synonym in synonyms:
                if synonym in spelled:
                    return spelled[synonym]
    near = get_close_matches(given, spelled, n=1)
    return spelled[near[0]] if near else None


def _letters(name: str) -> str:
    return name.replace("_", "").lower()
