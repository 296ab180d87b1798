"""What Motia's stream clients make of the frames that they get, by the rules of their npm packages.

One connection, with the subscriptions of a page: each frame is handed to the listeners of its group or item, and a
change of an item to those of its group too.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class GroupListener:
    """Keeps a group's items. What was there is replaced by a sync; an update is taken where it is newer."""

    def __init__(self) -> None:
        self.items: dict[str, Json] = {}
        self.events: list[Json] = []
        self._synced = 0
        self._times: dict[str, int] = {}

    def hear(self, frame: Json) -> None:
        event, at = frame["event"], frame["timestamp"]
        kind, data = event["type"], event.get("data")
        if kind == "sync":
            if at >= self._synced:
                self._times = {}
                self._synced = at
                self.items = {item["id"]: item for item in data}
        elif kind == "create":
            self.items.setdefault(data["id"], data)
        elif kind == "update":
            if self._times.get(data["id"], 0) < at:
                self._synced = self._times[data["id"]] = at
                if data["id"] in self.items:
                    self.items[data["id"]] = data
        elif kind == "delete":
            self._synced = self._times[data["id"]] = at
            self.items.pop(data["id"], None)
        else:
            self.events.append(event["event"])


class ItemListener:
    """Keeps one item. Whatever is not newer than the last is old news."""

    def __init__(self) -> None:
        self.item: Json | None = None
        self.events: list[Json] = []
        self._last = 0

    def hear(self, frame: Json) -> None:
        if frame["timestamp"] <= self._last:
            return
        self._last = frame["timestamp"]
        event = frame["event"]
        if event["type"] in ("sync", "create", "update"):
            self.item = event["data"]
        elif event["type"] == "delete":
            self.item = None
        else:
            self.events.append(event["event"])


class StreamClient:
    """The listeners of one connection."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], GroupListener] = {}
        self._items: dict[tuple[str, str, str], ItemListener] = {}

    def group(self, stream: str, group: str) -> GroupListener:
        return self._groups.setdefault((stream, group), GroupListener())

    def item(self, stream: str, group: str, item_id: str) -> ItemListener:
        return self._items.setdefault((stream, group, item_id), ItemListener())

    def hear(self, frame: Json) -> None:
        stream, group, item_id = frame["streamName"], frame["groupId"], frame.get("id")
        of_item = self._items.get((stream, group, item_id)) if item_id else None
        if of_item is not None:
            of_item.hear(frame)
        of_group = self._groups.get((stream, group))
        if of_group is not None and (not item_id or frame["event"]["type"] != "sync"):
            of_group.hear(frame)

    def groups(self) -> dict[tuple[str, str], GroupListener]:
        return self._groups

    def items(self) -> dict[tuple[str, str, str], ItemListener]:
        return self._items
