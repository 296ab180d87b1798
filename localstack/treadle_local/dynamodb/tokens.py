"""Expression text as tokens, and the cursor over them that every parser shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NoReturn, TypeAlias

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.reserved import RESERVED_WORDS
from treadle_local.dynamodb.syntax import DocumentPath, OperandCheck

TokenKind: TypeAlias = Literal["word", "name", "value", "number", "symbol", "unknown", "end"]

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
MAXIMUM_EXPRESSION_BYTES = 4096
MAXIMUM_PATH_DEPTH = 32

# How deeply parentheses and functions may be nested; ours, to bound the recursion.
MAXIMUM_NESTING = 64

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<name>\#[A-Za-z0-9_]+)
      | (?P<value>:[A-Za-z0-9_]+)
      | (?P<number>[0-9]+)
      | (?P<symbol><>|<=|>=|[=<>()\[\],.+-])
      | (?P<unknown>\S)
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    text: str
    start: int
    end: int


def tokens_of(source: str) -> list[Token]:
    """The tokens, the last of kind `end`."""
    tokens: list[Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(source, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"no token at {position}")  # `unknown` and `end` leave nothing unmatched
        kind: TokenKind = match.lastgroup  # type: ignore[assignment] # the groups are the kinds
        text = "<EOF>" if kind == "end" else match[kind]
        tokens.append(Token(kind, text, match.start(kind), match.end(kind)))
        position = match.end()
    return tokens


class Cursor:
    """Reads tokens one by one and notes the placeholders met on the way.

    `names` maps `#name` to the attribute name; every error is worded for the expression of `kind`.
    """

    def __init__(self, kind: str, source: str, names: Mapping[str, str]) -> None:
        self.kind = kind
        self._source = source
        self._names = names
        if not source.strip():
            raise self.error("The expression can not be empty;")
        size = len(source.encode("utf-8", "surrogatepass"))
        if size > MAXIMUM_EXPRESSION_BYTES:
            raise self.error(f"Expression size has exceeded the maximum allowed size; expression size: {size}")
        self._tokens = tokens_of(source)
        self._position = 0
        self._nesting = 0
        self.used_names: set[str] = set()
        self.used_values: dict[str, None] = {}
        self.attributes: set[str] = set()
        self.checks: list[OperandCheck] = []

    @property
    def position(self) -> int:
        """The number of the current token."""
        return self._position

    @property
    def token(self) -> Token:
        return self._tokens[self._position]

    @property
    def following(self) -> Token:
        """The token after the current one."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """The current token, after which the next is current."""
        token = self.token
        if token.kind != "end":
            self._position += 1
        return token

    def at_symbol(self, *symbols: str) -> bool:
        return self.token.kind == "symbol" and self.token.text in symbols

    def at_keyword(self, *keywords: str) -> bool:
        return self.token.kind == "word" and self.token.text.upper() in keywords

    def accept(self, symbol: str) -> bool:
        """Whether the current token is this symbol, then passed."""
        if not self.at_symbol(symbol):
            return False
        self._position += 1
        return True

    def accept_keyword(self, keyword: str) -> bool:
        if not self.at_keyword(keyword):
            return False
        self._position += 1
        return True

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            self.fail()

    def expect_end(self) -> None:
        if self.token.kind != "end":
            self.fail()

    def deepen(self) -> None:
        """Enters a parenthesis or a function's arguments."""
        self._nesting += 1
        if self._nesting > MAXIMUM_NESTING:
            raise self.error("The expression is nested too deeply")

    def rise(self) -> None:
        self._nesting -= 1

    def fail(self) -> NoReturn:
        """Raises the syntax error of the current token."""
        token = self.token
        start = self._tokens[max(self._position - 1, 0)].start
        near = self._source[start : self.following.end]
        raise self.error(f'Syntax error; token: "{token.text}", near: "{near}"')

    def error(self, detail: str) -> AwsError:
        return invalid(f"Invalid {self.kind}: {detail}")

    def value(self) -> str:
        """The name of the `:value` at the current token."""
        if self.token.kind != "value":
            self.fail()
        name = self.advance().text
        self.used_values[name] = None
        return name

    def path(self) -> DocumentPath:
        """The document path at the current token.

        Raises: ValidationException for a reserved word or an undefined `#name`.
        """
        steps: list[str | int] = [self._attribute()]
        while True:
            if self.accept("."):
                steps.append(self._attribute())
            elif self.accept("["):
                if self.token.kind != "number":
                    self.fail()
                steps.append(int(self.advance().text))
                self.expect("]")
            else:
                break
        if len(steps) > MAXIMUM_PATH_DEPTH:
            raise self.error("The document path has too many nesting elements; nesting levels: " + str(len(steps)))
        self.attributes.add(str(steps[0]))
        return tuple(steps)

    def _attribute(self) -> str:
        token = self.token
        if token.kind == "name":
            self.advance()
            self.used_names.add(token.text)
            if token.text not in self._names:
                raise self.error(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {token.text}"
                )
            return self._names[token.text]
        if token.kind != "word":
            self.fail()
        if token.text.upper() in RESERVED_WORDS:
            raise self.error(f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        self.advance()
        return token.text


def path_text(path: DocumentPath) -> str:
    """The path as AWS's messages show it: `[a, b, [2]]`."""
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in path)}]"


def check_disjoint(cursor: Cursor, paths: list[DocumentPath]) -> None:
    """Passes when no path is another's beginning, or reads as a map what another reads as a list.

    Raises: ValidationException.
    """
    ordered = sorted(enumerate(paths), key=lambda entry: [str(step) for step in entry[1]])
    for (left_number, left), (right_number, right) in pairwise(ordered):
        first, second = (left, right) if left_number < right_number else (right, left)
        problem = relation(first, second)
        if problem:
            raise cursor.error(
                f"Two document paths {problem} with each other; must remove or rewrite one of these paths; "
                f"path one: {path_text(first)}, path two: {path_text(second)}"
            )


def relation(first: DocumentPath, second: DocumentPath) -> Literal["overlap", "conflict"] | None:
    """How one path is in the other's way, None when it is not."""
    for left, right in zip(first, second, strict=False):
        if isinstance(left, int) is not isinstance(right, int):
            return "conflict"
        if left != right:
            return None
    return "overlap"
