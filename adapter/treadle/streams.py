"""`context.streams`: named collections of items by group and id, each kept in a table of its own."""

from __future__ import annotations

from treadle.arguments import bind, checked_ttl_seconds
from treadle.errors import InvalidValue, UnknownStream
from treadle.json_values import dump_json, is_decimal, is_missing, object_or_none, simplified
from treadle.stream_table import StreamTable, group_text, id_text
from treadle.table import Item, value_of, value_written
from treadle.values import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from treadle.calls import Calls
    from treadle.logger import Logger
    from treadle.manifest import Manifest
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import Json

    StreamItem = dict[str, Json]

_KEY = ("group_id", "id")
_ITEM = ("group_id", "id", "data")
_UPDATE = ("group_id", "id", "ops")
_SET_OPTIONS = ("ttl_seconds",)
_MARK = "__motia"
_OWN_FIELDS = ("id", _MARK)
"""Fields that items have when they are read and that are not stored with the others."""
_NO_OBJECTS = (str, int, float, list, set, frozenset, type(None))
_SMALL_BYTES = 20_000
"""An item up to this size is not measured: a message of 128 KB has room for it with every character escaped."""

_told: set[str] = set()
"""The streams of which this process has logged that an item is too large for followers."""


class Streams:
    """The app's streams, as attributes and as items: `streams.messages` is `streams["messages"]`.

    `trace_text` is `Trace.text()` of the run that uses them.
    """

    __slots__ = ("_calls", "_counts", "_logger", "_manifest", "_resources", "_trace_text")

    def __init__(
        self,
        manifest: Manifest,
        resources: Resources,
        calls: Calls,
        counts: dict[str, Counts],
        trace_text: str,
        logger: Logger,
    ) -> None:
        self._logger = logger
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
        return Stream(name, table, self._calls, self._logger)


class Stream:
    """Every method is awaitable. The group may be left out (`default`); keywords are `group_id`, `id`, `data`, `ops`.

    An item whose time to live is over is not there.
    """

    __slots__ = ("_calls", "_logger", "_name", "_table")

    def __init__(self, name: str, table: StreamTable, calls: Calls, logger: Logger) -> None:
        self._name = name
        self._table = table
        self._calls = calls
        self._logger = logger

    def get(self, *arguments: object, **keywords: object) -> Awaitable[StreamItem | None]:
        """The item at `get(id)` or `get(group_id, id)`, its `id` in it; None where there is none."""
        method = self._method("get")
        group, key = _key(method, arguments, keywords)

        def run() -> StreamItem | None:
            item = self._table.get(group, key)
            return None if item is None else _stream_item(item)

        return self._calls.add(method, run, writes=False)

    def set(self, *arguments: object, ttl_seconds: object = None, **keywords: object) -> Awaitable[Any]:
        """Stores an item at `set(id, data)` or `set(group_id, id, data)`; returns the data with `id` and `__motia`.

        Without data (None) nothing is stored, and None is returned, as in Motia. After `ttl_seconds` the item is gone;
        without them it stays. What is too large for followers is stored all the same, with a warning in the log.
        Raises: TypeError, ValueError, InvalidValue; when awaited WriteContention, AwsCallError.
        """
        method = self._method("set")
        given_group, given_key, given_data = bind(method, _ITEM, arguments, keywords, options=_SET_OPTIONS)
        group, key = _texts(method, given_group, given_key)
        if given_data is None or is_missing(given_data):
            return self._calls.nothing(method)
        data = _fields(method, given_data)
        ttl = checked_ttl_seconds(method, ttl_seconds)
        encoded, size = self._table.encoded(group, key, data, f"{method}: data", expires=ttl is not None)
        mark = {"type": "state-stream", "streamName": self._name, "groupId": group, "id": key}

        def run() -> dict[str, object]:
            self._table.set(group, key, value_written(encoded, ttl))
            if size > _SMALL_BYTES:
                self._warn_if_too_large(method, group, _with_id(decode(encoded), key))
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
        group, key = _texts(method, given_group, given_key)
        operations = parse(method, ops, _OWN_FIELDS)

        def run() -> dict[str, StreamItem | None]:
            try:
                old, new = update(self._table, group, key, operations)
            except InvalidValue as error:
                raise error.within(f"{method}: ") from None
            item = _with_id(new, key)
            if len(dump_json(item, "item")) > _SMALL_BYTES:
                self._warn_if_too_large(method, group, item)
            return {"old_value": None if old is None else _with_id(old, key), "new_value": item}

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

    def send(self, *arguments: object, **keywords: object) -> Awaitable[None]:
        """Tells those who listen of an event, at `send(event)` or `send(channel, event)`.

        The channel is a group (`{"groupId": g}`, or `g`), or an item in it (`"id"`). The event is
        `{"type": t, "data": d}`; it is not stored, and comes in order with `set`.
        Raises: TypeError, ValueError, InvalidValue; when awaited AwsCallError.
        """
        from treadle.ephemeral import sending

        method = self._method("send")
        write = sending(self._name, method, arguments, keywords)

        def run() -> None:
            write(self._table)

        return self._calls.add(method, run, writes=True)

    def _warn_if_too_large(self, method: str, group: str, item: StreamItem) -> None:
        """Logs once for each stream that its followers cannot be sent what was written."""
        if self._name in _told:
            return
        from treadle.aws.connections import MESSAGE_BYTES_LIMIT
        from treadle.ephemeral import message_bytes

        key = item["id"]
        size = message_bytes(self._name, group, str(key), {"type": "update", "data": item})
        if size > MESSAGE_BYTES_LIMIT:
            _told.add(self._name)
            self._logger.warn(
                f"{method}: `{key}` of group `{group}` is stored and makes a message of {size:,} bytes; a WebSocket "
                f"client can be sent {MESSAGE_BYTES_LIMIT:,} (128 KB), so that followers get an `error` event with the "
                "code MESSAGE_TOO_LARGE instead. Further items of this stream are not warned of",
                {"stream": self._name, "group": group, "id": key, "bytes": size},
            )

    def _method(self, name: str) -> str:
        return f"streams.{self._name}.{name}"


def _key(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> tuple[str, str]:
    group, key = bind(method, _KEY, arguments, keywords)
    return _texts(method, group, key)


def _group(method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> str:
    (group,) = bind(method, ("group_id",), arguments, keywords)
    return group_text(method, group)


def _texts(method: str, group: object, key: object) -> tuple[str, str]:
    return group_text(method, group), id_text(method, key)


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
