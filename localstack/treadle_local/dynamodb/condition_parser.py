"""Parses condition, filter and key condition expressions.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.syntax import (
    And,
    BeginsWith,
    Between,
    Comparator,
    Comparison,
    Condition,
    Contains,
    Exists,
    HasType,
    Membership,
    Not,
    Operand,
    OperandCheck,
    Or,
    PathOperand,
    SizeOperand,
    ValueOperand,
)
from treadle_local.dynamodb.tokens import Cursor, path_text
from treadle_local.dynamodb.values import ORDERED_TYPES, TYPES

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
MAXIMUM_OPERATORS = 300
MAXIMUM_CANDIDATES = 100

_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_KEYWORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
_UPDATE_FUNCTIONS = ("if_not_exists", "list_append")

_SIZED_TYPES = frozenset(TYPES) - {"N", "BOOL", "NULL"}
_PREFIX_TYPES = frozenset(("S", "B"))

Part: TypeAlias = Condition | Operand


class ConditionParser:
    """Recursive descent; OR binds loosest, then AND, then NOT."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._operators = 0
        self._parentheses = (-1, -1)  # the tokens of the pair closed last
        self.ranges: list[tuple[str, str]] = []  # the `:values` between which something must be
        self._functions: dict[str, Callable[[], Part]] = {
            "attribute_exists": lambda: Exists(self._only_path("attribute_exists"), True),
            "attribute_not_exists": lambda: Exists(self._only_path("attribute_not_exists"), False),
            "attribute_type": self._has_type,
            "begins_with": self._begins_with,
            "contains": self._contains,
            "size": self._size,
        }

    def parse(self) -> Condition:
        """The whole expression.

        Raises: ValidationException.
        """
        condition = self._condition(self._or())
        self._cursor.expect_end()
        if self._operators > MAXIMUM_OPERATORS:
            raise self._cursor.error(
                f"The expression contains too many operators; operator count: {self._operators}",
            )
        return condition

    def _or(self) -> Part:
        left = self._and()
        while self._cursor.accept_keyword("OR"):
            self._operators += 1
            left = Or(self._condition(left), self._condition(self._and()))
        return left

    def _and(self) -> Part:
        left = self._not()
        while self._cursor.accept_keyword("AND"):
            self._operators += 1
            left = And(self._condition(left), self._condition(self._not()))
        return left

    def _not(self) -> Part:
        if self._cursor.accept_keyword("NOT"):
            self._operators += 1
            if self._operators > MAXIMUM_OPERATORS:
                raise self._cursor.error("The expression contains too many operators; operator count: 301")
            return Not(self._condition(self._not()))
        return self._predicate()

    def _predicate(self) -> Part:
        """A comparison, BETWEEN or IN when an operator follows the operand; else what stands there alone."""
        left = self._primary()
        cursor = self._cursor
        if not isinstance(left, PathOperand | ValueOperand | SizeOperand):
            return left
        if cursor.at_symbol(*_COMPARATORS):
            self._operators += 1
            comparator = cast("Comparator", cursor.advance().text)
            right = self._operand(self._primary())
            self._distinct(comparator, left, right)
            if comparator not in ("=", "<>"):
                self._check_types(f"operator or function: {comparator}", ORDERED_TYPES, left, right)
            return Comparison(comparator, left, right)
        if cursor.accept_keyword("BETWEEN"):
            return self._between(left)
        if cursor.accept_keyword("IN"):
            return self._membership(left)
        return left

    def _between(self, operand: Operand) -> Between:
        self._operators += 1
        lower = self._operand(self._primary())
        if not self._cursor.accept_keyword("AND"):
            self._cursor.fail()
        upper = self._operand(self._primary())
        self._distinct("BETWEEN", operand, lower, upper)
        self._check_types("operator or function: BETWEEN", ORDERED_TYPES, operand, lower, upper)
        if isinstance(lower, ValueOperand) and isinstance(upper, ValueOperand):
            self.ranges.append((lower.name, upper.name))
        return Between(operand, lower, upper)

    def _membership(self, operand: Operand) -> Membership:
        self._operators += 1
        candidates = self._arguments()
        if len(candidates) > MAXIMUM_CANDIDATES:
            raise self._cursor.error(
                f"The IN operator is provided with too many operands; number of operands: {len(candidates)}"
            )
        self._distinct("IN", operand, *candidates)
        return Membership(operand, tuple(candidates))

    def _primary(self) -> Part:
        cursor = self._cursor
        if cursor.at_symbol("("):
            return self._parenthesised()
        token = cursor.token
        if token.kind == "value":
            return ValueOperand(cursor.value())
        if token.kind == "word" and cursor.following.text == "(" and token.text.upper() not in _KEYWORDS:
            return self._function(token.text)
        return PathOperand(cursor.path())

    def _parenthesised(self) -> Part:
        cursor = self._cursor
        cursor.deepen()
        opening = cursor.position
        cursor.expect("(")
        part = self._or()
        closing = cursor.position
        cursor.expect(")")
        if self._parentheses == (opening + 1, closing - 1):
            raise cursor.error("The expression has redundant parentheses;")
        self._parentheses = (opening, closing)
        cursor.rise()
        return part

    def _function(self, name: str) -> Part:
        function = self._functions.get(name)
        if function is not None:
            self._cursor.advance()
            self._operators += 1
            return function()
        if name in _UPDATE_FUNCTIONS:
            raise self._cursor.error(f"The function is not allowed in a condition expression; function: {name}")
        raise self._cursor.error(f"Invalid function name; function: {name}")

    def _arguments(self) -> list[Operand]:
        self._cursor.expect("(")
        self._cursor.deepen()
        arguments = [self._operand(self._primary())]
        while self._cursor.accept(","):
            arguments.append(self._operand(self._primary()))
        self._cursor.expect(")")
        self._cursor.rise()
        return arguments

    def _counted(self, name: str, count: int) -> list[Operand]:
        arguments = self._arguments()
        if len(arguments) != count:
            raise self._cursor.error(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        return arguments

    def _only_path(self, name: str) -> tuple[str | int, ...]:
        (operand,) = self._counted(name, 1)
        return self._path_of(name, operand)

    def _path_of(self, name: str, operand: Operand) -> tuple[str | int, ...]:
        if not isinstance(operand, PathOperand):
            raise self._cursor.error(f"Operator or function requires a document path; operator or function: {name}")
        return operand.path

    def _has_type(self) -> Part:
        operand, wanted = self._counted("attribute_type", 2)
        path = self._path_of("attribute_type", operand)
        if not isinstance(wanted, ValueOperand):
            raise self._cursor.error(
                "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: M"
            )
        place = "operator or function: attribute_type"
        self._cursor.checks.append(OperandCheck(place, wanted.name, frozenset(("S",)), contents=TYPES))
        return HasType(path, wanted.name)

    def _begins_with(self) -> Part:
        operand, prefix = self._counted("begins_with", 2)
        self._distinct("begins_with", operand, prefix)
        self._check_types("operator or function: begins_with", _PREFIX_TYPES, operand, prefix)
        return BeginsWith(operand, prefix)

    def _contains(self) -> Part:
        operand, part = self._counted("contains", 2)
        self._distinct("contains", operand, part)
        return Contains(operand, part)

    def _size(self) -> Part:
        (operand,) = self._counted("size", 1)
        if isinstance(operand, SizeOperand):
            raise self._misused("size")
        self._check_types("operator or function: size", _SIZED_TYPES, operand)
        return SizeOperand(operand)

    def _condition(self, part: Part) -> Condition:
        if isinstance(part, SizeOperand):
            raise self._misused("size")
        if isinstance(part, PathOperand | ValueOperand):
            self._cursor.fail()
        return part

    def _operand(self, part: Part) -> Operand:
        match part:
            case PathOperand() | ValueOperand() | SizeOperand():
                return part
            case Comparison() | Between() | Membership() | And() | Or() | Not():
                self._cursor.fail()
            case Exists(wanted=wanted):
                function = "attribute_exists" if wanted else "attribute_not_exists"
            case HasType():
                function = "attribute_type"
            case BeginsWith():
                function = "begins_with"
            case Contains():
                function = "contains"
        raise self._misused(function)

    def _misused(self, function: str) -> AwsError:
        return self._cursor.error(
            f"The function is not allowed to be used this way in an expression; function: {function}"
        )

    def _distinct(self, operator: str, first: Operand, *others: Operand) -> None:
        if isinstance(first, PathOperand) and first in others:
            raise self._cursor.error(
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {operator}, first operand: {path_text(first.path)}"
            )

    def _check_types(self, place: str, allowed: frozenset[str], *operands: Operand) -> None:
        for operand in operands:
            if isinstance(operand, ValueOperand):
                self._cursor.checks.append(OperandCheck(place, operand.name, allowed))
