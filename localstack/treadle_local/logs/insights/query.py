"""A query: its commands in order, each a step from rows to rows.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from treadle_local.logs.insights.aggregates import Aggregate, parse_aggregate
from treadle_local.logs.insights.expressions import (
    Expression,
    compile_expression,
    field_named,
    is_true,
    parse_expression,
    unquoted,
)
from treadle_local.logs.insights.records import Record, Value, moment, number_of, text_of
from treadle_local.logs.insights.syntax import Reader, Token, malformed, not_here

DEFAULT_LIMIT = MOST_ROWS = 10_000
"""Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html"""
_NOT_BUILT = frozenset(
    {"pattern", "diff", "anomaly", "unmask", "unnest", "join", "lookup", "source", "filterindex", "subquery"}
)


@dataclass(slots=True)
class Row:
    """A row of what is found: a record, or the statistics of a group of them."""

    record: Record | None
    values: dict[str, Value] = field(default_factory=dict[str, Value])

    def get(self, name: str) -> Value:
        if name in self.values:
            return self.values[name]
        return self.record.get(name) if self.record is not None else None


Step = Callable[[list[Row]], list[Row]]


@dataclass(slots=True)
class Query:
    """A query that has been read. `passes` sorts out records one by one, before the `steps` see all of them."""

    passes: list[Callable[[Record], bool]] = field(default_factory=list[Callable[[Record], bool]])
    steps: list[Step] = field(default_factory=list[Step])
    shown: list[str] = field(default_factory=list[str])
    times: set[str] = field(default_factory=lambda: {"@timestamp", "@ingestionTime"})
    is_sorted: bool = False
    has_stats: bool = False
    limit: int | None = None

    def admits(self, record: Record) -> bool:
        return all(one(record) for one in self.passes)

    def results(self, records: Sequence[Record], limit: int) -> list[list[dict[str, str]]]:
        """The rows as results show them: a list of fields and values each."""
        rows = [Row(record) for record in records]
        if not self.is_sorted:
            rows.reverse()  # the latest first
        for step in self.steps:
            rows = step(rows)
        return [self._shown(row) for row in rows[: limit if self.limit is None else self.limit]]

    def _shown(self, row: Row) -> list[dict[str, str]]:
        names = self.shown or ["@timestamp", "@message"]
        found = [(name, row.get(name)) for name in names]
        shown = [{"field": name, "value": self._text(name, value)} for name, value in found if value is not None]
        if row.record is not None:
            shown.append({"field": "@ptr", "value": text_of(row.record.get("@ptr"))})
        return shown

    def _text(self, name: str, value: Value) -> str:
        number = number_of(value) if name in self.times else None
        return text_of(value) if number is None else moment(number)


@lru_cache(maxsize=64)
def parse_query(text: str) -> Query:
    """Raises: AwsError MalformedQueryException, which tells the place."""
    reader, query = Reader(text), Query()
    while True:
        command = reader.next()
        if command.kind == "end":
            raise malformed("A command is expected", command)
        _command(reader, query, command)
        if reader.here.kind == "end":
            return query
        reader.expect("|")


def _command(reader: Reader, query: Query, command: Token) -> None:
    word = command.text.lower()
    if word in _NOT_BUILT:
        raise not_here(f"The command {command.text}", command)
    match word:
        case "fields" | "display":
            _fields(reader, query, only=word == "display")
        case "filter":
            _filter(reader, query)
        case "parse":
            _parse(reader, query)
        case "stats":
            _stats(reader, query, command)
        case "sort" | "order":
            if word == "order":
                reader.expect("by")
            _sort(reader, query)
        case "limit" | "head" | "tail":
            _limit(reader, query, word)
        case "dedup":
            _dedup(reader, query)
        case _:
            raise malformed(f"`{command.text}` is no command", command)


def _named(reader: Reader, text: str) -> str:
    if reader.take("as") is None:
        return text
    token = reader.next()
    if token.kind not in {"word", "field"}:
        raise malformed("A name is expected behind `as`", token)
    return token.text.strip("`")


def _listed(reader: Reader) -> list[tuple[str, Expression]]:
    found: list[tuple[str, Expression]] = []
    while True:
        expression = parse_expression(reader)
        found.append((_named(reader, expression.text), expression))
        if reader.take(",") is None:
            return found


def _fields(reader: Reader, query: Query, *, only: bool) -> None:
    listed = _listed(reader)
    query.shown = [*([] if only else query.shown), *(name for name, _ in listed)]
    query.times |= {name for name, expression in listed if expression.is_time}
    made = [(name, expression.compute) for name, expression in listed if name != expression.text]
    made += [(name, one.compute) for name, one in listed if name == one.text and not _is_plain(name)]

    def step(rows: list[Row]) -> list[Row]:
        for row in rows:
            row.values.update({name: compute(row) for name, compute in made})
        return rows

    if made:
        query.steps.append(step)


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"@?[\w@.\-]+", name) is not None


def _filter(reader: Reader, query: Query) -> None:
    expression = parse_expression(reader)
    if query.steps:
        query.steps.append(lambda rows: [row for row in rows if is_true(expression.compute(row))])
    else:
        query.passes.append(lambda record: is_true(expression.compute(record)))


def _parse(reader: Reader, query: Query) -> None:
    """`parse @message "user=*, cost=*" as user, cost`, or a regular expression with named groups."""
    source = None if reader.here.kind in {"string", "expression"} else parse_expression(reader)
    pattern = reader.next()
    if pattern.kind == "expression":
        compiled = compile_expression(pattern)
        names = list(compiled.groupindex)
    elif pattern.kind == "string":
        parts = unquoted(pattern).split("*")
        compiled = re.compile("(.*?)".join(map(re.escape, parts)) + ("$" if parts[-1] == "" else ""), re.DOTALL)
        names = []
    else:
        raise malformed('A pattern is expected: "text * with stars" or /a regular expression/', pattern)
    if reader.take("as") is not None:
        names = [reader.next().text.strip("`")]
        while reader.take(",") is not None:
            names.append(reader.next().text.strip("`"))
    if len(names) != compiled.groups:
        raise malformed(f"The pattern has {compiled.groups} parts for {len(names)} names", pattern)

    def step(rows: list[Row]) -> list[Row]:
        for row in rows:
            value = row.get("@message") if source is None else source.compute(row)
            found = compiled.search(text_of(value)) if value is not None else None
            if found is not None:
                row.values.update(zip(names, found.groups(), strict=True))
        return rows

    query.steps.append(step)


def _stats(reader: Reader, query: Query, command: Token) -> None:
    if query.has_stats:
        raise not_here("A second stats command", command)
    wanted: list[tuple[str, Aggregate]] = []
    while True:
        aggregate = parse_aggregate(reader)
        wanted.append((_named(reader, aggregate.name), aggregate))
        if reader.take(",") is None:
            break
    groups = _listed(reader) if reader.take("by") is not None else []
    query.has_stats = True
    query.shown = [*(name for name, _ in groups), *(name for name, _ in wanted)]
    query.times |= {name for name, expression in groups if expression.is_time}
    query.times |= {name for name, aggregate in wanted if aggregate.is_time}

    def step(rows: list[Row]) -> list[Row]:
        found: dict[tuple[Value, ...], list[Record]] = {}
        for row in rows:
            if row.record is not None:
                row.record.made.update(row.values)
                found.setdefault(tuple(one.compute(row) for _, one in groups), []).append(row.record)
        if not groups and not found:
            found[()] = []
        return [
            Row(None, {**dict(zip((name for name, _ in groups), key, strict=True)), **_computed(wanted, records)})
            for key, records in found.items()
        ]

    query.steps.append(step)


def _computed(wanted: Sequence[tuple[str, Aggregate]], records: Sequence[Record]) -> dict[str, Value]:
    return {name: aggregate.compute(records) for name, aggregate in wanted}


def _sort(reader: Reader, query: Query) -> None:
    keys: list[tuple[Expression, bool]] = []
    while True:
        expression = _sort_key(reader, query)
        word = reader.take("asc", "desc")
        keys.append((expression, word is not None and word.text.lower() == "desc"))
        if reader.take(",") is None:
            break

    def step(rows: list[Row]) -> list[Row]:
        for expression, descending in reversed(keys):
            rows = sorted(rows, key=lambda row: _sort_value(expression.compute(row)), reverse=descending)
        return rows

    query.is_sorted = True
    query.steps.append(step)


def _sort_key(reader: Reader, query: Query) -> Expression:
    """A name that the query has made, as `count(*)`, is meant where it is written like one."""
    for name in query.shown:
        if not _is_plain(name) and _spelled(reader, name):
            return field_named(name)
    return parse_expression(reader)


def _spelled(reader: Reader, name: str) -> bool:
    """Whether the next tokens spell a name; if so, they are taken."""
    wanted = list(Reader(name).rest())
    return reader.take_all(wanted)


def _sort_value(value: Value) -> tuple[int, float, list[tuple[str, int, str]]]:
    """What is missing first, then texts, then numbers; numbers within texts by their length first."""
    number = number_of(value)
    if number is not None:
        return 2, number, []
    chunks = re.findall(r"\d+|\D+", text_of(value))
    return (
        int(value is not None),
        0.0,
        [("0", len(one), one) if one[0].isdigit() else (one[0], 0, one) for one in chunks],
    )


def _limit(reader: Reader, query: Query, word: str) -> None:
    token = reader.next()
    if token.kind != "number" or not 1 <= float(token.text) <= MOST_ROWS:
        raise malformed(f"A number from 1 to {MOST_ROWS} is expected", token)
    count = int(token.text)
    query.limit = count
    if word == "tail":
        query.steps.append(lambda rows: rows[-count:])
    else:
        query.steps.append(lambda rows: rows[:count])


def _dedup(reader: Reader, query: Query) -> None:
    wanted = _listed(reader)

    def step(rows: list[Row]) -> list[Row]:
        seen: set[tuple[Value, ...]] = set()
        kept: list[Row] = []
        for row in rows:
            key = tuple(expression.compute(row) for _, expression in wanted)
            if None in key or key not in seen:
                seen.add(key)
                kept.append(row)
        return kept

    query.steps.append(step)
