"""Reads literals and parameters, and turns their templates into values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.partiql.syntax import Constant, ListOf, MapOf, Parameter, Prepared, SetOf, Template
from treadle_local.dynamodb.partiql.tokens import Cursor, malformed
from treadle_local.dynamodb.syntax import ValueOperand
from treadle_local.dynamodb.values import Value, checked, type_of

_WORDS: Mapping[str, Value] = {"TRUE": {"BOOL": True}, "FALSE": {"BOOL": False}, "NULL": {"NULL": True}}


class ValueParser:
    """Reads values at the cursor and names them."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.templates: dict[str, Template] = {}
        self.parameter_count = 0

    def at_value(self) -> bool:
        cursor = self._cursor
        return (
            cursor.token.kind in ("text", "number")
            or cursor.at_symbol("?", "[", "{", "<<", "-", "+")
            or cursor.at_keyword(*_WORDS)
        )

    def operand(self) -> ValueOperand:
        """The value at the cursor under a name of its own."""
        return self.named(self.template())

    def named(self, template: Template) -> ValueOperand:
        name = f":{len(self.templates) + 1}"
        self.templates[name] = template
        return ValueOperand(name)

    def template(self) -> Template:
        """What the value at the cursor is made of.

        Raises: ValidationException.
        """
        cursor = self._cursor
        if cursor.token.kind == "text":
            return Constant({"S": cursor.advance().text})
        if cursor.token.kind == "number" or cursor.at_symbol("-", "+"):
            return self._number()
        if cursor.at_keyword(*_WORDS):
            return Constant(_WORDS[cursor.advance().text.upper()])
        if cursor.accept("?"):
            self.parameter_count += 1
            return Parameter(self.parameter_count - 1)
        if cursor.accept("["):
            return ListOf(self._members("]"))
        if cursor.accept("<<"):
            return SetOf(self._members(">>"))
        return self.map()

    def map(self) -> MapOf:
        """The map at the cursor, whose names are in single quotes."""
        cursor = self._cursor
        cursor.expect("{")
        cursor.deepen()
        members: list[tuple[str, Template]] = []
        while not cursor.at_symbol("}"):
            if members:
                cursor.expect(",")
            if cursor.token.kind != "text":
                cursor.fail()
            name = cursor.advance().text
            cursor.expect(":")
            members.append((name, self.template()))
        cursor.expect("}")
        cursor.rise()
        return MapOf(tuple(members))

    def _number(self) -> Constant:
        cursor = self._cursor
        sign = cursor.advance().text if cursor.at_symbol("-", "+") else ""
        if cursor.token.kind != "number":
            raise malformed("Unexpected term")
        return Constant(checked({"N": sign + cursor.advance().text}))

    def _members(self, closing: str) -> tuple[Template, ...]:
        cursor = self._cursor
        cursor.deepen()
        members: list[Template] = []
        while not cursor.at_symbol(closing):
            if members:
                cursor.expect(",")
            members.append(self.template())
        cursor.expect(closing)
        cursor.rise()
        return tuple(members)


def bound(prepared: Prepared, parameters: Sequence[object]) -> dict[str, Value]:
    """The values of the statement by name, checked.

    Raises: ValidationException.
    """
    if len(parameters) != prepared.parameter_count:
        raise invalid("Number of parameters in request and statement don't match.")
    given = [checked(parameter) for parameter in parameters]
    values = {name: checked(_filled(template, given)) for name, template in prepared.templates.items()}
    for check in prepared.checks:
        problem = check.problem(values)
        if problem is not None:
            raise invalid(problem)
    return values


def _filled(template: Template, given: Sequence[Value]) -> Value:
    match template:
        case Constant(value):
            return value
        case Parameter(number):
            return given[number]
        case ListOf(members):
            return {"L": [_filled(member, given) for member in members]}
        case MapOf(members):
            return {"M": {name: _filled(member, given) for name, member in members}}
        case SetOf(members):
            return _set([_filled(member, given) for member in members])
        case _:
            assert_never(template)


def _set(members: Sequence[Value]) -> Value:
    if not members:
        raise invalid("Empty bags are not supported")
    kinds = {type_of(member) for member in members}
    if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
        raise invalid("An operand in the update expression has an incorrect data type")
    kind = kinds.pop()
    return {f"{kind}S": [member[kind] for member in members]}
