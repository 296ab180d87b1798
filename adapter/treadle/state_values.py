"""What `state.get` returns to programs written for Motia, whose Python SDK put values in `{"data": ...}`.

Some programs unwrap a value, others never noticed the wrapping. These values satisfy both; they are loaded only where
the app asks for them.
"""

from __future__ import annotations

from treadle.json_values import object_or_none

_WRAPPING = "data"


class _Wrapping(dict[str, object]):
    """A dict that answers `data` too, where it has no such key."""

    __slots__ = ()

    def _wrapped(self) -> object:
        raise NotImplementedError

    def __missing__(self, key: object) -> object:
        if key == _WRAPPING:
            return self._wrapped()
        raise KeyError(key)

    def get(self, key: str, default: object = None, /) -> object:
        return self._wrapped() if key == _WRAPPING and _WRAPPING not in self.keys() else super().get(key, default)

    def __contains__(self, key: object) -> bool:
        return key == _WRAPPING or super().__contains__(key)


class WrappedDict(_Wrapping):
    """A stored object without a `data` of its own: equal to the dict, and under `data` it answers itself."""

    __slots__ = ()

    def _wrapped(self) -> object:
        return self

    def copy(self) -> WrappedDict:
        return WrappedDict(self)


class MissingValue(_Wrapping):
    """No value: false, equal to None, and None under `data`. In JSON, and where it is stored, it is null.

    Whoever writes into it makes it an object like any other.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def _wrapped(self) -> object:
        return None

    def __eq__(self, other: object) -> bool:
        return (other is None and not self) or super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other


def wrapped(value: object) -> object:
    """The value as both kinds of programs take it: objects and None in a form that answers `data`, others as is."""
    if value is None:
        return MissingValue()
    fields = object_or_none(value)
    return value if fields is None or _WRAPPING in fields else WrappedDict(fields)
