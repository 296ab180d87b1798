"""Which visible message a receive gets next: the order of a standard queue."""

from __future__ import annotations

from collections import OrderedDict


class StandardOrder:
    """Visible messages by serial number, handed out in the order in which they became visible."""

    __slots__ = ("_serials",)

    def __init__(self) -> None:
        self._serials: OrderedDict[int, None] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._serials)

    def __len__(self) -> int:
        return len(self._serials)

    def add(self, serial: int) -> None:
        self._serials[serial] = None

    def take(self) -> int:
        """The next serial number, no longer visible. Raises KeyError when there is none."""
        return self._serials.popitem(last=False)[0]

    def drop(self, serial: int) -> None:
        """Forgets a message, which need not be there."""
        self._serials.pop(serial, None)

    def clear(self) -> None:
        self._serials.clear()
