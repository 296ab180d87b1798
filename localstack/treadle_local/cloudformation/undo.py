"""What one step of a deployment has done, kept to be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from treadle_local.cloudformation.providers.base import Model
from treadle_local.cloudformation.resources import StackResource


@dataclass(frozen=True, slots=True)
class Created:
    """A resource that was not there before."""

    made: StackResource


@dataclass(frozen=True, slots=True)
class Changed:
    """A resource that was changed in place, or half of it."""

    before: StackResource
    attempted: Model


@dataclass(frozen=True, slots=True)
class Replaced:
    """A resource whose place another one has taken; the old one still exists."""

    before: StackResource
    made: StackResource


@dataclass(frozen=True, slots=True)
class Noted:
    """A resource of which only what the stack knows of it has changed."""

    before: StackResource


@dataclass(frozen=True, slots=True)
class Adopted:
    """A resource that was there before, though in no stack; `observed` is what it was then."""

    made: StackResource
    observed: Model


Undo: TypeAlias = Created | Changed | Replaced | Noted | Adopted
