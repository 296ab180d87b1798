"""Logs Insights queries as text: tokens with their places, and the refusal that tells a place.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from treadle_local.aws.errors import AwsError

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    | (?P<number>\d+(?:\.\d+)?(?![\w.@]))
    | (?P<span>\d+(?:ms|s|m|h|d|w|mo|q|y)\b)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<field>`[^`]+`)
    | (?P<word>@?[A-Za-z_][\w@\-]*(?:\.[\w@\-]+)*|@[\w.]+)
    | (?P<sign>=~|!=|<=|>=|[-+*/%^=<>(),|\[\]])""",
    re.VERBOSE,
)
_EXPRESSION = re.compile(r"/((?:[^/\\]|\\.)*)/")
_BEFORE_EXPRESSION = frozenset({"like", "=~", "parse", "in"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `kind` is one of the groups above, `expression`, or `end`."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + max(1, len(self.text))


def malformed(message: str, token: Token) -> AwsError:
    """The refusal of a query, with the place in it that it is refused for."""
    location = {"startCharOffset": token.start, "endCharOffset": token.end}
    fields = {"queryCompileError": {"location": location, "message": message}}
    text = f"{message} at position {token.start}"
    return AwsError("MalformedQueryException", text, fields=fields)


def not_here(what: str, token: Token) -> AwsError:
    """The refusal of what Insights has and this emulator does not."""
    return malformed(f"{what} is not in Treadle's emulator yet,", token)


def tokens(text: str) -> Iterator[Token]:
    """The tokens in order, and one `end`. Raises: AwsError MalformedQueryException."""
    position = 0
    before = ""
    since_parse = 0
    while position < len(text):
        expression = _EXPRESSION.match(text, position) if before in _BEFORE_EXPRESSION or since_parse == 1 else None
        if expression is not None:
            yield Token("expression", expression[1], position)
            position, before = expression.end(), ""
            since_parse = 0
            continue
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise malformed(f"Unexpected `{text[position]}`", Token("end", text[position], position))
        if found.lastgroup != "space":
            yield Token(found.lastgroup, found[0], position)
            # the regular expression of a parse follows the field that it parses
            since_parse = 2 if found[0].lower() == "parse" else max(0, since_parse - 1)
            before = found[0].lower()
        position = found.end()
    yield Token("end", "", len(text))


class Reader:
    """Tokens, one after another."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._position = 0

    @property
    def here(self) -> Token:
        return self._tokens[self._position]

    def next(self) -> Token:
        token = self.here
        if token.kind != "end":
            self._position += 1
        return token

    def take(self, *texts: str) -> Token | None:
        """The next token where it is one of these words or signs."""
        if self.here.kind in {"word", "sign"} and self.here.text.lower() in texts:
            return self.next()
        return None

    def expect(self, text: str) -> Token:
        found = self.take(text)
        if found is None:
            self.fail(f"`{text}` is expected in place of `{self.here.text or 'the end'}`")
        return found

    def rest(self) -> list[str]:
        """The texts of all tokens that are left."""
        return [token.text for token in self._tokens[self._position :] if token.kind != "end"]

    def take_all(self, texts: list[str]) -> bool:
        """Whether the next tokens have these texts; if so, they are taken."""
        following = [token.text for token in self._tokens[self._position : self._position + len(texts)]]
        if following != texts:
            return False
        self._position += len(texts)
        return True

    def fail(self, message: str) -> NoReturn:
        raise malformed(message, self.here)

    def at_end_of_command(self) -> bool:
        return self.here.kind == "end" or (self.here.kind == "sign" and self.here.text == "|")
