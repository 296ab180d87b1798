"""Says on which of its days a schedule really fires, where AWS's own expression can only name too many of them.

Loaded by the step's manifest where a schedule has such days, and by nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from treadle.errors import UnroutableEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Guard:
    """Days of the month and of the week (Sunday is 0), None where any will do.

    A firing needs both, or with `either` one of them. `offsets` are what the time zone's clocks are ahead of UTC, as
    (from this Unix time on, seconds), ascending; empty for UTC. Before the first of them its seconds hold.
    """

    __slots__ = ("days_of_month", "days_of_week", "either", "offsets")

    def __init__(
        self,
        days_of_month: frozenset[int] | None,
        days_of_week: frozenset[int] | None,
        offsets: Sequence[tuple[int, int]] = (),
        *,
        either: bool = False,
    ) -> None:
        self.days_of_month = days_of_month
        self.days_of_week = days_of_week
        self.offsets = offsets
        self.either = either

    def admits(self, time: str) -> bool:
        """True where a firing at this ISO time is one of the schedule's own.

        Raises: UnroutableEvent where it is no time.
        """
        try:
            instant = datetime.fromisoformat(time)
        except ValueError as error:
            raise UnroutableEvent(f"`{time}` is not the time of a firing: {error}") from None
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        local = instant.astimezone(UTC) + timedelta(seconds=self._offset_seconds(instant.timestamp()))
        verdicts: list[bool] = []
        if self.days_of_month is not None:
            verdicts.append(local.day in self.days_of_month)
        if self.days_of_week is not None:
            verdicts.append(local.isoweekday() % 7 in self.days_of_week)
        return (any if self.either and verdicts else all)(verdicts)

    def _offset_seconds(self, instant: float) -> int:
        seconds = self.offsets[0][1] if self.offsets else 0
        for begins, offset in self.offsets:
            if begins > instant:
                break
            seconds = offset
        return seconds
