"""Parses update expressions.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from treadle_local.dynamodb.syntax import (
    AddAction,
    Arithmetic,
    DeleteAction,
    DocumentPath,
    IfNotExists,
    ListAppend,
    NewValue,
    OperandCheck,
    PathOperand,
    SetAction,
    Update,
    ValueOperand,
)
from treadle_local.dynamodb.tokens import Cursor, check_disjoint
from treadle_local.dynamodb.values import SET_TYPES

_NUMBER = frozenset(("N",))
_LIST = frozenset(("L",))
_ADDABLE = SET_TYPES | _NUMBER
_CONDITION_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size")

# The names that ADD and DELETE use in messages.
_TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "M": "MAP",
    "L": "LIST",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}


class UpdateParser:
    """Reads the sections SET, REMOVE, ADD and DELETE in any order, each at most once."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._sets: list[SetAction] = []
        self._removals: list[DocumentPath] = []
        self._additions: list[AddAction] = []
        self._deletions: list[DeleteAction] = []
        self._paths: list[DocumentPath] = []
        self._actions: dict[str, Callable[[], None]] = {
            "SET": self._set,
            "REMOVE": self._remove,
            "ADD": self._add,
            "DELETE": self._delete,
        }

    def parse(self) -> Update:
        """The whole expression.

        Raises: ValidationException.
        """
        cursor = self._cursor
        seen: set[str] = set()
        while cursor.token.kind != "end":
            if not cursor.at_keyword(*self._actions):
                cursor.fail()
            section = cursor.advance().text.upper()
            if section in seen:
                raise cursor.error(f'The "{section}" section can only be used once in an update expression;')
            seen.add(section)
            self._section(self._actions[section])
        check_disjoint(cursor, self._paths)
        return Update(
            tuple(self._sets),
            tuple(self._removals),
            tuple(self._additions),
            tuple(self._deletions),
            frozenset(str(path[0]) for path in self._paths),
        )

    def _section(self, action: Callable[[], None]) -> None:
        action()
        while self._cursor.accept(","):
            action()

    def _target(self) -> DocumentPath:
        path = self._cursor.path()
        self._paths.append(path)
        return path

    def _set(self) -> None:
        path = self._target()
        self._cursor.expect("=")
        self._sets.append(SetAction(path, self._new_value()))

    def _remove(self) -> None:
        self._removals.append(self._target())

    def _add(self) -> None:
        path = self._target()
        self._additions.append(AddAction(path, self._checked_value("ADD", _ADDABLE)))

    def _delete(self) -> None:
        path = self._target()
        self._deletions.append(DeleteAction(path, self._checked_value("DELETE", SET_TYPES)))

    def _checked_value(self, section: str, allowed: frozenset[str]) -> str:
        name = self._cursor.value()
        suffix = f", typeSet: ALLOWED_FOR_{section}_OPERAND"
        self._cursor.checks.append(OperandCheck(f"operator: {section}", name, allowed, suffix, _TYPE_NAMES))
        return name

    def _new_value(self) -> NewValue:
        """One operand, or two with + or - between them."""
        left = self._operand()
        if not self._cursor.at_symbol("+", "-"):
            return left
        operator = cast("Literal['+', '-']", self._cursor.advance().text)
        right = self._operand()
        self._check(f"operator or function: {operator}", _NUMBER, left, right)
        return Arithmetic(operator, left, right)

    def _operand(self) -> NewValue:
        cursor = self._cursor
        token = cursor.token
        if cursor.accept("("):
            cursor.deepen()
            value = self._new_value()
            cursor.expect(")")
            cursor.rise()
            return value
        if token.kind == "value":
            return ValueOperand(cursor.value())
        if token.kind == "word" and cursor.following.text == "(":
            return self._function(token.text)
        return PathOperand(cursor.path())

    def _function(self, name: str) -> NewValue:
        cursor = self._cursor
        if name in _CONDITION_FUNCTIONS:
            raise cursor.error(f"The function is not allowed in an update expression; function: {name}")
        if name not in ("if_not_exists", "list_append"):
            raise cursor.error(f"Invalid function name; function: {name}")
        cursor.advance()
        left, right = self._arguments(name)
        if name == "list_append":
            self._check("operator or function: list_append", _LIST, left, right)
            return ListAppend(left, right)
        if not isinstance(left, PathOperand):
            raise cursor.error("Operator or function requires a document path; operator or function: if_not_exists")
        return IfNotExists(left.path, right)

    def _arguments(self, name: str) -> tuple[NewValue, NewValue]:
        cursor = self._cursor
        cursor.expect("(")
        cursor.deepen()
        arguments = [self._operand()]
        while cursor.accept(","):
            arguments.append(self._operand())
        cursor.expect(")")
        cursor.rise()
        if len(arguments) != 2:
            raise cursor.error(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        return arguments[0], arguments[1]

    def _check(self, place: str, allowed: frozenset[str], *operands: NewValue) -> None:
        for operand in operands:
            match operand:
                case ValueOperand(name):
                    self._cursor.checks.append(OperandCheck(place, name, allowed))
                case IfNotExists(otherwise=ValueOperand(name)):
                    self._cursor.checks.append(OperandCheck(place, name, allowed))
                case ListAppend() if allowed is _NUMBER:
                    raise self._cursor.error(
                        f"Incorrect operand type for operator or function; {place}, operand type: L",
                    )
                case _:
                    pass
