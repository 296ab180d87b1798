"""`context.streams`: named collections of items by group and id, each kept in a table of its own."""

from __future__ import annotations

from treadle.arguments import bind, checked_ttl_seconds
from treadle.errors import UnknownStream
from treadle.json_values import is_decimal, object_or_none, simplified
from treadle.stream_table import StreamTable, group_text, id_text
from treadle.table import Item, value_of, value_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from treadle.calls import Calls
    from treadle.manifest import Manifest
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import Json

    StreamItem = dict[str, Json]

_KEY = ("group_id", "id")
_ITEM = ("group_id", "id", "data")
_UPDATE = ("group_id", "id", "ops")
_MARK = "__motia"
_OWN_FIELDS = ("id", _MARK)
"""Fields that items have when they are read and that are not stored with the others."""
_NO_OBJECTS = (str, int, float, list, set, frozenset, type(None))


class Streams:
    """The app's streams, as attributes and as items: `streams.messages` is `streams["messages"]`.

    `trace_text` is `Trace.text()` of the run that uses them.
    """

    __slots__ = ("_calls", "_counts", "_manifest", "_resources", "_trace_text")

    def __init__(
        self,
        manifest: Manifest,
        resources: Resources,
        calls: Calls,
        counts: dict[str, Counts],
        trace_text: str,
    ) -> None:
        self._manifest = manifest
        self._resources = resources
        self._calls = calls
        self._counts = counts
        self._trace_text = trace_text

    def __getattr__(self, name: str) -> Stream:
        return self[name]

    def __getitem__(self, name: str) -> Stream:
        known = self._manifest.streams
        if name.startswith("__") or (known is not None and name not in known):
            names = ", ".join(sorted(known or ())) or "none"
            raise UnknownStream(f"there is no stream `{name}`; the app's streams are: {names}")
        resources = self._resources
        table = StreamTable(
            resources, resources.names.stream_table(name), self._counts.setdefault(name, {}), self._trace_text
        )
        return Stream(name, table, self._calls)


