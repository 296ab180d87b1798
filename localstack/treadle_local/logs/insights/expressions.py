"""Expressions of queries: comparisons, `like`, `in`, arithmetic and functions, as functions of a record.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from treadle_local.logs.insights.records import Value, number_of, text_of
from treadle_local.logs.insights.syntax import Reader, Token, malformed, not_here


class Fields(Protocol):
    """What has fields by name."""

    def get(self, name: str) -> Value: ...


Compute = Callable[[Fields], Value]


@dataclass(frozen=True, slots=True)
class Expression:
    """What computes a value, and the text that it was read from, which is its name unless it is given one."""

    compute: Compute
    text: str
    is_time: bool = False


_SPANS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
    "^": math.pow,
}
_TIMES = frozenset({"@timestamp", "@ingestionTime"})


def _texts(function: Callable[..., Value]) -> Callable[[Sequence[Value]], Value]:
    """A function of texts: of nothing there is nothing."""
    return lambda values: None if any(value is None for value in values) else function(*map(text_of, values))


def _numbers(function: Callable[..., float]) -> Callable[[Sequence[Value]], Value]:
    def compute(values: Sequence[Value]) -> Value:
        numbers = [number_of(value) for value in values]
        try:
            return None if None in numbers else float(function(*numbers))
        except (ArithmeticError, TypeError, ValueError):
            return None

    return compute


def _length(text: str) -> float:
    return float(len(text))


def _contains(text: str, part: str) -> float:
    return float(part in text)


def _part(text: str, start: str, length: str | None = None) -> str:
    first = int(float(start))
    return text[first:] if length is None else text[first : first + int(float(length))]


_FUNCTIONS: Mapping[str, tuple[int, int, Callable[[Sequence[Value]], Value]]] = {
    "ispresent": (1, 1, lambda values: values[0] is not None),
    "isempty": (1, 1, lambda values: values[0] in (None, "")),
    "isblank": (1, 1, lambda values: not text_of(values[0]).strip()),
    "coalesce": (1, 20, lambda values: next((value for value in values if value is not None), None)),
    "concat": (1, 20, _texts(lambda *parts: "".join(parts))),
    "strlen": (1, 1, _texts(_length)),
    "toupper": (1, 1, _texts(str.upper)),
    "tolower": (1, 1, _texts(str.lower)),
    "upper": (1, 1, _texts(str.upper)),
    "lower": (1, 1, _texts(str.lower)),
    "trim": (1, 2, _texts(str.strip)),
    "ltrim": (1, 2, _texts(str.lstrip)),
    "rtrim": (1, 2, _texts(str.rstrip)),
    "strcontains": (2, 2, _texts(_contains)),
    "replace": (3, 3, _texts(str.replace)),
    "substr": (2, 3, _texts(_part)),
    "abs": (1, 1, _numbers(math.fabs)),
    "ceil": (1, 1, _numbers(math.ceil)),
    "floor": (1, 1, _numbers(math.floor)),
    "log": (1, 1, _numbers(math.log)),
    "sqrt": (1, 1, _numbers(math.sqrt)),
    "greatest": (1, 20, _numbers(lambda *values: max(values))),
    "least": (1, 20, _numbers(lambda *values: min(values))),
    "tomillis": (1, 1, lambda values: values[0]),
    "frommillis": (1, 1, lambda values: values[0]),
}


def is_true(value: Value) -> bool:
    """Whether a filter lets a value through."""
    return value is not None and value not in (False, 0.0, "", "0")


def parse_expression(reader: Reader) -> Expression:
    """Raises: AwsError MalformedQueryException, where a function is not built too."""
    return _either(reader)


def _either(reader: Reader) -> Expression:
    left = _both(reader)
    while reader.take("or") is not None:
        left = _logical(left, _both(reader), "or")
    return left


def _both(reader: Reader) -> Expression:
    left = _negation(reader)
    while reader.take("and") is not None:
        left = _logical(left, _negation(reader), "and")
    return left


def _logical(left: Expression, right: Expression, word: str) -> Expression:
    first, second = left.compute, right.compute
    text = f"{left.text} {word} {right.text}"
    if word == "or":
        return Expression(lambda record: is_true(first(record)) or is_true(second(record)), text)
    return Expression(lambda record: is_true(first(record)) and is_true(second(record)), text)


def _negation(reader: Reader) -> Expression:
    if reader.take("not") is not None:
        inside = _negation(reader)
        return Expression(lambda record: not is_true(inside.compute(record)), f"not {inside.text}")
    return _comparison(reader)


def _comparison(reader: Reader) -> Expression:
    left = _sum(reader)
    negated = reader.take("not") is not None
    sign = reader.take("like", "=~", "in") if negated else reader.take("like", "=~", "in", *_COMPARISONS)
    if sign is None:
        if negated:
            reader.fail("`like` or `in` is expected behind `not`")
        return left
    word = sign.text.lower()
    if word in {"like", "=~"}:
        test = _like(reader)
    elif word == "in":
        test = _in(reader)
    else:
        right = _sum(reader)
        compare = _COMPARISONS[word]
        return Expression(
            lambda record: compare(left.compute(record), right.compute(record)), f"{left.text} {word} {right.text}"
        )
    return Expression(lambda record: test(left.compute(record)) is not negated, f"{left.text} {word} ...")


def _ordered(test: Callable[[float], bool]) -> Callable[[Value, Value], bool]:
    """By number where both are numbers, else as texts; what is missing compares to nothing."""

    def compare(left: Value, right: Value) -> bool:
        if left is None or right is None:
            return False
        first, second = number_of(left), number_of(right)
        if first is not None and second is not None:
            return test((first > second) - (first < second))
        one, other = text_of(left), text_of(right)
        return test((one > other) - (one < other))

    return compare


_equal = _ordered(lambda order: order == 0)
_COMPARISONS: Mapping[str, Callable[[Value, Value], bool]] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda order: order < 0),
    "<=": _ordered(lambda order: order <= 0),
    ">": _ordered(lambda order: order > 0),
    ">=": _ordered(lambda order: order >= 0),
}


def _like(reader: Reader) -> Callable[[Value], bool]:
    token = reader.next()
    if token.kind == "expression":
        compiled = compile_expression(token)
        return lambda value: value is not None and compiled.search(text_of(value)) is not None
    if token.kind != "string":
        raise malformed("A text in quotes or a /regular expression/ is expected", token)
    wanted = unquoted(token)
    return lambda value: value is not None and wanted in text_of(value)


def _in(reader: Reader) -> Callable[[Value], bool]:
    reader.expect("[")
    found: list[Expression] = [_sum(reader)]
    while reader.take(",") is not None:
        found.append(_sum(reader))
    reader.expect("]")
    return lambda value: any(_equal(value, one.compute(_NOTHING)) for one in found)


class _Nothing:
    def get(self, name: str) -> Value:
        return None


_NOTHING = _Nothing()


def _sum(reader: Reader) -> Expression:
    left = _product(reader)
    while (sign := reader.take("+", "-")) is not None:
        left = _arithmetic(sign.text, left, _product(reader))
    return left


def _product(reader: Reader) -> Expression:
    left = _power(reader)
    while (sign := reader.take("*", "/", "%")) is not None:
        left = _arithmetic(sign.text, left, _power(reader))
    return left


def _power(reader: Reader) -> Expression:
    left = _primary(reader)
    if (sign := reader.take("^")) is not None:
        return _arithmetic(sign.text, left, _power(reader))
    return left


def _arithmetic(sign: str, left: Expression, right: Expression) -> Expression:
    combine = _numbers(_ARITHMETIC[sign])
    return Expression(
        lambda record: combine((left.compute(record), right.compute(record))), f"{left.text} {sign} {right.text}"
    )


def _primary(reader: Reader) -> Expression:
    token = reader.next()
    match token.kind:
        case "number":
            number = float(token.text)
            return Expression(lambda _record: number, token.text)
        case "string":
            text = unquoted(token)
            return Expression(lambda _record: text, token.text)
        case "field":
            return field_named(token.text[1:-1])
        case "word" if reader.take("(") is not None:
            return _call(reader, token)
        case "word" if token.text.lower() in {"true", "false"}:
            constant = token.text.lower() == "true"
            return Expression(lambda _record: constant, token.text)
        case "word":
            return field_named(token.text)
        case "sign" if token.text == "(":
            inside = _either(reader)
            reader.expect(")")
            return Expression(inside.compute, f"({inside.text})")
        case "sign" if token.text == "-":
            return _arithmetic("-", Expression(lambda _record: 0.0, ""), _primary(reader))
        case _:
            raise malformed(f"Unexpected `{token.text or 'end of the query'}`", token)


def field_named(name: str) -> Expression:
    """What gets the field of a name."""
    return Expression(lambda record: record.get(name), name, is_time=name in _TIMES)


def _call(reader: Reader, name: Token) -> Expression:
    if name.text.lower() == "bin":
        return _bin(reader)
    known = _FUNCTIONS.get(name.text.lower())
    if known is None:
        raise not_here(f"The function {name.text}", name)
    arguments: list[Expression] = []
    while reader.take(")") is None:
        if arguments:
            reader.expect(",")
        arguments.append(_either(reader))
    least, most, function = known
    if not least <= len(arguments) <= most:
        raise malformed(f"{name.text} does not take {len(arguments)} argument(s)", name)
    text = f"{name.text}({', '.join(argument.text for argument in arguments)})"
    is_time = name.text.lower() == "frommillis"
    return Expression(lambda record: function([one.compute(record) for one in arguments]), text, is_time)


def _bin(reader: Reader) -> Expression:
    """`bin(5m)` of the time of an event; `bin(@timestamp, 5m)` is the same."""
    if reader.take("@timestamp") is not None:
        reader.expect(",")
    token = reader.next()
    found = re.fullmatch(r"(\d+)([a-z]+)", token.text)
    if token.kind != "span" or found is None or int(found[1]) == 0:
        raise malformed("A span of time like 5m is expected", token)
    if found[2] not in _SPANS_MS:
        raise not_here(f"A span of {found[2]}", token)
    span = int(found[1]) * _SPANS_MS[found[2]]
    reader.expect(")")

    def compute(record: Fields) -> Value:
        time = number_of(record.get("@timestamp"))
        return None if time is None else time // span * span

    return Expression(compute, f"bin({token.text})", is_time=True)


def compile_expression(token: Token) -> re.Pattern[str]:
    """Named groups may be written `(?<name>...)`. Raises: AwsError MalformedQueryException."""
    try:
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", token.text.replace("\\/", "/")))
    except re.error as problem:
        raise malformed(f"/{token.text}/ is no regular expression: {problem}", token) from None


def unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1])
