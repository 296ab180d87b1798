"""One record of a batch on its way from a stream's table to whoever follows the stream."""

from __future__ import annotations

from treadle.live.rooms import room_key
from treadle.logger import Logger
from treadle.names import BROADCAST
from treadle.record import InvocationRecord
from treadle.trace import trace_of_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.live.changes import Change, StreamRecord
    from treadle.live.connections import Room
    from treadle.live.frames import Frame
    from treadle.live.process import SystemProcess
    from treadle.shapes import LambdaContext

    ItemKey = tuple[str, str, str]

_TOLD_LIMIT = 10_000


class Announcement:
    """What a record is announced with. `error` says why it cannot be, or not with this batch.

    The followers of `group_room` are told, None where that is not known; `timestamp` is the time that they are told.
    `item_key` is None for what is about a whole group.
    """

    __slots__ = (
        "change",
        "error",
        "group_room",
        "item_key",
        "logger",
        "record",
        "stream_record",
        "timestamp",
        "trace_id",
    )

    def __init__(self, stream_record: StreamRecord, process: SystemProcess, lambda_context: LambdaContext) -> None:
        trace = trace_of_text(stream_record.trace_text)
        request_id = lambda_context.aws_request_id
        self.stream_record = stream_record
        self.trace_id = trace.trace_id
        self.logger = Logger(trace_id=trace.trace_id, step=BROADCAST, flows=(), request_id=request_id)
        self.record = InvocationRecord(
            request_id=request_id,
            trace=trace,
            step=BROADCAST,
            version=process.version,
            trigger=stream_record.trigger(),
            hops=0,
        )
        self.change: Change | None = None
        self.error: Exception | None = None
        self.group_room: str | None = None
        self.item_key: ItemKey | None = None
        self.timestamp = 0
        try:
            self.change = change = stream_record.change()
        except Exception as error:
            self.error = error
            return
        place = change.place
        self.group_room = room_key(place.stream, place.group)
        if place.item_id is not None:
            self.item_key = (place.stream, place.group, place.item_id)

    def item_room(self, groups: Mapping[str, Room]) -> str | None:
        """The room of the item's own followers; None where `groups` say that there can be none."""
        group = None if self.group_room is None else groups.get(self.group_room)
        if group is None or not group.has_items or self.item_key is None:
            return None
        return room_key(*self.item_key)

    def frame(self) -> Frame:
        """What the followers are sent. Only for an announcement without an error."""
        if self.change is None:
            raise ValueError("there is no change to be announced")
        return self.change.frame(self.timestamp)


class Told:
    """The times of the frames that were sent last for each item, as far as this process has sent them.

    Clients take for old what is not newer. Rows see to that among each other; but an event is a row of its own, and a
    row that something else than a step has written has no time of its own.
    """

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[ItemKey, int] = {}

    def plan(self, announcements: list[Announcement]) -> None:
        """Gives each announcement the time of its frame."""
        planned: dict[ItemKey, int] = {}
        for announcement in announcements:
            if announcement.change is None:
                continue
            announcement.timestamp = announcement.change.timestamp
            key = announcement.item_key
            if key is not None:
                last = planned.get(key) or self._times.get(key, 0)
                announcement.timestamp = planned[key] = max(announcement.timestamp, last + 1)

    def keep(self, announcements: list[Announcement]) -> None:
        """Takes over the times of what has been sent, and forgets those of what has been left alone the longest."""
        for announcement in announcements:
            key = announcement.item_key
            if key is not None:
                self._times.pop(key, None)
                self._times[key] = announcement.timestamp
        while len(self._times) > _TOLD_LIMIT:
            del self._times[next(iter(self._times))]