class Stream:
    """Every method is awaitable. The group may be left out (`default`); keywords are `group_id`, `id`, `data`, `ops`.

    An item whose time to live is over is not there.
    """

    __slots__ = ("_calls", "_name", "_table")

    def __init__(self, name: str, table: StreamTable, calls: Calls) -> None:
        self._name = name
        self._table = table
        self._calls = calls

    def get(self, *arguments: object, **keywords: object) -> Awaitable[StreamItem | None]:
        """The item at `get(id)` or `get(group_id, id)`, its `id` in it; None where there is none."""
        method = self._method("get")
        group, key = _key(method, arguments, keywords)

        def run() -> StreamItem | None:
            item = self._table.get(group, key)
            return None if item is None else _stream_item(item)

        return self._calls.add(method, run, writes=False)

    def set(self, *arguments: object, ttl_seconds: object = None, **keywords: object) -> Awaitable[dict[str, object]]:
        """Stores an item at `set(id, data)` or `set(group_id, id, data)`; returns the data with `id` and `__motia`.

        After `ttl_seconds` it is gone; without them it stays.
        Raises: TypeError, ValueError, InvalidValue; when awaited WriteContention, AwsCallError.
        """
        method = self._method("set")
        given_group, given_key, given_data = bind(method, _ITEM, arguments, keywords)
        group, key = _texts(given_group, given_key)
        data = _fields(method, given_data)
        ttl = checked_ttl_seconds(method, ttl_seconds)
        encoded = self._table.encoded(group, key, data, "data", expires=ttl is not None)
        mark = {"type": "state-stream", "streamName": self._name, "groupId": group, "id": key}

        def run() -> dict[str, object]:
            self._table.set(group, key, value_written(encoded, ttl))
            return {**data, "id": key, _MARK: mark}

        return self._calls.add(method, run, writes=True)

    def update(self, *arguments: object, **keywords: object) -> Awaitable[dict[str, StreamItem | None]]:
        """Changes fields of the item at `update(id, ops)` or `update(group_id, id, ops)`, in one atomic step.

        The operations are those of `state.update`. Returns `{"old_value": ..., "new_value": ...}`, both with `id`.
        Raises: TypeError, ValueError, InvalidValue; when awaited WriteContention, AwsCallError.
        """
        from treadle.operations import parse
        from treadle.updates import update

        method = self._method("update")
        given_group, given_key, ops = bind(method, _UPDATE, arguments, keywords)
        group, key = _texts(given_group, given_key)
        operations = parse(method, ops, _OWN_FIELDS)

        def run() -> dict[str, StreamItem | None]:
            old, new = update(self._table, group, key, operations)
            return {"old_value": None if old is None else _with_id(old, key), "new_value": _with_id(new, key)}

        return self._calls.add(method, run, writes=True)

    def delete(self, *arguments: object, **keywords: object) -> Awaitable[StreamItem | None]:
        """Deletes the item at `delete(id)` or `delete(group_id, id)`, and returns what it was, or None."""
        method = self._method("delete")
        group, key = _key(method, arguments, keywords)

        def run() -> StreamItem | None:
            item = self._table.delete(group, key)
            return None if item is None else _stream_item(item)

        return self._calls.add(method, run, writes=True)

    def get_group(self, *arguments: object, **keywords: object) -> Awaitable[list[StreamItem]]:
        """The items of a group in the order of their ids; `[]` where there are none."""
        method = self._method("get_group")
        group = _group(method, arguments, keywords)

        def run() -> list[StreamItem]:
            return [_stream_item(item) for item in self._table.get_group(group)]

        return self._calls.add(method, run, writes=False)

    getGroup = get_group  # noqa: N815 - Motia's name

    def list_groups(self) -> Awaitable[list[str]]:
        """The names of all groups that hold an item, sorted. It reads the whole table, and is paid for that."""
        return self._calls.add(self._method("list_groups"), self._table.list_groups, writes=False)

    def clear(self, *arguments: object, **keywords: object) -> Awaitable[None]:
        """Deletes all items of a group."""
        method = self._method("clear")
        group = _group(method, arguments, keywords)

        def run() -> None:
            self._table.clear(group)

        return self._calls.add(method, run, writes=True)

    def send(self, channel: object, event: object) -> Awaitable[None]:
        """Tells those who listen to a group (`{"groupId": g}`, or `g`), or to an item in it (`"id"`), of an event.

        The event is `{"type": t, "data": d}`; it is not stored, and comes in order with `set`.
        Raises: TypeError, ValueError, InvalidValue; when awaited AwsCallError.
        """
        from treadle.ephemeral import sending

        method = self._method("send")
        write = sending(self._name, method, channel, event)

        def run() -> None:
            write(self._table)

        return self._calls.add(method, run, writes=True)

    def _method(self, name: str) -> str:
        return f"streams.{self._name}.{name}"


def _key(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> tuple[str, str]:
    group, key = bind(method, _KEY, arguments, keywords)
    return _texts(group, key)


def _group(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> str:
    (group,) = bind(method, ("group_id",), arguments, keywords)
    return group_text(group)


def _texts(group: object, key: object) -> tuple[str, str]:
    return group_text(group), id_text(key)


def _fields(method: str, data: object) -> dict[str, object]:
    """The item's own fields: a copy, without what an earlier `set` or `get` has added to them."""
    given, kind = object_or_none(data), type(data).__qualname__
    if given is None and not isinstance(data, _NO_OBJECTS) and not is_decimal(data):
        given = object_or_none(simplified(data))
    if given is None:
        raise TypeError(f"{method}: `data` must be a dict, not {kind}")
    return {name: value for name, value in given.items() if name not in _OWN_FIELDS}


def _stream_item(item: Item) -> StreamItem:
    return _with_id(value_of(item), item["id"]["S"])


def _with_id(value: Json, key: str) -> StreamItem:
    fields = value if isinstance(value, dict) else {}
    return {**fields, "id": key}
