"""`context.streams`: named collections of items by group and id, each kept in a table of its own."""

from __future__ import annotations

from treadle.arguments import bind
from treadle.errors import NotSupportedYet, UnknownStream
from treadle.json_values import is_decimal, object_or_none, simplified
from treadle.table import KEY_BYTES_LIMIT, Item, Table, key_text, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import NoReturn

    from treadle.calls import Calls
    from treadle.manifest import Manifest
    from treadle.record import Counts
    from treadle.resources import Resources
    from treadle.shapes import Json

    StreamItem = dict[str, Json]

_KEY = ("group_id", "id")
_ITEM = ("group_id", "id", "data")
_MARK = "__motia"
_NO_OBJECTS = (str, int, float, list, set, frozenset, type(None))


class Streams:
    """The app's streams, as attributes and as items: `streams.messages` is `streams["messages"]`."""

    __slots__ = ("_calls", "_counts", "_manifest", "_resources")

    def __init__(self, manifest: Manifest, resources: Resources, calls: Calls, counts: dict[str, Counts]) -> None:
        self._manifest = manifest
        self._resources = resources
        self._calls = calls
        self._counts = counts

    def __getattr__(self, name: str) -> Stream:
        return self[name]

    def __getitem__(self, name: str) -> Stream:
        known = self._manifest.streams
        if name.startswith("__") or (known is not None and name not in known):
            names = ", ".join(sorted(known or ())) or "none"
            raise UnknownStream(f"there is no stream `{name}`; the app's streams are: {names}")
        return Stream(name, self._resources, self._calls, self._counts.setdefault(name, {}))


class Stream:
    """Every method is awaitable. The group may be left out (`default`); keywords are `group_id`, `id`, `data`."""

    __slots__ = ("_calls", "_name", "_table")

    def __init__(self, name: str, resources: Resources, calls: Calls, counts: Counts) -> None:
        self._name = name
        self._calls = calls
        self._table = Table(resources, resources.names.stream_table(name), "id", counts)

    def get(self, *arguments: object, **keywords: object) -> Awaitable[StreamItem | None]:
        """The item at `get(id)` or `get(group_id, id)`, its `id` in it; None where there is none."""
        group, key = self._key("get", arguments, keywords)

        def run() -> StreamItem | None:
            item = self._table.get(group, key)
            return None if item is None else _stream_item(item)

        return self._calls.add(f"streams.{self._name}.get", run, writes=False)

    def set(self, *arguments: object, **keywords: object) -> Awaitable[dict[str, object]]:
        """Stores an item at `set(id, data)` or `set(group_id, id, data)`; returns the data with `id` and `__motia`.

        Raises: TypeError, InvalidValue; when awaited AwsCallError.
        """
        method = f"streams.{self._name}.set"
        given_group, given_key, given_data = bind(method, _ITEM, arguments, keywords)
        group, key = _texts(given_group, given_key)
        data = _fields(method, given_data)
        encoded = self._table.encoded(group, key, data, "data")
        mark = {"type": "state-stream", "streamName": self._name, "groupId": group, "id": key}

        def run() -> dict[str, object]:
            self._table.set(group, key, encoded)
            return {**data, "id": key, _MARK: mark}

        return self._calls.add(method, run, writes=True)

    def delete(self, *arguments: object, **keywords: object) -> Awaitable[StreamItem | None]:
        """Deletes the item at `delete(id)` or `delete(group_id, id)`, and returns what it was, or None."""
        group, key = self._key("delete", arguments, keywords)

        def run() -> StreamItem | None:
            item = self._table.delete(group, key)
            return None if item is None else _stream_item(item)

        return self._calls.add(f"streams.{self._name}.delete", run, writes=True)

    def get_group(self, *arguments: object, **keywords: object) -> Awaitable[list[StreamItem]]:
        """The items of a group in the order of their ids; `[]` where there are none."""
        (group,) = bind(f"streams.{self._name}.get_group", ("group_id",), arguments, keywords)
        group_id = key_text("group_id", group, KEY_BYTES_LIMIT["group"])

        def run() -> list[StreamItem]:
            return [_stream_item(item) for item in self._table.get_group(group_id)]

        return self._calls.add(f"streams.{self._name}.get_group", run, writes=False)

    getGroup = get_group  # noqa: N815 - Motia's name

    def send(self, *arguments: object, **keywords: object) -> NoReturn:
        """Raises NotSupportedYet: events that are shown to live clients and not stored."""
        raise NotSupportedYet(
            f"streams.{self._name}.send: live delivery of ephemeral events is not supported yet; "
            "`set` stores an item that can be read back"
        )

    def _key(self, method: str, arguments: tuple[object, ...], keywords: dict[str, object]) -> tuple[str, str]:
        group, key = bind(f"streams.{self._name}.{method}", _KEY, arguments, keywords)
        return _texts(group, key)


def _texts(group: object, key: object) -> tuple[str, str]:
    return key_text("group_id", group, KEY_BYTES_LIMIT["group"]), key_text("id", key, KEY_BYTES_LIMIT["key"])


def _fields(method: str, data: object) -> dict[str, object]:
    """The item's own fields: a copy, without the mark that an earlier `set` has put on it."""
    given, kind = object_or_none(data), type(data).__qualname__
    if given is None and not isinstance(data, _NO_OBJECTS) and not is_decimal(data):
        given = object_or_none(simplified(data))
    if given is None:
        raise TypeError(f"{method}: `data` must be a dict, not {kind}")
    fields: dict[str, object] = dict(given)
    fields.pop(_MARK, None)
    return fields


def _stream_item(item: Item) -> StreamItem:
    value = value_of(item)
    fields = value if isinstance(value, dict) else {}
    return {**fields, "id": item["id"]["S"]}
