"""The fields of a cron expression: what may be written in each, and the values that it means to crontab."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAY_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
INVALID_CODE = "cron-expression-invalid"
AMBIGUOUS_CODE = "cron-expression-ambiguous"

_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d{1,4}))?", re.ASCII)
_OF_OTHER_DIALECTS = re.compile(r"LW?|\d+[LW]|(?:SUN|MON|TUE|WED|THU|FRI|SAT)L|\w+#\d", re.ASCII | re.IGNORECASE)
_DIGITS = 4


class CronProblem(ValueError):  # noqa: N818 - it is told as a finding
    """Why an expression cannot be a schedule. `code` is a finding's code."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Item:
    """One entry in a field's list, as written: `first-last/step`; `first` may be `*`."""

    text: str
    first: str
    last: str | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """What may stand in one field: numbers, or names in any case. `everything` is what `*` means."""

    name: str
    least: int
    most: int
    everything: range
    names: Mapping[str, int] = field(default_factory=dict[str, int])

    def items(self, text: str) -> tuple[Item, ...]:
        """The entries of the field's list, their numbers not looked at yet. Raises: CronProblem."""
        items: list[Item] = []
        for part in text.split(","):
            match = _ITEM.fullmatch(part)
            if match is None or (match["first"] == "*" and match["last"]):
                raise self._malformed(part)
            items.append(Item(part, match["first"], match["last"], int(match["step"]) if match["step"] else None))
        return tuple(items)

    def values(self, items: Iterable[Item]) -> frozenset[int]:
        """What the list means to crontab: steps count from the beginning of their range. Raises: CronProblem."""
        return frozenset(value for item in items for value in self._range(item))

    def number(self, token: str) -> int:
        """One value, by number or by name. Raises: CronProblem."""
        number = self.names.get(token.lower())
        if number is None and token.isdecimal() and len(token) <= _DIGITS:
            number = int(token)
        if number is None or not self.least <= number <= self.most:
            raise self._unknown(token)
        return number

    def _range(self, item: Item) -> range:
        first, last = self._bounds(item)
        step = 1 if item.step is None else item.step
        if not 1 <= step <= len(self.everything):
            message = f"a step in the {self.name} must be 1 to {len(self.everything)}; got `{item.text}`"
            hint = f"write `{first}`, which is all that it would fire at" if step else None
            raise CronProblem(INVALID_CODE, message, hint)
        if last < first:
            raise self._backwards(item, first, last)
        doubt = self._doubt(item, first, last)
        if doubt is not None:
            message = f"`{item.text}` in the {self.name}: {doubt}"
            raise CronProblem(AMBIGUOUS_CODE, message, f"write `{in_words(self, range(first, last + 1, step))}`")
        return range(first, last + 1, step)

    def _doubt(self, item: Item, first: int, last: int) -> str | None:
        """Why crons differ on an item, which is no more than another way to write what is clear."""
        if item.last is not None and first == last:
            return "a range with one value means every value to some crons"
        if item.first != "*" and item.last is None and item.step is not None and self.most > self.everything[-1]:
            return f"crons differ on where it ends, since {self.most} is {self.least} too"
        return None

    def _bounds(self, item: Item) -> tuple[int, int]:
        """The first and the last value of an item without its step: of `5/2`, the field's last."""
        if item.first == "*":
            return self.everything[0], self.everything[-1]
        first = self.number(item.first)
        if item.last is not None:
            return first, self.number(item.last)
        return first, first if item.step is None else max(first, self.everything[-1])

    def _backwards(self, item: Item, first: int, last: int) -> CronProblem:
        message = f"the range `{item.text}` in the {self.name} ends before it begins"
        if item.step is not None:
            return CronProblem(INVALID_CODE, message)
        around = (*range(first, self.everything[-1] + 1), *range(self.everything[0], last + 1))
        meant = f"{last}-{first}" if self is YEAR else in_words(self, around)
        return CronProblem(INVALID_CODE, message, f"write `{meant}`")

    def _unknown(self, token: str) -> CronProblem:
        if _OF_OTHER_DIALECTS.fullmatch(token):
            return self._of_another_dialect(token)
        short = [name for name in self.names if len(name) == 3]
        names = f", or {short[0]} to {short[-1]}" if short else ""
        meant = [] if token.isdecimal() else get_close_matches(token.lower(), self.names, 1, 0.5)
        message = f"the {self.name} must be {self.least} to {self.most}{names}; got `{token}`"
        return CronProblem(INVALID_CODE, message, f"did you mean `{meant[0]}`?" if meant else None)

    def _malformed(self, part: str) -> CronProblem:
        if not part:
            return CronProblem(INVALID_CODE, f"an entry in the list of the {self.name} is empty", "take the comma out")
        if _OF_OTHER_DIALECTS.fullmatch(part):
            return self._of_another_dialect(part)
        message = f"`{part}` is not a value, a range or a step of the {self.name}"
        return CronProblem(INVALID_CODE, message, "for example `5`, `1-5`, `*/15`, `1,15`")

    def _of_another_dialect(self, part: str) -> CronProblem:
        message = f"`{part}` in the {self.name} is of another dialect: `L`, `W` and `#` are not known here"
        return CronProblem(INVALID_CODE, message, "name all days that it may be, and check the date in the handler")


def names_of(words: Iterable[str], first: int) -> dict[str, int]:
    """The number of each word and of its first three letters, counted from `first`; the short ones come first."""
    numbered = list(enumerate(words, first))
    return {word[:3]: number for number, word in numbered} | {word: number for number, word in numbered}


MINUTE = Field("minute", 0, 59, range(60))
HOUR = Field("hour", 0, 23, range(24))
DAY_OF_MONTH = Field("day of the month", 1, 31, range(1, 32))
MONTH = Field("month", 1, 12, range(1, 13), names_of(MONTH_NAMES, 1))
DAY_OF_WEEK = Field("day of the week", 0, 7, range(7), names_of(WEEKDAY_NAMES, 0))
YEAR = Field("year", 1970, 2199, range(1970, 2200))
FIELDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)
"""The fields in the order in which they are written, behind the seconds."""


def in_words(of: Field, values: Iterable[int]) -> str:
    """Values of a field as a list of values and ranges, which every dialect reads alike: days of the week by name."""
    runs: list[list[int]] = []
    for value in sorted({value % 7 if of is DAY_OF_WEEK else value for value in values}):
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    if runs and len(runs[0]) == len(of.everything):
        return "*"
    told = [[WEEKDAY_NAMES[day][:3] for day in run] if of is DAY_OF_WEEK else [*map(str, run)] for run in runs]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in told)
