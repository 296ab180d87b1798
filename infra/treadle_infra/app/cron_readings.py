"""What Motia makes of a cron expression, which is not always what crontab does: such an expression is refused.

Motia 0.x reads with node-cron 3, whose steps are multiples (`9-17/2` is 10,12,14,16) and whose ranges over a week's end
turn around (`fri-mon` is mon-fri). Motia 1.0 reads with the Rust crate `cron`, whose days of the week are 1 (Sunday)
to 7.
Sources: https://github.com/node-cron/node-cron/tree/v3.0.3/src/convert-expression,
https://docs.rs/cron/latest/cron/struct.Schedule.html
"""

from __future__ import annotations

from typing import Literal

from treadle_infra.app.cron import split_fields
from treadle_infra.app.cron_fields import (
    AMBIGUOUS_CODE,
    DAY_OF_WEEK,
    FIELDS,
    WEEKDAY_NAMES,
    CronProblem,
    Field,
    Item,
    in_words,
    names_of,
)

MotiaVersion = Literal["0.x", "1.0"]

_READERS = {"0.x": "Motia 0.x", "1.0": "Motia 1.0"}
_DAY_FROM_ONE = Field("day of the week", 1, 7, range(1, 8), names_of(WEEKDAY_NAMES, 1))


def refuse_other_readings(text: str, version: MotiaVersion) -> None:
    """Raises: CronProblem where crontab and this Motia read a field differently. `text` is right by crontab's reading.

    Five fields are none of Motia 1.0's, so that nothing can be meant by them but crontab's.
    """
    if version == "1.0" and len(text.split()) == 5:
        return
    for of, part in zip(FIELDS[:5], split_fields(text), strict=False):
        expected = frozenset(value % 7 if of is DAY_OF_WEEK else value for value in of.values(of.items(part)))
        found = _as_motia_0(of, part) if version == "0.x" else _as_motia_1(of, part)
        if found != expected:
            raise _problem(of, part, expected, found, _READERS[version])


def read_as_motia_1(text: str) -> str | None:
    """The expression with its days of the week by name, as Motia 1.0 means them; None where crontab means the same.

    None too where Motia refuses it, or where it has five fields. `text` is right by crontab's reading.
    """
    words = text.split()
    part = split_fields(text)[4]
    found = _as_motia_1(DAY_OF_WEEK, part)
    expected = frozenset(day % 7 for day in DAY_OF_WEEK.values(DAY_OF_WEEK.items(part)))
    if len(words) == 5 or not found or found == expected:
        return None
    return " ".join([*words[:5], in_words(DAY_OF_WEEK, found), *words[6:]])


def _problem(of: Field, part: str, expected: frozenset[int], found: frozenset[int] | None, reader: str) -> CronProblem:
    theirs = f"`{in_words(of, found)}`" if found else "nothing"
    message = f"`{part}` as the {of.name} means `{in_words(of, expected)}` to crontab, but {theirs} to {reader}"
    meant = [in_words(of, values) for values in (expected, found) if values]
    return CronProblem(AMBIGUOUS_CODE, message, f"write out which you mean: {' or '.join(f'`{one}`' for one in meant)}")


def _as_motia_1(of: Field, part: str) -> frozenset[int] | None:
    if of is not DAY_OF_WEEK:
        return of.values(of.items(part))
    try:
        return frozenset(day - 1 for day in _DAY_FROM_ONE.values(_DAY_FROM_ONE.items(part)))
    except CronProblem:
        return None


def _as_motia_0(of: Field, part: str) -> frozenset[int] | None:
    """The values by node-cron's reading: None where it refuses them.

    It takes the first 7 for a 0 and only the first `*`, lists all values of all ranges, and keeps the multiples of the
    step behind the last.
    """
    items = of.items(part.replace("7", "0", 1) if of is DAY_OF_WEEK else part)
    stars = [place for place, item in enumerate(items) if item.first == "*"]
    read = [item for place, item in enumerate(items) if place not in stars[1:]]
    values = {value for item in read for value in _without_step(of, item)}
    step = items[-1].step
    if step is not None:
        values = {value for value in values if step and value % step == 0}
    elif len(stars) > 1:
        return None
    return frozenset(value for value in values if not (of is DAY_OF_WEEK and value == of.most)) or None


def _without_step(of: Field, item: Item) -> range:
    if item.first == "*":
        return of.everything
    first = of.number(item.first)
    last = first if item.last is None else of.number(item.last)
    return range(min(first, last), max(first, last) + 1)
