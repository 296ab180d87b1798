"""Which visible messages a receive gets next: the order of a standard queue and that of a FIFO queue."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import Protocol


class Order(Protocol):
    """The visible messages of a queue by serial number. `group` is a message's group, None where it has none.

    A message is added, and from then on either taken (which puts it in flight) or dropped; what was taken is later
    given back or finished.
    """

    def __bool__(self) -> bool:
        """Whether there is a message to take."""
        ...

    def __len__(self) -> int:
        """How many messages are visible, those included that must wait for their group."""
        ...

    def add(self, serial: int, group: str | None) -> None: ...

    def take(self, most: int, within: str | None = None) -> list[int]:
        """Up to `most` messages, which are in flight from now on.

        `within` is the last group that the same receive has taken from before: it goes on there.
        """
        ...

    def give_back(self, serial: int, group: str | None) -> None: ...

    def finish(self, group: str | None) -> None:
        """A message of the group is no longer in flight, and is gone."""
        ...

    def drop(self, serial: int, group: str | None) -> None:
        """Forgets a visible message."""
        ...

    def clear(self) -> None: ...


class StandardOrder:
    """Hands out messages in the order in which they became visible."""

    __slots__ = ("_serials",)

    def __init__(self) -> None:
        self._serials: OrderedDict[int, None] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._serials)

    def __len__(self) -> int:
        return len(self._serials)

    def add(self, serial: int, group: str | None) -> None:
        self._serials[serial] = None

    def take(self, most: int, within: str | None = None) -> list[int]:
        serials = self._serials
        if most == 1:
            return [serials.popitem(last=False)[0]] if serials else []
        return [serials.popitem(last=False)[0] for _ in range(min(most, len(serials)))]

    def give_back(self, serial: int, group: str | None) -> None:
        self._serials[serial] = None

    def finish(self, group: str | None) -> None:
        pass

    def drop(self, serial: int, group: str | None) -> None:
        self._serials.pop(serial, None)

    def clear(self) -> None:
        self._serials.clear()


class _Group:
    """One message group. `serials` is a heap that may begin with messages which were dropped."""

    __slots__ = ("in_flight", "serials")

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.in_flight = 0


class FifoOrder:
    """Hands out messages in the order in which they were sent, and none of a group that has others in flight.

    One receive takes as many messages of a group as there are before it turns to the next group. Groups take turns
    by their oldest message. Every step costs O(log n).
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    """

    __slots__ = ("_groups", "_heads", "_visible")

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._visible: set[int] = set()
        # the oldest message of every group that is free, and some entries that are so no more
        self._heads: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return self._next_group() is not None

    def __len__(self) -> int:
        return len(self._visible)

    def add(self, serial: int, group: str | None) -> None:
        name = group or ""
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = _Group()
        self._visible.add(serial)
        heapq.heappush(found.serials, serial)
        if not found.in_flight and found.serials[0] == serial:
            heapq.heappush(self._heads, (serial, name))

    def take(self, most: int, within: str | None = None) -> list[int]:
        taken: list[int] = []
        if within is not None and (group := self._groups.get(within)) is not None and group.in_flight:
            self._take_from(group, most, taken)
        while len(taken) < most and (name := self._next_group()) is not None:
            heapq.heappop(self._heads)
            self._take_from(self._groups[name], most, taken)
        return taken

    def give_back(self, serial: int, group: str | None) -> None:
        found = self._groups[group or ""]
        self._visible.add(serial)
        heapq.heappush(found.serials, serial)
        self._land(group or "", found)

    def finish(self, group: str | None) -> None:
        self._land(group or "", self._groups[group or ""])

    def drop(self, serial: int, group: str | None) -> None:
        self._visible.discard(serial)
        self._settle(group or "", self._groups[group or ""])

    def clear(self) -> None:
        self._groups.clear()
        self._visible.clear()
        self._heads.clear()

    def _take_from(self, group: _Group, most: int, taken: list[int]) -> None:
        visible = self._visible
        while group.serials and len(taken) < most:
            serial = heapq.heappop(group.serials)
            if serial in visible:
                visible.remove(serial)
                group.in_flight += 1
                taken.append(serial)

    def _land(self, name: str, group: _Group) -> None:
        group.in_flight -= 1
        self._settle(name, group)

    def _settle(self, name: str, group: _Group) -> None:
        """Puts a group without messages in flight back in line, or forgets it when it has none at all."""
        if group.in_flight:
            return
        while group.serials and group.serials[0] not in self._visible:
            heapq.heappop(group.serials)
        if group.serials:
            heapq.heappush(self._heads, (group.serials[0], name))
        else:
            del self._groups[name]

    def _next_group(self) -> str | None:
        """The free group with the oldest message."""
        heads = self._heads
        while heads:
            serial, name = heads[0]
            group = self._groups.get(name)
            if group is not None and not group.in_flight and serial in self._visible and group.serials[0] == serial:
                return name
            heapq.heappop(heads)
        return None
