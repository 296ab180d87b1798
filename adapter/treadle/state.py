"""`context.state`: values by group and key, kept in the app's state table."""

from __future__ import annotations

from treadle.arguments import bind, checked_ttl_seconds
from treadle.errors import InvalidValue
from treadle.table import KEY_BYTES_LIMIT, Table, key_text, value_of, value_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    from treadle.aws.expressions import Expressions
    from treadle.calls import Calls
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import Json

    T = TypeVar("T")
    Names = list[str]
    Values = list[Json]

_KEY = ("group", "key")
_ITEM = ("group", "key", "value")
_UPDATE = ("group", "key", "ops")
_SET_OPTIONS = ("ttl_seconds", "expected_version")
_DELETE_OPTIONS = ("expected_version",)


class State:
    """Every method is awaitable. `group` may be left out (`default`); keywords are `group`, `key`, `value`, `ops`.

    A value whose time to live is over is not there. `wraps_values`: `get` answers as Motia's Python SDK, too.
    """

    __slots__ = ("_calls", "_table", "_wraps_values")

    def __init__(
        self, resources: Resources, calls: Calls, counts: Counts, written_by: str = "", *, wraps_values: bool = False
    ) -> None:
        """`written_by` is noted with what is written, for steps that changes trigger; empty where there are none."""
        self._calls = calls
        self._wraps_values = wraps_values
        self._table = Table(resources, resources.names.state_table(), "key", counts)
        if written_by:
            from treadle.traced_table import TracedTable

            self._table = TracedTable(resources, counts, written_by)

    def get(self, *arguments: object, **keywords: object) -> Awaitable[Any]:
        """The value at `get(key)` or `get(group, key)`, None where there is none."""
        group, key = _key("state.get", arguments, keywords)

        def run() -> Any:
            item = self._table.get(group, key)
            value = None if item is None else value_of(item)
            if not self._wraps_values:
                return value
            from treadle.state_values import wrapped

            return wrapped(value)

        return self._calls.add("state.get", run, writes=False)

    def get_with_version(self, *arguments: object, **keywords: object) -> Awaitable[tuple[Json, int]]:
        """The value at `(key)` or `(group, key)` and its version, which counts its writes; (None, 0): there is none."""
        group, key = _key("state.get_with_version", arguments, keywords)

        def run() -> tuple[Json, int]:
            from treadle.versions import version_of

            item = self._table.get(group, key)
            return (None, 0) if item is None else (value_of(item), version_of(item))

        return self._calls.add("state.get_with_version", run, writes=False)

    def set(
        self, *arguments: object, ttl_seconds: object = None, expected_version: object = None, **keywords: object
    ) -> Awaitable[object]:
        """Stores a value at `set(key, value)` or `set(group, key, value)`, and returns it.

        After `ttl_seconds` it is gone; without them it stays. With `expected_version` it is stored only where the
        present value has that version; 0: where there is none.
        Raises: TypeError, ValueError, InvalidValue; when awaited VersionConflict, AwsCallError.
        """
        given_group, given_key, value = bind("state.set", _ITEM, arguments, keywords, options=_SET_OPTIONS)
        group, key = _texts("state.set", given_group, given_key)
        ttl = checked_ttl_seconds("state.set", ttl_seconds)
        encoded, _ = self._table.encoded(group, key, value, "state.set: value", expires=ttl is not None)

        def write(condition: Expressions | None = None) -> object:
            self._table.set(group, key, value_written(encoded, ttl, condition))
            return value

        run = _guarded("state.set", group, key, expected_version, write)
        return self._calls.add("state.set", run, writes=True)

    def update(self, *arguments: object, **keywords: object) -> Awaitable[dict[str, Json]]:
        """Changes fields of the value at `update(key, ops)` or `update(group, key, ops)`, in one atomic step.

        `[{"type": "increment", "path": "count", "by": 1}]`; the types are set, merge, increment, decrement, remove.
        Returns `{"old_value": ..., "new_value": ...}`. A missing value starts as `{}`; a time to live is kept.
        Raises: TypeError, ValueError, InvalidValue; when awaited InvalidValue, WriteContention, AwsCallError.
        """
        from treadle.operations import parse
        from treadle.updates import update

        given_group, given_key, ops = bind("state.update", _UPDATE, arguments, keywords)
        group, key = _texts("state.update", given_group, given_key)
        operations = parse("state.update", ops)

        def run() -> dict[str, Json]:
            try:
                old, new = update(self._table, group, key, operations)
            except InvalidValue as error:
                raise error.within("state.update: ") from None
            return {"old_value": old, "new_value": new}

        return self._calls.add("state.update", run, writes=True)

    def delete(self, *arguments: object, expected_version: object = None, **keywords: object) -> Awaitable[Json]:
        """Deletes the value at `delete(key)` or `delete(group, key)`, and returns what it was, or None.

        Raises: TypeError, ValueError; when awaited VersionConflict (with `expected_version`), AwsCallError.
        """
        group, key = _key("state.delete", arguments, keywords, _DELETE_OPTIONS)

        def write(condition: Expressions | None = None) -> Json:
            item = self._table.delete(group, key, condition)
            return None if item is None else value_of(item)

        run = _guarded("state.delete", group, key, expected_version, write)
        return self._calls.add("state.delete", run, writes=True)

    def get_group(self, *arguments: object, **keywords: object) -> Awaitable[Values]:
        """The values of a group in the order of their keys; `[]` where there are none."""
        group = _group("state.get_group", arguments, keywords)

        def run() -> Values:
            return [value_of(item) for item in self._table.get_group(group)]

        return self._calls.add("state.get_group", run, writes=False)

    def getGroup(self, *arguments: object, **keywords: object) -> Awaitable[Values]:  # noqa: N802 - Motia's name
        """`get_group`; Motia's takes a key behind the group, of which it makes no use."""
        return self.get_group(*(arguments[:1] if len(arguments) == 2 else arguments), **keywords)

    def list_groups(self) -> Awaitable[Names]:
        """The names of all groups that hold a value, sorted. It reads the whole table, and is paid for that."""
        return self._calls.add("state.list_groups", self._table.list_groups, writes=False)

    def clear(self, *arguments: object, **keywords: object) -> Awaitable[None]:
        """Deletes all values of a group."""
        group = _group("state.clear", arguments, keywords)

        def run() -> None:
            self._table.clear(group)

        return self._calls.add("state.clear", run, writes=True)

    list = get_group


def _guarded(
    method: str, group: str, key: str, expected_version: object, write: Callable[[Expressions | None], T]
) -> Callable[[], T]:
    if expected_version is None:
        return lambda: write(None)
    from treadle.versions import guarded

    return guarded(method, group, key, expected_version, write)


def _key(
    method: str, arguments: tuple[object, ...], keywords: dict[str, object], options: tuple[str, ...] = ()
) -> tuple[str, str]:
    group, key = bind(method, _KEY, arguments, keywords, options=options)
    return _texts(method, group, key)


def _group(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> str:
    (group,) = bind(method, ("group",), arguments, keywords)
    return _group_text(method, group)


def _texts(method: str, group: object, key: object) -> tuple[str, str]:
    return _group_text(method, group), key_text(method, "key", key, KEY_BYTES_LIMIT["key"])


def _group_text(method: str, group: object) -> str:
    return key_text(method, "group", group, KEY_BYTES_LIMIT["group"])
