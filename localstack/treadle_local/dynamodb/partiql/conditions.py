"""Parses WHERE clauses into the condition trees of the item operations.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html, ql-functions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

from treadle_local.dynamodb.condition_parser import MAXIMUM_CANDIDATES, MAXIMUM_OPERATORS
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.partiql.syntax import Constant
from treadle_local.dynamodb.partiql.tokens import Cursor, Token, malformed
from treadle_local.dynamodb.partiql.values import ValueParser
from treadle_local.dynamodb.syntax import (
    And,
    BeginsWith,
    Between,
    Comparator,
    Comparison,
    Condition,
    Contains,
    DocumentPath,
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
from treadle_local.dynamodb.values import ORDERED_TYPES, TYPES

_COMPARATORS = ("=", "<>", "!=", "<", "<=", ">", ">=")
_SIZED_TYPES = frozenset(TYPES) - {"N", "BOOL", "NULL"}

Part: TypeAlias = Condition | Operand


class ConditionParser:
    """Recursive descent; OR binds loosest, then AND, then NOT."""

    def __init__(self, cursor: Cursor, values: ValueParser) -> None:
        self._cursor = cursor
        self._values = values
        self._operators = 0
        self.attributes: set[str] = set()
        self.checks: list[OperandCheck] = []
        self._functions: dict[str, Callable[[Token, list[Part]], Part]] = {
            "attribute_type": self._has_type,
            "begins_with": self._begins_with,
            "contains": lambda call, parts: Contains(*self._two(call, parts)),
            "size": self._size,
        }

    def parse(self) -> Condition:
        """The condition at the cursor.

        Raises: ValidationException.
        """
        return self._condition(self._or())

    def _or(self) -> Part:
        left = self._and()
        while self._cursor.accept_keyword("OR"):
            self._count()
            left = Or(self._condition(left), self._condition(self._and()))
        return left

    def _and(self) -> Part:
        left = self._not()
        while self._cursor.accept_keyword("AND"):
            self._count()
            left = And(self._condition(left), self._condition(self._not()))
        return left

    def _not(self) -> Part:
        if self._cursor.accept_keyword("NOT"):
            self._count()
            return Not(self._condition(self._not()))
        return self._predicate()

    def _predicate(self) -> Part:
        """A comparison, BETWEEN, IN or IS when one follows the operand; else what stands there alone."""
        left = self._primary()
        cursor = self._cursor
        if not isinstance(left, PathOperand | ValueOperand | SizeOperand):
            return left
        if cursor.at_symbol(*_COMPARATORS):
            self._count()
            return self._comparison(left)
        if cursor.accept_keyword("IS"):
            self._count()
            return self._is(left)
        negated = cursor.accept_keyword("NOT")
        if cursor.accept_keyword("BETWEEN"):
            test: Condition = self._between(left)
        elif cursor.accept_keyword("IN"):
            test = self._membership(left)
        elif cursor.at_keyword("LIKE"):
            raise invalid("Unsupported operation: Like")
        elif cursor.at_symbol("+", "-"):
            raise invalid("Unsupported operation: arithmetic in a WHERE clause")
        elif negated:
            cursor.fail()
        else:
            return left
        self._count()
        return Not(test) if negated else test

    def _comparison(self, left: Operand) -> Comparison:
        written = self._cursor.advance().text
        comparator = cast("Comparator", "<>" if written == "!=" else written)
        right = self._operand(self._primary())
        if comparator not in ("=", "<>"):
            self._check_types(comparator, ORDERED_TYPES, left, right)
        return Comparison(comparator, left, right)

    def _is(self, operand: Operand) -> Condition:
        negated = self._cursor.accept_keyword("NOT")
        if not isinstance(operand, PathOperand):
            self._cursor.fail()
        if self._cursor.accept_keyword("MISSING"):
            return Exists(operand.path, negated)
        if not self._cursor.accept_keyword("NULL"):
            if self._cursor.token.kind == "word":
                raise invalid("Unsupported operation: IsType")
            raise malformed("Expected type name")
        null = HasType(operand.path, self._values.named(Constant({"S": "NULL"})).name)
        return Not(null) if negated else null

    def _between(self, operand: Operand) -> Between:
        lower = self._operand(self._primary())
        self._cursor.expect_keyword("AND")
        upper = self._operand(self._primary())
        self._check_types("BETWEEN", ORDERED_TYPES, operand, lower, upper)
        return Between(operand, lower, upper)

    def _membership(self, operand: Operand) -> Membership:
        cursor = self._cursor
        closing = "]" if cursor.accept("[") else ")"
        if closing == ")":
            cursor.expect("(")
        candidates = [self._operand(self._primary())]
        while cursor.accept(","):
            candidates.append(self._operand(self._primary()))
        cursor.expect(closing)
        if len(candidates) > MAXIMUM_CANDIDATES:
            raise invalid(f"The IN operator is provided with too many operands; number of operands: {len(candidates)}")
        return Membership(operand, tuple(candidates))

    def _primary(self) -> Part:
        cursor = self._cursor
        if cursor.at_symbol("("):
            cursor.deepen()
            cursor.advance()
            part = self._or()
            cursor.expect(")")
            cursor.rise()
            return part
        if self._values.at_value():
            return self._values.operand()
        if cursor.at_call():
            return self._call()
        path = cursor.path()
        self.attributes.add(str(path[0]))
        return PathOperand(path)

    def _call(self) -> Part:
        cursor = self._cursor
        call = cursor.advance()
        name = call.text.lower()
        if name == "exists":
            raise invalid("EXISTS() is only supported as a statement of ExecuteTransaction")
        function = self._functions.get(name)
        if function is None:
            raise invalid(f"Unrecognized function: {call.text} at {cursor.place(call)}")
        self._count()
        cursor.deepen()
        cursor.expect("(")
        parts = [self._or()]
        while cursor.accept(","):
            parts.append(self._or())
        cursor.expect(")")
        cursor.rise()
        return function(call, parts)

    def _has_type(self, call: Token, parts: list[Part]) -> HasType:
        left, wanted = self._two(call, parts)
        path = self._path(call, left)
        if not isinstance(wanted, ValueOperand):
            self._cursor.fail()
        place = "operator or function: attribute_type"
        self.checks.append(OperandCheck(place, wanted.name, frozenset(("S",)), contents=TYPES))
        return HasType(path, wanted.name)

    def _begins_with(self, call: Token, parts: list[Part]) -> BeginsWith:
        operand, prefix = self._two(call, parts)
        self._check_types("begins_with", frozenset(("S", "B")), operand, prefix)
        return BeginsWith(operand, prefix)

    def _size(self, call: Token, parts: list[Part]) -> SizeOperand:
        (operand,) = self._counted(call, parts, 1)
        if isinstance(operand, SizeOperand):
            self._cursor.fail()
        self._check_types("size", _SIZED_TYPES, operand)
        return SizeOperand(operand)

    def _two(self, call: Token, parts: list[Part]) -> tuple[Operand, Operand]:
        first, second = self._counted(call, parts, 2)
        return first, second

    def _counted(self, call: Token, parts: list[Part], count: int) -> list[Operand]:
        if len(parts) != count:
            raise invalid(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {call.text.lower()}, number of operands: {len(parts)}"
            )
        return [self._operand(part) for part in parts]

    def _path(self, call: Token, operand: Operand) -> DocumentPath:
        if not isinstance(operand, PathOperand):
            raise invalid(f"Operator or function requires a document path; operator or function: {call.text.lower()}")
        return operand.path

    def _condition(self, part: Part) -> Condition:
        if isinstance(part, PathOperand | ValueOperand | SizeOperand):
            self._cursor.fail()
        return part

    def _operand(self, part: Part) -> Operand:
        if not isinstance(part, PathOperand | ValueOperand | SizeOperand):
            self._cursor.fail()
        return part

    def _count(self) -> None:
        self._operators += 1
        if self._operators > MAXIMUM_OPERATORS:
            raise invalid(f"The expression contains too many operators; operator count: {self._operators}")

    def _check_types(self, operator: str, allowed: frozenset[str], *operands: Operand) -> None:
        for operand in operands:
            if isinstance(operand, ValueOperand):
                self.checks.append(OperandCheck(f"operator or function: {operator}", operand.name, allowed))
