"""Event source mappings on table streams at work: each reads its stream and deals the records out to its lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from zlib import crc32

from treadle_local.aws.identity import Identity
from treadle_local.clock import Clock
from treadle_local.dynamodb.change_stream import Change, ChangeStream
from treadle_local.functions.event_filters import compile_filters
from treadle_local.functions.model import Backing, EventSourceMapping, StreamSettings
from treadle_local.functions.pollers import Batch
from treadle_local.functions.service import LambdaService
from treadle_local.functions.stream_lane import Lane, Surroundings, function_name
from treadle_local.functions.stream_records import Entry, shape

_LINGER_SECONDS = 0.005
"""What a stream waits for more after a change, so that a step that makes several is done before anybody is told of the
first. On AWS a stream is read four times a second.
Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""


class StreamPollers:
    """One reader per mapping on a stream. `refresh` makes them match the mappings; `close` ends all."""

    def __init__(
        self,
        clock: Clock,
        identity: Identity,
        functions: LambdaService,
        backing: Backing,
        stream: Callable[[str], ChangeStream | None],
        on_batch: Callable[[Batch], None],
        on_dropped: Callable[[str, str], None],
        linger_seconds: float = _LINGER_SECONDS,
    ) -> None:
        self._surroundings = Surroundings(clock, identity, functions, backing, on_batch, on_dropped, linger_seconds)
        self._stream = stream
        self._readers: dict[str, _Reader] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def refresh(self) -> None:
        """Makes a reader for every new mapping, tells the others of changes, ends those whose mapping is gone."""
        mappings = self._surroundings.functions.mappings()
        wanted = {mapping.uuid: mapping for mapping in mappings if mapping.stream is not None}
        for identifier in self._readers.keys() - wanted.keys():
            ending = asyncio.get_running_loop().create_task(self._readers.pop(identifier).finish())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        for identifier, mapping in wanted.items():
            reader = self._readers.get(identifier)
            if reader is not None:
                reader.apply(mapping)
            elif mapping.stream is not None and (stream := self._stream(mapping.source_arn)) is not None:
                self._readers[identifier] = _Reader(self._surroundings, stream, mapping, mapping.stream)

    def quiet(self) -> bool:
        """Whether no record is waiting or in a function but those that wait for the clock."""
        return not self._ending and all(reader.is_quiet() for reader in self._readers.values())

    async def close(self) -> None:
        """Ends all at once."""
        readers, self._readers = tuple(self._readers.values()), {}
        ending = tuple(self._ending)
        for task in ending:
            task.cancel()
        await asyncio.gather(*(reader.give_up() for reader in readers), *ending, return_exceptions=True)


class _Reader:
    """The way of one mapping through its stream. It keeps its place while the mapping is changed or disabled."""

    def __init__(
        self, surroundings: Surroundings, stream: ChangeStream, mapping: EventSourceMapping, settings: StreamSettings
    ) -> None:
        self._surroundings = surroundings
        self._stream = stream
        self._settings = settings
        self._mapping = mapping
        self._wanted = mapping
        self._next: int | None = None  # the number of the first record that is not read; None before the first start
        self._left: list[Entry] = []
        self._lanes: tuple[Lane, ...] = ()
        self._read_is_due = False
        self._changing: asyncio.Task[None] | None = None
        stream.listen(self._arrived)
        self._start()

    def apply(self, mapping: EventSourceMapping) -> None:
        """Goes on under changed settings, once the invocations that are under way are done."""
        self._wanted = mapping
        if self._changing is None and mapping != self._mapping:
            self._changing = asyncio.get_running_loop().create_task(self._change())

    def is_quiet(self) -> bool:
        """Whether nothing happens here until a record comes or the clock is turned."""
        if self._changing is not None or self._read_is_due:
            return False
        return all(lane.is_quiet() for lane in self._lanes)

    async def finish(self) -> None:
        """Reads no more; returns when the invocations that are under way are done."""
        self._stream.unlisten(self._arrived)
        try:
            if self._changing is not None:
                await self._changing
            await self._stop()
        except asyncio.CancelledError:
            await self.give_up()
            raise

    async def give_up(self) -> None:
        """Ends at once."""
        self._stream.unlisten(self._arrived)
        if self._changing is not None:
            self._changing.cancel()
        await asyncio.gather(*(lane.give_up() for lane in self._lanes))

    async def _change(self) -> None:
        while self._wanted != self._mapping:
            await self._stop()
            self._mapping = self._wanted
            self._settings = self._wanted.stream or self._settings
            self._start()
        self._changing = None

    async def _stop(self) -> None:
        """Ends the lanes and takes back what they have not done."""
        lanes, self._lanes = self._lanes, ()
        for left in await asyncio.gather(*(lane.finish() for lane in lanes)):
            self._left += left

    def _start(self) -> None:
        """Makes lanes, unless the mapping is disabled, and gives them what was left and what has come meanwhile."""
        if not self._mapping.enabled:
            return
        if self._next is None:
            latest = self._settings.starting_position == "LATEST"
            self._next = self._stream.next_number if latest else self._stream.oldest_number()
        self._lanes = tuple(
            Lane(self._surroundings, self._mapping, self._settings, self._stream)
            for _ in range(self._settings.parallelization_factor)
        )
        left, self._left = sorted(self._left, key=lambda entry: entry[0]), []
        self._deal(left)
        self._read()

    def _arrived(self) -> None:
        if self._lanes and not self._read_is_due:
            self._read_is_due = True
            asyncio.get_running_loop().call_later(self._surroundings.linger_seconds, self._read)

    def _read(self) -> None:
        """Deals out what is new in the stream."""
        self._read_is_due = False
        if not self._lanes or self._next is None:
            return
        oldest, end = self._stream.oldest_number(), self._stream.next_number
        if self._next < oldest:
            text = f"{oldest - self._next} record(s) of {self._stream.arn} expired before they were read"
            self._surroundings.on_dropped(function_name(self._mapping), text)
        self._deal(self._stream.between(max(self._next, oldest), end))
        self._next = end

    def _deal(self, entries: Iterable[Entry]) -> None:
        filters = compile_filters(self._mapping.filters)
        for number, change in entries:
            if not filters.patterns or filters.pass_record(shape(self._stream, number, change)):
                self._lanes[self._lane(change)].add((number, change))

    def _lane(self, change: Change) -> int:
        """The lane of the item: order is kept for each partition and sort key, not for each partition key.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        """
        if len(self._lanes) == 1:
            return 0
        key = self._stream.schema.key.key_of(change.record.item)
        return crc32(repr(key).encode("utf-8", "surrogatepass")) % len(self._lanes)
