"""Announces the changes of stream tables to whoever follows them.

Who follows is read when the changes are known, and once for a batch: a join that has not been registered by then reads
the changes itself. What cannot be read or put aside ends the batch there, before anything behind it is announced.
"""

from __future__ import annotations

from treadle.errors import TreadleError, UnroutableEvent
from treadle.live.announcements import Announcement, Told
from treadle.live.changes import ItemChange, StreamRecord
from treadle.live.connections import ConnectionsTable
from treadle.live.dead_letter import put_aside
from treadle.live.parallel import for_each
from treadle.live.post import Delivery, Lane
from treadle.live.process import SystemProcess, handler_of
from treadle.live.sockets import Sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treadle.aws.client import AwsClient
    from treadle.live.connections import Room
    from treadle.live.frames import Frame
    from treadle.shapes import Event, LambdaContext, LambdaHandler

SYSTEM = "broadcast"
_CATCH_UP_SECONDS, _CATCH_UP_SHARE = 10.0, 1 / 3
"""What is left of an invocation's time, at most, when no further change is begun: for those who are behind."""
_PARTING_SECONDS, _PARTING_SHARE = 3.0, 1 / 10
"""What is left when nothing is sent any more: to part with those who still are."""


class NotInTime(TreadleError):  # noqa: N818 - stands in records
    """There was no time to tell everybody of a change. It comes again."""

    code = "change-not-announced-in-time"


def start(process: SystemProcess | None = None) -> LambdaHandler:
    """The handler that Lambda calls for each batch.

    Raises: ManifestError.
    """
    started = process or SystemProcess(SYSTEM)
    announcer = _Announcer(started)
    return handler_of(started, lambda event, context: _Batch(announcer, context, event).serve())


class _Announcer:
    """What lives as long as the process: the times that have been told, and the client that tells them."""

    __slots__ = ("_client", "_parting_seconds", "process", "told")

    def __init__(self, process: SystemProcess) -> None:
        self.process = process
        self.told = Told()
        self._client: AwsClient | None = None
        self._parting_seconds = 0.0

    def sockets(self, lambda_context: LambdaContext, invocation_seconds: float) -> Sockets:
        """The connections, for one invocation: frames are sent while there is time to part with others after it."""
        self._parting_seconds = min(_PARTING_SECONDS, invocation_seconds * _PARTING_SHARE)
        if self._client is None:
            self._client = self.process.hurried_client(lambda_context, lambda: self._parting_seconds)
        resources = self.process.resources(lambda_context)
        table = ConnectionsTable(resources.client, resources.names.connections_table())
        return Sockets(resources.client, table, self._client)


