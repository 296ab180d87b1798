"""What `stats` computes over groups of records.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from treadle_local.logs.insights.expressions import Expression, parse_expression
from treadle_local.logs.insights.records import Record, Value, number_of, text_of
from treadle_local.logs.insights.syntax import Reader, Token, malformed, not_here


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the records of a group; `is_time` where it gives a time."""

    compute: Callable[[Sequence[Record]], Value]
    name: str
    is_time: bool = False


def _least(values: Sequence[Value]) -> Value:
    return min(values, key=_order)


def _greatest(values: Sequence[Value]) -> Value:
    return max(values, key=_order)


def _order(value: Value) -> tuple[bool, float, str]:
    number = number_of(value)
    return number is None, number or 0.0, text_of(value)


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _deviation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


_OF_VALUES: Mapping[str, Callable[[Sequence[Value]], Value]] = {
    "count": lambda values: float(len(values)),
    "count_distinct": lambda values: float(len(set(map(text_of, values)))),
    "min": lambda values: _least(values) if values else None,
    "max": lambda values: _greatest(values) if values else None,
    "sortsfirst": lambda values: min(map(text_of, values), default=None),
    "sortslast": lambda values: max(map(text_of, values), default=None),
}
_OF_NUMBERS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "median": lambda values: _median(sorted(values)),
    "stddev": _deviation,
}
AGGREGATES = frozenset({*_OF_VALUES, *_OF_NUMBERS, "pct", "earliest", "latest"})


def parse_aggregate(reader: Reader) -> Aggregate:
    """Raises: AwsError MalformedQueryException."""
    name = reader.next()
    word = name.text.lower()
    if name.kind != "word" or reader.take("(") is None:
        raise malformed(f"A function like count(*) is expected in place of `{name.text or 'the end'}`", name)
    if word not in AGGREGATES:
        raise not_here(f"The statistic {name.text}", name)
    if word == "count" and (reader.take("*") is not None or reader.here.text == ")"):
        reader.expect(")")
        return Aggregate(lambda records: float(len(records)), "count(*)")
    source = parse_expression(reader)
    fraction = _fraction(reader, source, name) if word == "pct" else 0.0
    reader.expect(")")
    if word == "pct":
        text = f"{name.text}({source.text}, {fraction * 100:g})"
        return Aggregate(lambda records: _percentile(_numbers(records, source), fraction), text)
    return _aggregate(word, name.text, source)


def _aggregate(word: str, name: str, source: Expression) -> Aggregate:
    text = f"{name}({source.text})"
    if word in {"earliest", "latest"}:
        pick = min if word == "earliest" else max

        def at_the_end(records: Sequence[Record]) -> Value:
            having = [record for record in records if source.compute(record) is not None]
            return source.compute(pick(having, key=lambda record: record.event.key)) if having else None

        return Aggregate(at_the_end, text, source.is_time)
    if word in _OF_NUMBERS:
        fold = _OF_NUMBERS[word]

        def folded(records: Sequence[Record]) -> Value:
            numbers = _numbers(records, source)
            return fold(numbers) if numbers else None

        return Aggregate(folded, text)
    choose = _OF_VALUES[word]

    def chosen(records: Sequence[Record]) -> Value:
        return choose([value for record in records if (value := source.compute(record)) is not None])

    return Aggregate(chosen, text, source.is_time and word in {"min", "max"})


def _fraction(reader: Reader, source: Expression, name: Token) -> float:
    reader.expect(",")
    token = reader.next()
    if token.kind != "number" or not 0 <= float(token.text) <= 100:
        raise malformed(f"pct({source.text}, ...) takes a number from 0 to 100", name)
    return float(token.text) / 100


def _numbers(records: Sequence[Record], source: Expression) -> list[float]:
    return [number for record in records if (number := number_of(source.compute(record))) is not None]


def _percentile(numbers: Sequence[float], fraction: float) -> Value:
    """The value that so many of them are not above."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]
