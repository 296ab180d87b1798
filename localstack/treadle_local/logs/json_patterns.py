"""Filter patterns over JSON messages: `{ $.level = "error" && ($.durationMs > 10 || $.user.tags[0] = vip*) }`.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
"""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard

from treadle_infra.app.model import Json

Test = Callable[[Json], bool]
"""Whether a JSON value passes."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.[A-Za-z0-9_\-]+|\.?\[(?:\d+|\*|'[^']*'|"[^"]*")\])*)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<expression>%[^%]*%)
    | (?P<operator>&&|\|\||!=|<=|>=|=|<|>|\(|\))
    | (?P<word>[^\s()=<>!&|"{}]+)
    )""",
    re.VERBOSE,
)
_PART = re.compile(r"""\.([A-Za-z0-9_\-]+)|\.?\[(?:(\d+)|(\*)|'([^']*)'|"([^"]*)")\]""")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_END = ("end", "")
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")
"""Text that JSON writes in one way only, escapes by number aside."""

_EVERY = -1
"""Any element of an array, as a step of a path."""


def parse_json_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a message is JSON that the pattern is true of.

    Raises: ValueError, with the reason.
    """
    if not pattern.endswith("}"):
        raise ValueError("it has no closing brace")
    parser = _Parser(list(_tokens(pattern[1:-1])))
    test = parser.whole()
    needles = tuple(parser.needles)

    def matches(message: str) -> bool:
        # most messages are sorted out by their text alone; one with escapes may spell a needle in another way
        if "\\u" not in message:
            for needle in needles:
                if needle not in message:
                    return False
        if not message.lstrip().startswith(("{", "[")):
            return False
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return test(value)

    return matches


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise ValueError(f"it breaks at `{text[position:].strip()[:40]}`")
        yield found.lastgroup, found[found.lastgroup]
        position = found.end()


class _Parser:
    """By recursive descent; `&&` binds more closely than `||`.

    `needles` are texts that every matching message contains.
    """

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0
        self.needles: list[str] = []

    def whole(self) -> Test:
        test = self._any()
        if self._next() != _END:
            raise ValueError(f"there is too much at `{self._tokens[self._position - 1][1]}`")
        return test

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._position] if self._position < len(self._tokens) else _END
        self._position += 1
        return token

    def _take(self, wanted: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == ("operator", wanted):
            self._position += 1
            return True
        return False

    def _any(self) -> Test:
        before = len(self.needles)
        tests = [self._all()]
        while self._take("||"):
            tests.append(self._all())
        if len(tests) == 1:
            return tests[0]
        del self.needles[before:]
        return lambda value: any(test(value) for test in tests)

    def _all(self) -> Test:
        tests = [self._condition()]
        while self._take("&&"):
            tests.append(self._condition())
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _condition(self) -> Test:
        if self._take("("):
            test = self._any()
            if not self._take(")"):
                raise ValueError("a parenthesis is not closed")
            return test
        kind, selector = self._next()
        if kind != "selector":
            raise ValueError(f"`$.field` is expected in place of `{selector or '}'}`")
        path = _path(selector)
        kind, word = self._next()
        if kind == "operator" and word in {"=", "!=", *_ORDERS}:
            return self._comparison(path, word)
        worded = _word_test(path, word.upper(), self._next()[1].upper())
        if worded is None:
            raise ValueError(f"`=`, `!=`, `<`, `>`, `IS` or `NOT EXISTS` is expected behind `{selector}`")
        return worded

    def _comparison(self, path: Sequence[str | int], sign: str) -> Test:
        kind, text = self._next()
        if kind not in {"string", "word", "expression", "selector"}:
            raise ValueError(f"a value is expected behind `{sign}`")
        if sign in _ORDERS:
            return _ordered(path, _ORDERS[sign], text)
        literal = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text
        if sign == "=" and kind != "expression" and _number(literal) is None:
            self.needles += [part for part in literal.split("*") if _PLAIN.fullmatch(part)]
        equal = _expression_test(text[1:-1]) if kind == "expression" else _equal(literal)
        wanted = sign == "="
        return lambda value: any(equal(found) is wanted for found in _find(value, path))


def _word_test(path: Sequence[str | int], first: str, second: str) -> Test | None:
    if (first, second) == ("NOT", "EXISTS"):
        return lambda value: not list(_find(value, path))
    wanted: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NULL": None}
    if first != "IS" or second not in wanted:
        return None
    constant = wanted[second]
    return lambda value: any(found is constant for found in _find(value, path))


def _ordered(path: Sequence[str | int], order: Callable[[float, float], bool], text: str) -> Test:
    limit = _number(text)
    if limit is None:
        raise ValueError(f"only numbers have an order; `{text}` is none")
    return lambda value: any(_is_number(found) and order(found, limit) for found in _find(value, path))


def _equal(literal: str) -> Test:
    """Numbers are equal by value; text has `*` for anything."""
    number = _number(literal)
    pattern = re.compile(fnmatch.translate(literal.replace("[", "[[]").replace("?", "[?]"))) if "*" in literal else None

    def test(value: Json) -> bool:
        if _is_number(value):
            return number is not None and value == number
        if isinstance(value, str):
            return value == literal if pattern is None else pattern.match(value) is not None
        return False

    return test


def _expression_test(expression: str) -> Test:
    try:
        compiled = re.compile(expression)
    except re.error as problem:
        raise ValueError(f"`{expression}` is no regular expression: {problem}") from None
    return lambda value: isinstance(value, str) and compiled.search(value) is not None


def _is_number(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text) if re.fullmatch(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?", text) else None
    except ValueError:
        return None


def _path(selector: str) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    for name, index, every, single, double in _PART.findall(selector):
        parts.append(int(index) if index else _EVERY if every else name or single or double)
    return tuple(parts)


def selectors_of(pattern: str) -> list[str]:
    """The selectors (`$.user.id`) in a pattern for JSON, each once. Raises: ValueError."""
    found = (text for kind, text in _tokens(pattern.strip()[1:-1]) if kind == "selector")
    return list(dict.fromkeys(found))


def select(value: Json, selector: str) -> Json:
    """What is first at a selector; None where nothing is."""
    return next(_find(value, _path(selector)), None)


def _find(value: Json, path: Sequence[str | int]) -> Iterator[Json]:
    """The values at a path; several only where it says `[*]`."""
    if not path:
        yield value
        return
    part, rest = path[0], path[1:]
    if isinstance(part, str):
        if isinstance(value, dict) and part in value:
            yield from _find(value[part], rest)
    elif isinstance(value, list):
        for element in value if part == _EVERY else value[part : part + 1]:
            yield from _find(element, rest)
