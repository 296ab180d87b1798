"""`context.state`: values by group and key, kept in the app's state table."""

from __future__ import annotations

import time

from treadle.arguments import bind
from treadle.table import KEY_BYTES_LIMIT, Table, has_expired, key_text, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from treadle.calls import Calls
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import Json

_KEY = ("group", "key")
_ITEM = ("group", "key", "value")


class State:
    """Every method is awaitable. `group` may be left out (`default`); keywords are `group`, `key`, `value`."""

    __slots__ = ("_calls", "_table")

    def __init__(self, resources: Resources, calls: Calls, counts: Counts) -> None:
        self._calls = calls
        self._table = Table(resources, resources.names.state_table(), "key", counts)

    def get(self, *arguments: object, **keywords: object) -> Awaitable[Json]:
        """The value at `get(key)` or `get(group, key)`, None where there is none."""
        group, key = _key("state.get", arguments, keywords)

        def run() -> Json:
            item = self._table.get(group, key)
            return None if item is None or has_expired(item, time.time()) else value_of(item)

        return self._calls.add("state.get", run, writes=False)

    def set(self, *arguments: object, **keywords: object) -> Awaitable[object]:
        """Stores a value at `set(key, value)` or `set(group, key, value)`, and returns it.

        Raises: TypeError, InvalidValue; when awaited AwsCallError.
        """
        given_group, given_key, value = bind("state.set", _ITEM, arguments, keywords)
        group, key = _texts(given_group, given_key)
        encoded = self._table.encoded(group, key, value, "value")

        def run() -> object:
            self._table.set(group, key, encoded)
            return value

        return self._calls.add("state.set", run, writes=True)

    def delete(self, *arguments: object, **keywords: object) -> Awaitable[Json]:
        """Deletes the value at `delete(key)` or `delete(group, key)`, and returns what it was, or None."""
        group, key = _key("state.delete", arguments, keywords)

        def run() -> Json:
            item = self._table.delete(group, key)
            return None if item is None or has_expired(item, time.time()) else value_of(item)

        return self._calls.add("state.delete", run, writes=True)

    def get_group(self, *arguments: object, **keywords: object) -> Awaitable[list[Json]]:
        """The values of a group in the order of their keys; `[]` where there are none."""
        group = _group("state.get_group", arguments, keywords)

        def run() -> list[Json]:
            now = time.time()
            return [value_of(item) for item in self._table.get_group(group) if not has_expired(item, now)]

        return self._calls.add("state.get_group", run, writes=False)

    getGroup = get_group  # noqa: N815 - Motia's name

    def clear(self, *arguments: object, **keywords: object) -> Awaitable[None]:
        """Deletes all values of a group."""
        group = _group("state.clear", arguments, keywords)

        def run() -> None:
            self._table.clear(group)

        return self._calls.add("state.clear", run, writes=True)


def _key(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> tuple[str, str]:
    group, key = bind(method, _KEY, arguments, keywords)
    return _texts(group, key)


def _group(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> str:
    (group,) = bind(method, ("group",), arguments, keywords)
    return key_text("group", group, KEY_BYTES_LIMIT["group"])


def _texts(group: object, key: object) -> tuple[str, str]:
    return key_text("group", group, KEY_BYTES_LIMIT["group"]), key_text("key", key, KEY_BYTES_LIMIT["key"])
