"""Metric math: `+ - * / ^`, comparisons, IF, FILL, and the sums and means of several metrics at each moment.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from treadle_local.cloudwatch.refusals import invalid, not_here

Points: TypeAlias = dict[int, float]
"""Values by the start of their period, in seconds since the epoch"""
Value: TypeAlias = float | Points | list[Points]


@dataclass(frozen=True, slots=True)
class Scene:
    """What an expression is evaluated over: metrics by their ids, and every period of the time asked for."""

    metrics: Mapping[str, Points]
    expressions: Callable[[str], Points | None]
    times: Sequence[int]
    period: int

    def named(self, name: str) -> Points:
        found = self.metrics.get(name)
        if found is None:
            found = self.expressions(name)
        if found is None:
            raise invalid(f"Error in expression: Undefined variable {name}")
        return found


Node: TypeAlias = Callable[[Scene], Value]

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d*)?|\.\d+)|([A-Za-z]\w*)|(\"[^\"]*\"|'[^']*')|(<=|>=|==|!=|[-+*/^(),<>\[\]]))")
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "^": lambda left, right: math.pow(left, right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
}
_LEVELS = (("<", ">", "<=", ">=", "==", "!="), ("+", "-"), ("*", "/"), ("^",))
_FOLDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_EACH: Mapping[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_FUNCTIONS = frozenset({*_FOLDS, *_EACH, "IF", "PERIOD"})


@lru_cache(maxsize=256)
def parse_expression(text: str) -> Node:
    """What computes an expression.

    Raises: AwsError ValidationError; UnknownOperationException for functions that are not built.
    """
    parser = _Parser(text)
    node = parser.level(0)
    parser.finish()
    return node


def evaluate(text: str, scene: Scene) -> Points:
    """The expression's one time series. Raises: AwsError ValidationError where it is none."""
    value = parse_expression(text)(scene)
    if isinstance(value, list):
        raise not_here("An expression that gives several time series")
    return value if isinstance(value, dict) else dict.fromkeys(scene.times, value)


