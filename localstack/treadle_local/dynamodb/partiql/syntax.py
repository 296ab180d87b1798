"""What a PartiQL statement says once parsed; its conditions and updates are the trees of the item operations.

Their `:values` are named `:1`, `:2` and so on by the parser; a template says what each is, once parameters are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treadle_local.dynamodb import syntax
from treadle_local.dynamodb.syntax import Condition, DocumentPath, OperandCheck
from treadle_local.dynamodb.values import Value


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value


@dataclass(frozen=True, slots=True)
class Parameter:
    """The `?` of this number, from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class ListOf:
    members: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    members: tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class SetOf:
    members: tuple[Template, ...]


Template: TypeAlias = Constant | Parameter | ListOf | MapOf | SetOf

Returning: TypeAlias = Literal["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]


@dataclass(frozen=True, slots=True)
class Order:
    name: str
    ascending: bool


@dataclass(frozen=True, slots=True)
class Select:
    """`paths` is None for `*`; `attributes` are the top-level names in the condition."""

    table: str
    index: str | None
    paths: tuple[DocumentPath, ...] | None
    where: Condition | None
    orders: tuple[Order, ...]
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Insert:
    table: str
    item: str  # of the value that is the item


@dataclass(frozen=True, slots=True)
class Update:
    table: str
    changes: syntax.Update
    where: Condition | None
    returning: Returning


@dataclass(frozen=True, slots=True)
class Delete:
    table: str
    where: Condition | None
    returning: Returning


@dataclass(frozen=True, slots=True)
class Exists:
    """A transaction's check that a SELECT finds something."""

    select: Select

    @property
    def table(self) -> str:
        return self.select.table


Statement: TypeAlias = Select | Insert | Update | Delete | Exists


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed statement, the templates of its values and what those must be."""

    statement: Statement
    templates: Mapping[str, Template]
    parameter_count: int
    checks: tuple[OperandCheck, ...]
