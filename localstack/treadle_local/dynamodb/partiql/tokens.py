"""PartiQL text as tokens, and the cursor over them that the parsers share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.syntax import DocumentPath
from treadle_local.dynamodb.tokens import MAXIMUM_NESTING, MAXIMUM_PATH_DEPTH

TokenKind: TypeAlias = Literal["word", "quoted", "text", "number", "symbol", "unknown", "end"]

# Of a list index; an item has no room for more elements.
MAXIMUM_INDEX_DIGITS = 9

# Words that name no table or attribute unless they are quoted.
KEYWORDS = frozenset(
    (
        *("AND", "AS", "ASC", "BETWEEN", "BY", "DELETE", "DESC", "EXISTS", "FALSE", "FROM", "IN", "INSERT", "INTO"),
        *("IS", "LIKE", "MISSING", "NOT", "NULL", "OR", "ORDER", "REMOVE", "RETURNING", "SELECT", "SET", "TRUE"),
        *("UPDATE", "VALUE", "WHERE"),
    )
)

_TOKEN = re.compile(
    r"""(?:\s|--[^\n]*|/\*.*?\*/)*(?:
        (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
      | "(?P<quoted>(?:[^"]|"")*)"
      | '(?P<text>(?:[^']|'')*)'
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<symbol><<|>>|<>|!=|<=|>=|[=<>()\[\]{},.:?*;+-])
      | (?P<unknown>\S)
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is without its quotes, `length` with them."""

    kind: TokenKind
    text: str
    start: int
    length: int


def malformed(detail: str) -> AwsError:
    """The refusal of a statement that cannot be read."""
    return invalid(f"Statement wasn't well formed, can't be processed: {detail}")


def _tokens_of(source: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(source, position)
        if match is None or match.lastgroup is None:
            raise malformed("Unexpected term")
        kind: TokenKind = match.lastgroup  # type: ignore[assignment] # the groups are the kinds
        quote = {"quoted": '"', "text": "'"}.get(kind, "")
        text = match[kind].replace(quote * 2, quote) if quote else match[kind]
        start = match.start(kind) - len(quote)
        tokens.append(Token(kind, text, start, match.end() - start))
        position = match.end()
    return tokens


class Cursor:
    """Reads the tokens of one statement one by one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = _tokens_of(source)
        self._position = 0
        self._nesting = 0

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

    def at_call(self) -> bool:
        """Whether a function's name and its parenthesis stand here."""
        return self.token.kind == "word" and self.following.kind == "symbol" and self.following.text == "("

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

    def expect_keyword(self, keyword: str) -> None:
        if not self.accept_keyword(keyword):
            self.fail()

    def expect_end(self) -> None:
        self.accept(";")
        if self.token.kind != "end":
            raise malformed("Unexpected token after expression")

    def deepen(self) -> None:
        """Enters a parenthesis, a list, a map or a set."""
        self._nesting += 1
        if self._nesting > MAXIMUM_NESTING:
            raise malformed("The statement is nested too deeply")

    def rise(self) -> None:
        self._nesting -= 1

    def fail(self) -> NoReturn:
        """Raises the refusal of the current token."""
        token = self.token
        keyword = token.kind == "word" and token.text.upper() in KEYWORDS
        raise malformed("Unexpected keyword" if keyword else "Unexpected term")

    def place(self, token: Token) -> str:
        """Where the token is, as AWS says it: line, column and length, `1:8:5`."""
        line = self._source.count("\n", 0, token.start) + 1
        column = token.start - self._source.rfind("\n", 0, token.start)
        return f"{line}:{column}:{token.length}"

    def name(self) -> str:
        """The quoted or plain name at the current token."""
        token = self.token
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text.upper() in KEYWORDS):
            self.fail()
        if not token.text:
            raise invalid("Path component cannot be an empty string")
        return self.advance().text

    def path(self) -> DocumentPath:
        """The document path at the current token: `a.b[0]`, `a['b']`."""
        steps: list[str | int] = [self.name()]
        while True:
            if self.accept("."):
                steps.append(self.name())
            elif self.accept("["):
                steps.append(self._step())
                self.expect("]")
            else:
                break
        if len(steps) > MAXIMUM_PATH_DEPTH:
            raise malformed(f"The document path has too many nesting elements; nesting levels: {len(steps)}")
        return tuple(steps)

    def _step(self) -> str | int:
        token = self.token
        if token.kind == "text":
            return self.advance().text
        if token.kind != "number" or not token.text.isdigit() or len(token.text) > MAXIMUM_INDEX_DIGITS:
            self.fail()
        return int(self.advance().text)
