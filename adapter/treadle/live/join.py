"""Lets a connection follow a group or an item, so that it misses nothing, and ends with what is there.

1. It is registered, and not told of changes yet. 2. What is there is read. 3. It is sent. 4. From now on the connection
is told of changes. 5. What is there is read again: what has changed since (2) may have been announced before (4), and
is sent. What changes after (5) is announced to it, since announcing begins after the change, with reading who follows.

An announcement can come between (5)'s reading and sending. A time that is not newer tells clients so, but for an item
that comes or goes: those are looked at once more.
"""

from __future__ import annotations

import os
import time

from treadle.errors import InvalidValue
from treadle.live.frames import change_frame, group_sync, item_sync
from treadle.live.rooms import room_key
from treadle.live.rows import Row, least_timestamp, now_ms, row_of
from treadle.stream_table import StreamTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.live.connections import Connection
    from treadle.live.frames import Frame, Place
    from treadle.live.messages import Subscription
    from treadle.live.session import Session

RECENT_LIMIT = 16
RECENT_MS = 30_000
"""How long the announcement of a change may take to be on its way, for a follower that has been sent the change."""

Rows = dict[str, Row]


def join(session: Session, connection: Connection, subscription: Subscription) -> None:
    """Serves an admitted join to its end, or until the client leaves or joins anew.

    Raises: AwsCallError, UnknownConnection.
    """
    place = subscription.place
    room = room_key(place.stream, place.group, place.item_id)
    attempt = os.urandom(8).hex()
    table = session.table
    if not table.subscribe(connection, subscription.id, room, attempt):
        table.dismiss(connection.id)
    source = _Source(session, place)
    rows = source.read()
    for frame in _sync(place, rows):
        session.post(frame)
    if table.activate(connection.id, subscription.id, room, attempt, _recent(rows.values())):
        _catch_up(session, source, rows)


def _sync(place: Place, rows: Rows) -> Iterable[Frame]:
    if place.item_id is None:
        return group_sync(place, now_ms(), rows.values())
    return [item_sync(place, row) for row in rows.values()]


def _recent(rows: Iterable[Row]) -> dict[str, int]:
    """The newest of the rows, whose announcements may still be on their way."""
    since = now_ms() - RECENT_MS
    newest = sorted((row for row in rows if row.timestamp >= since), key=lambda row: row.timestamp, reverse=True)
    return {row.id: row.timestamp for row in newest[:RECENT_LIMIT]}


def _catch_up(session: Session, source: _Source, told: Rows) -> None:
    """Sends what differs from what the client has been `told`, until nothing that came or went is left to look at."""
    watched: set[str] | None = None
    while watched is None or watched:
        rows = source.read()
        came_or_went: set[str] = set()
        for item_id in {**rows, **told}:
            if watched is not None and item_id not in watched:
                continue
            new, old = rows.get(item_id), told.get(item_id)
            place = source.place.item(item_id)
            if new is None and old is not None:
                session.post(change_frame(place, old.timestamp + 1, "delete", old))
                del told[item_id]
                came_or_went.add(item_id)
            elif new is not None and (old is None or new.timestamp > old.timestamp):
                session.post(change_frame(place, new.timestamp, "create" if old is None else "update", new))
                told[item_id] = new
                if old is None:
                    came_or_went.add(item_id)
        watched = came_or_went


class _Source:
    """The rows that a subscription is about."""

    __slots__ = ("_session", "_table", "place")

    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self.place = place
        resources = session.resources
        counts = session.record.streams.setdefault(place.stream, {})
        self._table = StreamTable(resources, resources.names.stream_table(place.stream), counts, "")

    def read(self) -> Rows:
        """The rows by their ids, read strongly consistent. What is no item, written by hand, is logged and left out."""
        place = self.place
        if place.item_id is None:
            items = self._table.get_group(place.group)
        else:
            item = self._table.get(place.group, place.item_id)
            items = [] if item is None else [item]
        default = least_timestamp(time.time())
        rows: Rows = {}
        for item in items:
            try:
                row = row_of(item, default)
            except InvalidValue as error:
                where = {"stream": place.stream, "groupId": place.group, "id": item["id"]["S"]}
                self._session.logger.failure("A row of a stream's table is no item, and is not shown", error, where)
                continue
            rows[row.id] = row
        return rows
