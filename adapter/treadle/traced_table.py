"""The state's table where changes of state trigger steps: every write notes the trace that it belongs to."""

from __future__ import annotations

from treadle.table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from treadle.aws.expressions import Expressions
    from treadle.record import Counts
    from treadle.resources import Resources


class TracedTable(Table):
    __slots__ = ("_written_by",)

    def __init__(self, resources: Resources, counts: Counts, written_by: str) -> None:
        super().__init__(resources, resources.names.state_table(), "key", counts)
        self._written_by = written_by

    def extra_bytes(self) -> int:
        return len("trace") + len(self._written_by)

    def write(
        self, group: str, key: str, expressions: Expressions, returns: Literal["NONE", "ALL_OLD"] = "NONE"
    ) -> dict[str, Any]:
        traced = expressions.copy()
        traced.assign("trace", {"S": self._written_by})
        return super().write(group, key, traced, returns)
