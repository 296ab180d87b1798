"""Which tables have a change stream, and which streams can still be read though they are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.dynamodb.change_stream import RETENTION_SECONDS, ChangeStream
from treadle_local.dynamodb.table import Table


class ChangeStreams:
    """The streams of one region's tables, by ARN."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._by_arn: dict[str, ChangeStream] = {}

    def follow(self, table: Table, description: Mapping[str, Any]) -> None:
        """Opens or closes the stream of the table so that it is as the TableDescription says."""
        arn: str | None = None
        specification: Mapping[str, Any] = description.get("StreamSpecification") or {}
        if specification.get("StreamEnabled"):
            arn = str(description["LatestStreamArn"])
        for stream in self.of_table(table.schema.name):
            if stream.closed_at is None and stream.arn != arn:
                table.on_change = None
                stream.close()
        if arn is not None and arn not in self._by_arn:
            view = specification["StreamViewType"]
            stream = ChangeStream(arn, view, table.schema, self._region.name, self._clock)
            self._by_arn[arn] = stream
            table.on_change = stream.add

    def table_deleted(self, name: str) -> None:
        """Closes the table's stream; it can be read for another day."""
        for stream in self.of_table(name):
            if stream.closed_at is None:
                stream.close()

    def find(self, arn: str) -> ChangeStream | None:
        """The stream of this ARN, if it can be read."""
        self._forget()
        return self._by_arn.get(arn)

    def of_table(self, name: str | None) -> Sequence[ChangeStream]:
        """The streams of a table (of all tables: None) that can be read, oldest first."""
        self._forget()
        return [stream for stream in self._by_arn.values() if name in (None, stream.schema.name)]

    def _forget(self) -> None:
        """Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html (disabled streams)"""
        past = self._clock.now() - RETENTION_SECONDS
        closed = [stream for stream in self._by_arn.values() if stream.closed_at is not None]
        for stream in closed:
            if stream.closed_at is not None and stream.closed_at <= past:
                del self._by_arn[stream.arn]
