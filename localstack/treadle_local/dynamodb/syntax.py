"""What an expression says once parsed: closed unions of frozen nodes, `#names` resolved and `:values` still by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from treadle_local.dynamodb.values import Value

# Attribute names and list indexes, the first always a name: `a.b[2]` is ("a", "b", 2).
DocumentPath: TypeAlias = tuple[str | int, ...]

ExpressionKind: TypeAlias = Literal[
    "UpdateExpression", "ConditionExpression", "KeyConditionExpression", "FilterExpression", "ProjectionExpression"
]
Comparator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class PathOperand:
    path: DocumentPath


@dataclass(frozen=True, slots=True)
class ValueOperand:
    name: str


@dataclass(frozen=True, slots=True)
class SizeOperand:
    of: PathOperand | ValueOperand


Operand: TypeAlias = PathOperand | ValueOperand | SizeOperand


@dataclass(frozen=True, slots=True)
class Comparison:
    comparator: Comparator
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    lower: Operand
    upper: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    operand: Operand
    candidates: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    path: DocumentPath
    wanted: bool


@dataclass(frozen=True, slots=True)
class HasType:
    path: DocumentPath
    type_name: str  # of the value that names the type


@dataclass(frozen=True, slots=True)
class BeginsWith:
    operand: Operand
    prefix: Operand


@dataclass(frozen=True, slots=True)
class Contains:
    operand: Operand
    part: Operand


@dataclass(frozen=True, slots=True)
class And:
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Or:
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


Condition: TypeAlias = Comparison | Between | Membership | Exists | HasType | BeginsWith | Contains | And | Or | Not


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: Literal["+", "-"]
    left: NewValue
    right: NewValue


@dataclass(frozen=True, slots=True)
class IfNotExists:
    path: DocumentPath
    otherwise: NewValue


@dataclass(frozen=True, slots=True)
class ListAppend:
    left: NewValue
    right: NewValue


NewValue: TypeAlias = PathOperand | ValueOperand | Arithmetic | IfNotExists | ListAppend


@dataclass(frozen=True, slots=True)
class SetAction:
    path: DocumentPath
    value: NewValue


@dataclass(frozen=True, slots=True)
class AddAction:
    path: DocumentPath
    value: str


@dataclass(frozen=True, slots=True)
class DeleteAction:
    path: DocumentPath
    value: str


@dataclass(frozen=True, slots=True)
class Update:
    """The four sections. `attributes` are the top-level names that they change."""

    sets: tuple[SetAction, ...] = ()
    removals: tuple[DocumentPath, ...] = ()
    additions: tuple[AddAction, ...] = ()
    deletions: tuple[DeleteAction, ...] = ()
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Projection:
    """The paths to keep; `plain` says that all are top-level names."""

    paths: tuple[DocumentPath, ...]
    plain: bool


@dataclass(frozen=True, slots=True)
class OperandCheck:
    """What a `:value` must be for the place where the expression uses it: of a type, and of these contents if any."""

    place: str
    value: str
    allowed: frozenset[str]
    suffix: str = ""
    type_names: Mapping[str, str] = field(default_factory=dict[str, str])
    contents: tuple[str, ...] = ()

    def problem(self, values: Mapping[str, Value]) -> str | None:
        """What AWS says of the value, None when it fits."""
        ((kind, content),) = values[self.value].items()
        if kind not in self.allowed:
            shown = self.type_names.get(kind, kind)
            return f"Incorrect operand type for operator or function; {self.place}, operand type: {shown}{self.suffix}"
        if self.contents and content not in self.contents:
            valid = ",".join(self.contents)
            return f"Invalid attribute type name found; type: {content}, valid types: {{{valid}}}"
        return None


Tree = TypeVar("Tree", Condition, Update, Projection)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Tree]):
    """A parsed expression: its tree, the placeholders that it uses and the top-level attributes that it names."""

    tree: Tree
    names: frozenset[str]
    values: tuple[str, ...]
    attributes: frozenset[str]
    checks: tuple[OperandCheck, ...]
    ranges: tuple[tuple[str, str], ...] = ()  # lower and upper `:value` of each BETWEEN