class _Parser:
    """By precedence; each node is a function of the scene."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._position = 0

    def _split(self) -> Iterator[tuple[str, int]]:
        position = 0
        text = self._text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._refusal(position)
            yield found[found.lastindex or 0], found.start(found.lastindex or 0)
            position = found.end()

    def _refusal(self, position: int) -> Exception:
        return invalid(f"Error in expression: syntax error at position {position} of `{self._text}`")

    def _peek(self) -> str:
        return self._tokens[self._position][0] if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _expect(self, wanted: str) -> None:
        if self._next() != wanted:
            raise self._here()

    def _here(self) -> Exception:
        place = self._position - 1
        return self._refusal(self._tokens[place][1] if place < len(self._tokens) else len(self._text))

    def finish(self) -> None:
        if self._position < len(self._tokens):
            self._position += 1
            raise self._here()

    def level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.level(level + 1)
        while (sign := self._peek()) in _LEVELS[level]:
            self._position += 1
            # powers bind to the right
            left = _binary(_ARITHMETIC[sign], left, self.level(level if sign == "^" else level + 1))
        return left

    def _unary(self) -> Node:
        if self._peek() == "-":
            self._position += 1
            return _binary(_ARITHMETIC["*"], lambda _scene: -1.0, self._unary())
        return self._primary()

    def _primary(self) -> Node:
        word = self._next()
        if word == "(":
            inside = self.level(0)
            self._expect(")")
            return inside
        if word[:1].isdigit() or (word.startswith(".") and len(word) > 1):
            number = float(word)
            return lambda _scene: number
        if word == "[":
            return _gather(self._arguments("]"))
        if not word[:1].isalpha():
            raise self._here()
        if self._peek() == "(":
            self._position += 1
            return self._call(word)
        if not word[0].islower():
            raise self._here()
        return lambda scene: scene.named(word)

    def _call(self, name: str) -> Node:
        if name == "METRICS":
            prefix = self._next()[1:-1] if self._peek()[:1] in {'"', "'"} else ""
            self._expect(")")
            return lambda scene: [points for key, points in scene.metrics.items() if key.startswith(prefix)]
        if name == "FILL":
            return self._fill()
        if name not in _FUNCTIONS:
            raise not_here(f"The function {name} in an expression")
        arguments = self._arguments(")")
        if name in _FOLDS and arguments:
            return _fold(_FOLDS[name], arguments)
        if name in _EACH and len(arguments) == 1:
            return _binary(lambda value, _: _EACH[name](value), arguments[0], lambda _scene: 0.0)
        if name == "IF" and len(arguments) in {2, 3}:
            return _choice(*arguments)
        if name == "PERIOD" and len(arguments) == 1:
            return lambda scene: float(scene.period)
        raise invalid(f"Error in expression: {name} does not take {len(arguments)} argument(s)")

    def _fill(self) -> Node:
        source = self.level(0)
        self._expect(",")
        if self._peek() in {"REPEAT", "LINEAR"}:
            how: str | Node = self._next()
        else:
            how = self.level(0)
        self._expect(")")
        return lambda scene: _filled(source(scene), how, scene)

    def _arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while self._peek() != end:
            found.append(self.level(0))
            if self._peek() == ",":
                self._position += 1
            elif self._peek() != end:
                self._position += 1
                raise self._here()
        self._position += 1
        return found


def _binary(combine: Callable[[float, float], float], left: Node, right: Node) -> Node:
    def node(scene: Scene) -> Value:
        return _combine(combine, left(scene), right(scene))

    return node


def _combine(combine: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """At each moment at which both have a value; what cannot be computed, as a division by zero, is no value."""
    if isinstance(left, list):
        return [_points(_combine(combine, one, right)) for one in left]
    if isinstance(right, list):
        return [_points(_combine(combine, left, one)) for one in right]
    if not isinstance(left, dict) and not isinstance(right, dict):
        value = _computed(combine, left, right)
        if value is None:
            raise invalid("Error in expression: a division of constants by zero")
        return value
    times = left.keys() if isinstance(left, dict) else _points(right).keys()
    found: Points = {}
    for time in times:
        first, second = _value_at(left, time), _value_at(right, time)
        if first is not None and second is not None and (value := _computed(combine, first, second)) is not None:
            found[time] = value
    return found


def _computed(combine: Callable[[float, float], float], left: float, right: float) -> float | None:
    try:
        return float(combine(left, right))
    except (OverflowError, ValueError, ZeroDivisionError):
        return None


def _value_at(value: float | Points, time: int) -> float | None:
    return value.get(time) if isinstance(value, dict) else value


def _points(value: Value) -> Points:
    if not isinstance(value, dict):
        raise invalid("Error in expression: a time series is expected where there is none")
    return value


def _gather(arguments: Sequence[Node]) -> Node:
    def node(scene: Scene) -> Value:
        found: list[Points] = []
        for argument in arguments:
            value = argument(scene)
            found += value if isinstance(value, list) else [_points(value)]
        return found

    return node


def _fold(combine: Callable[[Sequence[float]], float], arguments: Sequence[Node]) -> Node:
    """Over several series at each moment; over one series, over its values."""

    def node(scene: Scene) -> Value:
        several = _gather(arguments)(scene) if len(arguments) > 1 else arguments[0](scene)
        if isinstance(several, dict):
            return combine(list(several.values())) if several else {}
        if not isinstance(several, list):
            return several
        times = sorted({time for points in several for time in points})
        return {time: combine([points[time] for points in several if time in points]) for time in times}

    return node


def _choice(condition: Node, then: Node, other: Node | None = None) -> Node:
    def node(scene: Scene) -> Value:
        asked = condition(scene)
        chosen, alternative = then(scene), other(scene) if other is not None else {}
        if isinstance(asked, list) or isinstance(chosen, list) or isinstance(alternative, list):
            raise invalid("Error in expression: IF takes no array")
        if not isinstance(asked, dict):
            return chosen if asked else alternative
        picked = ((time, _value_at(chosen if holds else alternative, time)) for time, holds in asked.items())
        return {time: value for time, value in picked if value is not None}

    return node


def _filled(source: Value, how: str | Node, scene: Scene) -> Value:
    if isinstance(source, list):
        return [_points(_filled(one, how, scene)) for one in source]
    points = _points(source)
    if how == "REPEAT":
        return _repeated(points, scene.times)
    if how == "LINEAR":
        return _interpolated(points, scene.times)
    filler = how(scene) if not isinstance(how, str) else 0.0
    if isinstance(filler, list):
        raise invalid("Error in expression: FILL takes no array to fill with")
    candidates = ((time, points.get(time, _value_at(filler, time))) for time in scene.times)
    return {time: value for time, value in candidates if value is not None}


def _repeated(points: Points, times: Sequence[int]) -> Points:
    found: Points = {}
    last: float | None = None
    for time in times:
        if time in points:
            last = points[time]
        if last is not None:
            found[time] = last
    return found


def _interpolated(points: Points, times: Sequence[int]) -> Points:
    found: Points = {}
    known = sorted(points)
    for time in times:
        before = max((one for one in known if one <= time), default=None)
        after = min((one for one in known if one >= time), default=None)
        if before is not None and after is not None:
            share = (time - before) / (after - before) if after > before else 0.0
            found[time] = points[before] + (points[after] - points[before]) * share
    return found
