"""The parameters that the API had before expressions, as the trees of the expressions that say the same.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias, cast

from treadle_local.aws.service import Params
from treadle_local.dynamodb.errors import broken_constraint, invalid, invalid_parameter, malformed
from treadle_local.dynamodb.syntax import (
    AddAction,
    And,
    BeginsWith,
    Between,
    Comparator,
    Comparison,
    Condition,
    Contains,
    DeleteAction,
    DocumentPath,
    Exists,
    ExpressionKind,
    Membership,
    Not,
    Or,
    Parsed,
    PathOperand,
    Projection,
    SetAction,
    Update,
    ValueOperand,
)
from treadle_local.dynamodb.values import ORDERED_TYPES, SET_TYPES, Value, checked, type_of

EXPRESSION_OF: Mapping[str, ExpressionKind] = {
    "AttributesToGet": "ProjectionExpression",
    "AttributeUpdates": "UpdateExpression",
    "Expected": "ConditionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
}
"""Each member beside what replaced it."""

_COMPARATORS: Mapping[str, Comparator] = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
_KEY_OPERATORS = frozenset(("EQ", "LE", "LT", "GE", "GT", "BEGINS_WITH", "BETWEEN"))
_ORDERING = frozenset(("LE", "LT", "GE", "GT", "BETWEEN"))
# How many values an operator takes; None for one or more.
_COUNTS: Mapping[str, int | None] = {
    **dict.fromkeys(_COMPARATORS, 1),
    "NULL": 0,
    "NOT_NULL": 0,
    "CONTAINS": 1,
    "NOT_CONTAINS": 1,
    "BEGINS_WITH": 1,
    "IN": None,
    "BETWEEN": 2,
}

_Operands: TypeAlias = Sequence[ValueOperand]
_BUILDERS: Mapping[str, Callable[[PathOperand, _Operands], Condition]] = {
    "NULL": lambda path, _: Exists(path.path, False),
    "NOT_NULL": lambda path, _: Exists(path.path, True),
    "CONTAINS": lambda path, values: Contains(path, values[0]),
    "NOT_CONTAINS": lambda path, values: Not(Contains(path, values[0])),
    "BEGINS_WITH": lambda path, values: BeginsWith(path, values[0]),
    "IN": lambda path, values: Membership(path, tuple(values)),
    "BETWEEN": lambda path, values: Between(path, values[0], values[1]),
}


_LEGACY = frozenset((*EXPRESSION_OF, "ConditionalOperator"))


def legacy_members(params: Params) -> list[str]:
    """The legacy members that a request has."""
    if _LEGACY.isdisjoint(params):
        return []
    return [name for name in (*EXPRESSION_OF, "ConditionalOperator") if params.get(name) is not None]


class LegacyReader:
    """Reads the legacy members of one request; `values` are the literals met, under names of their own."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self.values: dict[str, Value] = {}

    def trees(self) -> dict[ExpressionKind, Parsed[Any]]:
        """The trees by the kind of expression that would say the same.

        Raises: ValidationException, SerializationException.
        """
        params = self._params
        found: dict[ExpressionKind, Parsed[Any]] = {}
        for member, kind in EXPRESSION_OF.items():
            if params.get(member) is not None:
                tree, attributes = self._read(member)
                if tree is not None:
                    parsed: Parsed[Any] = Parsed(tree, frozenset(), tuple(self.values), frozenset(attributes), ())
                    found[kind] = parsed
        self._check_operator()
        return found

    def _read(self, member: str) -> tuple[Any, Sequence[str]]:
        """The tree (None where there is nothing to say) and the attributes that it names."""
        given = self._params[member]
        if member == "AttributesToGet":
            return self._projection(given)
        conditions = _mapping(given, member)
        match member:
            case "AttributeUpdates":
                return self._update(conditions), list(conditions)
            case "Expected":
                tests = [self._expected(name, _mapping(test, member)) for name, test in conditions.items()]
            case _:
                tests = [self._condition(name, _mapping(test, member), member) for name, test in conditions.items()]
        either = self._params.get("ConditionalOperator") == "OR" and member != "KeyConditions"
        return (reduce(Or if either else And, tests) if tests else None), list(conditions)

    def _projection(self, given: object) -> tuple[Projection, Sequence[str]]:
        if not isinstance(given, list):
            raise malformed("Unexpected value type in payload: AttributesToGet")
        names = cast("list[str]", given)
        if not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise malformed("Unexpected value type in payload: AttributesToGet")
        if not names:
            raise broken_constraint("[]", "attributesToGet", "Member must have length greater than or equal to 1")
        for number, name in enumerate(names):
            if name in names[:number]:
                raise invalid_parameter(f"Duplicate value in attribute name: {name}")
        return Projection(tuple((name,) for name in names), plain=True), names

    def _condition(self, name: str, test: Mapping[str, Any], member: str) -> Condition:
        operator = str(test.get("ComparisonOperator"))
        if operator not in _COUNTS:
            raise broken_constraint(
                operator, "comparisonOperator", f"Member must satisfy enum value set: [{', '.join(_COUNTS)}]"
            )
        if member == "KeyConditions" and operator not in _KEY_OPERATORS:
            raise invalid("Attempted conditional constraint is not an indexable operation")
        literals = [checked(literal) for literal in test.get("AttributeValueList") or ()]
        count = _COUNTS[operator]
        if (count is None and not literals) or (count is not None and len(literals) != count):
            raise invalid_parameter(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
        for literal in literals:
            _check_operand(operator, literal)
        if operator == "BETWEEN" and type_of(literals[0]) != type_of(literals[1]):
            raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
        path, operands = PathOperand((name,)), [self._named(literal) for literal in literals]
        comparator = _COMPARATORS.get(operator)
        if comparator is not None:
            return Comparison(comparator, path, operands[0])
        return _BUILDERS[operator](path, operands)

    def _expected(self, name: str, test: Mapping[str, Any]) -> Condition:
        has_value, exists = test.get("Value") is not None, test.get("Exists")
        if test.get("ComparisonOperator") is not None:
            if exists is not None:
                raise invalid_parameter(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
            if has_value and test.get("AttributeValueList") is not None:
                raise invalid_parameter(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
            literals = [test["Value"]] if has_value else test.get("AttributeValueList")
            operator = test["ComparisonOperator"]
            if literals is None and _COUNTS.get(operator) != 0:
                raise invalid_parameter(
                    "Value or AttributeValueList must be used with "
                    f"ComparisonOperator: {operator} for Attribute: {name}"
                )
            return self._condition(name, {**test, "AttributeValueList": literals}, "Expected")
        if exists is False:
            if has_value:
                raise invalid_parameter(f"Value cannot be used when Exists is false for Attribute: {name}")
            return Exists((name,), False)
        if not has_value:
            raise invalid_parameter(
                f"Value must be provided when Exists is {'null' if exists is None else 'true'} for Attribute: {name}"
            )
        return Comparison("=", PathOperand((name,)), self._named(checked(test["Value"])))

    def _update(self, updates: Mapping[str, Any]) -> Update:
        sets: list[SetAction] = []
        removals: list[DocumentPath] = []
        additions: list[AddAction] = []
        deletions: list[DeleteAction] = []
        for name, given in updates.items():
            update = _mapping(given, "AttributeUpdates")
            action = update.get("Action") or "PUT"
            if action not in ("PUT", "ADD", "DELETE"):
                raise broken_constraint(action, "action", "Member must satisfy enum value set: [ADD, PUT, DELETE]")
            if update.get("Value") is None:
                if action != "DELETE":
                    raise invalid_parameter("Only DELETE action is allowed when no attribute value is specified")
                removals.append((name,))
                continue
            literal = checked(update["Value"])
            kind, operand = type_of(literal), self._named(literal)
            match action:
                case "PUT":
                    sets.append(SetAction((name,), operand))
                case "ADD" if kind == "N" or kind in SET_TYPES:
                    additions.append(AddAction((name,), operand.name))
                case "DELETE" if kind in SET_TYPES:
                    deletions.append(DeleteAction((name,), operand.name))
                case _:
                    raise invalid_parameter(f"{action} action is not supported for the type {kind}")
        return Update(tuple(sets), tuple(removals), tuple(additions), tuple(deletions), frozenset(updates))

    def _check_operator(self) -> None:
        operator = self._params.get("ConditionalOperator")
        if operator is None:
            return
        if operator not in ("AND", "OR"):
            raise broken_constraint(operator, "conditionalOperator", "Member must satisfy enum value set: [OR, AND]")
        members = [self._params[name] for name in ("Expected", "QueryFilter", "ScanFilter") if self._params.get(name)]
        if not members:
            raise invalid_parameter("ConditionalOperator cannot be used without Filter or Expected")
        if len(members[0]) < 2:
            raise invalid_parameter(
                "ConditionalOperator can only be used when Filter or Expected has two or more elements"
            )

    def _named(self, literal: Value) -> ValueOperand:
        name = f":legacy{len(self.values)}"
        self.values[name] = literal
        return ValueOperand(name)


def _check_operand(operator: str, literal: Value) -> None:
    kind = type_of(literal)
    allowed = ORDERED_TYPES if operator in _ORDERING else None
    if operator == "BEGINS_WITH":
        allowed = frozenset(("S", "B"))
    if allowed is not None and kind not in allowed:
        raise invalid_parameter(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")


def _mapping(value: object, member: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise malformed(f"Unexpected value type in payload: {member}")
    return cast("dict[str, Any]", value)