class _Batch:
    """One batch of records."""

    def __init__(self, announcer: _Announcer, lambda_context: LambdaContext, event: Event) -> None:
        """Raises: UnroutableEvent."""
        given: Any = event.get("Records")
        if not isinstance(given, list) or not given:
            raise UnroutableEvent(f"an event with keys {', '.join(sorted(map(str, event)))} is no batch of changes")
        self._process = process = announcer.process
        self._told = announcer.told
        seconds = process.seconds_left()
        self._catch_up_seconds = min(_CATCH_UP_SECONDS, seconds * _CATCH_UP_SHARE)
        self._sockets = announcer.sockets(lambda_context, seconds)
        self._resources = process.resources(lambda_context)
        names = self._resources.names
        streams = {names.stream_table(stream): stream for stream in process.slice.streams}
        records: list[Event] = given  # pyright: ignore[reportUnknownVariableType]
        self._announcements = [
            Announcement(record, process, lambda_context)
            for record in (StreamRecord(record, streams) for record in records)
            if not record.is_event_that_ends
        ]
        self._rooms: dict[str, Room] = {}

    def serve(self) -> dict[str, Any]:
        """`{"batchItemFailures": [...]}`: the first record that is to come again, and all behind it with it.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        announcements = self._with_rooms_read(self._announcements)
        announcements = self._with_errors_put_aside(announcements)
        delivered = self._deliver(announcements)
        done = announcements[: len(delivered)]
        self._told.keep(done)
        for announcement, number in zip(done, delivered, strict=True):
            announcement.record.write("ok" if announcement.error is None else "dead-letter", delivered=number)
        if len(done) == len(self._announcements):
            return {"batchItemFailures": []}
        stopped = self._announcements[len(done)]
        if stopped.record.error is None:
            self._note(stopped, stopped.error or NotInTime("the time was over before everybody had been told"))
        stopped.record.write("retry", delivered=0)
        return {"batchItemFailures": [{"itemIdentifier": stopped.stream_record.sequence_number}]}

    def _with_rooms_read(self, announcements: list[Announcement]) -> list[Announcement]:
        """The announcements up to the first whose followers cannot be read.

        Groups first: their rooms tell whether those of single items are worth a look, which they seldom are.
        """
        announcements = self._with_read(announcements, lambda announcement: announcement.group_room)
        return self._with_read(announcements, lambda announcement: announcement.item_room(self._rooms))

    def _with_read(
        self, announcements: list[Announcement], room_of: Callable[[Announcement], str | None]
    ) -> list[Announcement]:
        """Reads one room for each announcement that has it; returns those up to the first for which that failed."""
        rooms = [(announcement, room_of(announcement)) for announcement in announcements]
        names = list(dict.fromkeys(name for _, name in rooms if name is not None))
        answers = dict(zip(names, for_each(self._sockets.table.room, names), strict=True))
        for index, (announcement, name) in enumerate(rooms):
            if name is None:
                continue
            answer = answers[name]
            if isinstance(answer, Exception):
                announcement.error = answer
                return announcements[:index]
            self._rooms[name] = answer
        return announcements

    def _with_errors_put_aside(self, announcements: list[Announcement]) -> list[Announcement]:
        """The announcements up to the first that cannot be announced and cannot be dead-lettered either."""
        for index, announcement in enumerate(announcements):
            error = announcement.error
            if error is None:
                continue
            self._note(announcement, error)
            try:
                put_aside(self._resources, announcement.stream_record.event, error, announcement.trace_id)
            except Exception as failure:
                announcement.logger.failure("The record could not be dead-lettered; it comes again", failure)
                return announcements[:index]
        return announcements

    def _note(self, announcement: Announcement, error: Exception) -> None:
        announcement.record.fail(error, self._process.project_root)
        announcement.logger.failure("A change could not be announced", error)

    def _deliver(self, announcements: list[Announcement]) -> list[int]:
        """How many connections were told of each announcement, as far as there was time for them."""

        def part(connection_id: str, number: int, error: Exception) -> bool:
            followers = [
                follower
                for room in self._rooms.values()
                for follower in room.followers
                if follower.connection_id == connection_id
            ]
            return self._sockets.part(connection_id, error, announcements[number].logger, followers)

        def time_is_short() -> bool:
            return self._process.seconds_left() < self._catch_up_seconds

        delivery = Delivery(len(announcements), self._sockets.post, part, time_is_short)
        delivery.run(self._lanes(announcements))
        return delivery.delivered[: delivery.cut]

    def _lanes(self, announcements: list[Announcement]) -> list[Lane]:
        """What each connection is to get: one frame for a change, in whatever number of ways it follows it."""
        lanes: dict[str, Lane] = {}
        self._told.plan(announcements)
        for number, announcement in enumerate(announcements):
            frame: Frame | None = None
            for connection_id in self._to_be_told(announcement):
                if frame is None:
                    frame = announcement.frame()
                lane = lanes.get(connection_id)
                if lane is None:
                    lane = lanes[connection_id] = Lane(connection_id)
                lane.frames.append((number, frame))
        return list(lanes.values())

    def _to_be_told(self, announcement: Announcement) -> dict[str, None]:
        """The connections that follow, without those that have been sent the change, or a later one, when they joined.

        Of an item that a follower is told something about, it is told everything from then on.
        """
        change = announcement.change
        connections: dict[str, None] = {}
        for name in (announcement.group_room, announcement.item_room(self._rooms)):
            for follower in self._rooms[name].followers if name is not None else ():
                if not follower.active:
                    continue
                if isinstance(change, ItemChange) and follower.has(change.item_id, change.timestamp):
                    continue
                connections[follower.connection_id] = None
        return connections
