"""The fields of AWS's cron expressions, each as the values that it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?", re.ASCII)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class ExpressionError(ValueError):
    """A schedule expression that AWS refuses, in its words; `reason` says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__("Parameter ScheduleExpression is not valid.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Field:
    """What may stand in one field: numbers from `least` to `most`, or their names in any case."""

    name: str
    least: int
    most: int
    names: Mapping[str, int] = field(default_factory=dict[str, int])
    steps: bool = True

    def values(self, text: str) -> tuple[int, ...]:
        """The allowed values in ascending order: lists of `*`, values and ranges, with steps where the field has them.

        Raises: ExpressionError.
        """
        return tuple(sorted({value for item in text.split(",") for value in self._range(item)}))

    def number(self, text: str) -> int:
        """One value, by number or name. Raises: ExpressionError."""
        number = self.names.get(text.upper())
        if number is None and text.isascii() and text.isdecimal() and len(text) <= len(str(self.most)):
            number = int(text)
        if number is None or not self.least <= number <= self.most:
            raise ExpressionError(f"{self.name}: {text!r} is not among {self.least}-{self.most}")
        return number

    def _range(self, item: str) -> range:
        match = _ITEM.fullmatch(item)
        if match is None or (match["first"] == "*" and match["last"]):
            raise ExpressionError(f"{self.name}: {item!r} is no value, range or step")
        first = self.least if match["first"] == "*" else self.number(match["first"])
        open_ended = match["first"] == "*" or (match["step"] and not match["last"])
        last = self.most if open_ended else self.number(match["last"] or match["first"])
        if last < first:
            raise ExpressionError(f"{self.name}: the range {item!r} ends before it begins")
        return range(first, last + 1, self._step(match["step"]))

    def _step(self, text: str | None) -> int:
        if text is None:
            return 1
        if not self.steps or len(text) > len(str(self.most)) or not 1 <= int(text) <= self.most:
            raise ExpressionError(f"{self.name}: a step of {text} is not possible")
        return int(text)


# Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
MINUTES = Field("minutes", 0, 59)
HOURS = Field("hours", 0, 23)
DAYS_OF_MONTH = Field("day of month", 1, 31)
MONTHS = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
DAYS_OF_WEEK = Field("day of week", 1, 7, {name: number for number, name in enumerate(_WEEKDAYS, 1)}, steps=False)
YEARS = Field("year", 1970, 2199)
