"""Lets a connection follow a group or an item, so that it misses nothing, and ends with what is there.

1. It is registered, and not told of changes yet. 2. What is there is read. 3. It is sent. 4. From now on the connection
is told of changes. 5. What is there is read again, and what differs is sent: a change since (2) may have been announced
before (4). A change after (5) is announced to it, since announcing begins, after the change, with reading who follows.

What (5) sends and what is announced meanwhile come in any order. Motia's clients sort that out by the frames' times,
each kind of frame in its own way, which is what the times and kinds here are chosen for.
"""

from __future__ import annotations

import time

from treadle.errors import InvalidValue
from treadle.live.connections import Registration, UnknownConnection
from treadle.live.frames import change_frame, group_sync, item_sync
from treadle.live.rooms import room_key
from treadle.live.rows import Row, least_timestamp, now_ms, row_of
from treadle.stream_table import StreamTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from treadle.live.connections import Connection
    from treadle.live.frames import Frame, Kind, Place
    from treadle.live.messages import Subscription
    from treadle.live.session import Session

RECENT_LIMIT = 16
RECENT_MS = 30_000
"""How long the announcement of a change may take to be on its way, for a follower that has been sent the change."""

Rows = dict[str, Row]


def join(session: Session, connection: Connection, subscription: Subscription, at_ms: int) -> None:
    """Serves an admitted join to its end, or until the client leaves, joins anew or is gone.

    Raises: AwsCallError, UnknownConnection.
    """
    place = subscription.place
    room = room_key(place.stream, place.group, place.item_id)
    group_room = None if place.item_id is None else room_key(place.stream, place.group)
    registration = Registration(connection.id, subscription.id, room, at_ms, group_room)
    table = session.table
    registered = table.subscribe(connection, registration)
    try:
        if not registered:
            table.dismiss(connection.id)
        if registered is not None:
            _serve(session, registration, _Source(session, place))
    except Exception:
        # the connection is parted with; whoever removes its rows may have looked for them before this one was there
        table.delete(room, registration.member)
        raise


def _serve(session: Session, registration: Registration, source: _Source) -> None:
    """Sends what is there, has changes told from then on, and sends what changed meanwhile."""
    place = source.place
    told = source.read()
    created = _sync(session, place, told)
    if not session.table.activate(registration, _recent(told.values())):
        return
    if not session.table.is_connected(session.connection_id):
        raise UnknownConnection
    if place.item_id is None:
        _catch_up_with_group(session, source, told, created)
    else:
        _catch_up_with_item(session, source, told.get(place.item_id))


def _sync(session: Session, place: Place, rows: Rows) -> set[str]:
    """Sends what is there; returns the ids of the items that are told one by one, for want of room."""
    if place.item_id is not None:
        for row in rows.values():
            session.post(item_sync(place, row.timestamp, row))
        return set()
    frame, rest = group_sync(place, now_ms(), rows.values())
    session.post(frame)
    for row in rest:
        session.post(change_frame(place.item(row.id), row.timestamp, "create", row))
    return {row.id for row in rest}


def _recent(rows: Iterable[Row]) -> dict[str, int]:
    """The newest of the rows, whose announcements may still be on their way."""
    since = now_ms() - RECENT_MS
    newest = sorted((row for row in rows if row.timestamp >= since), key=lambda row: row.timestamp, reverse=True)
    return {row.id: row.timestamp for row in newest[:RECENT_LIMIT]}


def _catch_up_with_item(session: Session, source: _Source, old: Row | None) -> None:
    """Sends the item where it is not what it was.

    As a sync, which leaves the group alone that the client may follow too: an update of an item that the group's
    listener has not been told of yet would have it drop the announcement that is still to come.
    """
    new = source.read().get(source.place.item_id or "")
    if new is None and old is not None:
        session.post(item_sync(source.place, old.timestamp + 1, None))
    elif new is not None and (old is None or new.timestamp > old.timestamp):
        session.post(item_sync(source.place, new.timestamp, new))


def _catch_up_with_group(session: Session, source: _Source, told: Rows, created: set[str]) -> None:
    """Sends the items that are not what the client has been `told`; `created` are those that it was told by a create.

    A create or a delete that comes after an announcement undoes that: clients take either at any time. So those items
    are looked at again, until they are what was sent last.
    """
    watched: set[str] | None = None
    while watched is None or watched:
        rows = source.read()
        came_or_went: set[str] = set()
        for item_id in {**rows, **told}:
            if watched is not None and item_id not in watched:
                continue
            new, old = rows.get(item_id), told.get(item_id)
            for frame, kind in _differences(source.place.item(item_id), old, new, item_id in created):
                session.post(frame)
                if kind != "update":
                    came_or_went.add(item_id)
                if kind == "create":
                    created.add(item_id)
            if new is None:
                del told[item_id]
            else:
                told[item_id] = new
        watched = came_or_went


def _differences(place: Place, old: Row | None, new: Row | None, created: bool) -> Iterator[tuple[Frame, Kind]]:
    """The frames that lead from the old item to the new one.

    An update is told as the first thing after the old item, not at its own time: it must not have clients drop the
    announcements that lead to it, in case that the first of those is a delete. An announced update that came before a
    create has been dropped, and would be dropped again: after a create, the item is made anew.
    """
    if new is None:
        if old is not None:
            yield change_frame(place, old.timestamp + 1, "delete", old), "delete"
    elif old is None:
        yield change_frame(place, new.timestamp, "create", new), "create"
    elif new.timestamp > old.timestamp:
        if not created:
            yield change_frame(place, old.timestamp + 1, "update", new), "update"
        else:
            yield change_frame(place, old.timestamp, "delete", old), "delete"
            yield change_frame(place, new.timestamp, "create", new), "create"


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
