"""Which stack each resource of a topology is in. Small apps have one stack; large ones several, and nothing moves.

What steps share comes up before them: topics, streams' tables and layers (`foundation-N`), then the app's own stack
with the state, the APIs and Treadle's own functions, then the steps (`steps-N`), side by side. All resources of one
step, its routes included, are in one stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from treadle_infra.app.findings import SourceLocation, TreadleError
from treadle_infra.topology.model import Layer, Resource, StreamTable, Topic

RESOURCE_ROOM = 450
"""AWS stops at 500 a stack; the rest is room for what a later release adds.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""
BYTE_ROOM = 880_000
"""Of the resources of one template. AWS stops at 1,000,000 bytes; parameters and outputs take some of them."""
_GROWTH_RESOURCES = 100
_GROWTH_BYTES = 200_000
"""What the app's own stack keeps free of further steps and topics, so that what is already in it can grow."""

OWN = ""
"""The app's own stack: its name is that of the app and stage, without an end."""


class Level(IntEnum):
    """Stacks come up by level, those of one level side by side; they go in the other order."""

    FOUNDATION = 0
    OWN = 1
    STEPS = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """Resources that stay together. `key` is like `step:Orders`; it is empty for what is always in the own stack."""

    key: str
    level: Level
    where: SourceLocation | None = field(default=None, compare=False)


_SHARED = Unit("", Level.OWN)


def unit_of(resource: Resource) -> Unit:
    """The unit that a resource belongs to."""
    match resource:
        case Topic(ref):
            return Unit(f"topic:{ref.topic}", Level.FOUNDATION, resource.origin.where)
        case Layer(ref):
            return Unit(f"layer:{ref.key}", Level.FOUNDATION, resource.origin.where)
        case StreamTable(ref):
            return Unit(f"stream:{ref.stream}", Level.FOUNDATION, resource.origin.where)
        case _ if resource.origin.step is not None:
            return Unit(f"step:{resource.origin.step}", Level.STEPS, resource.origin.where)
        case _:
            return _SHARED


def level_of(stack: str) -> Level:
    """The level of a stack, by the end of its name."""
    if stack == OWN:
        return Level.OWN
    return Level.FOUNDATION if stack.startswith("foundation-") else Level.STEPS


@dataclass(slots=True)
class _Room:
    resources: int = 0
    size: int = 0

    def takes(self, other: _Room, *, growth: bool) -> bool:
        resources = RESOURCE_ROOM - (_GROWTH_RESOURCES if growth else 0)
        size = BYTE_ROOM - (_GROWTH_BYTES if growth else 0)
        return self.resources + other.resources <= resources and self.size + other.size <= size

    def add(self, other: _Room) -> None:
        self.resources += other.resources
        self.size += other.size


def place(units: Mapping[Unit, tuple[int, int]], former: Mapping[str, str]) -> dict[Unit, str]:
    """The stack of each unit, by the end of its name.

    `units` has the resources of each unit and the bytes they take in a template, in a fixed order. What `former`
    knows stays where it is.
    Raises: TreadleError `stack-too-large`: one unit does not fit a stack, or what is in one has outgrown it.
    """
    needs = {unit: _Room(*need) for unit, need in units.items()}
    placed = {unit: OWN if unit.key == "" else former[unit.key] for unit in needs if not unit.key or unit.key in former}
    if not any(unit.key for unit in placed):
        whole = _Room()
        for need in needs.values():
            whole.add(need)
        if _Room().takes(whole, growth=False):
            return dict.fromkeys(needs, OWN)
    rooms: dict[str, _Room] = {}
    for unit, stack in placed.items():
        rooms.setdefault(stack, _Room()).add(needs[unit])
    shares_own = {unit.level for unit, stack in placed.items() if unit.key and stack == OWN}
    for unit, need in needs.items():
        if unit not in placed:
            placed[unit] = stack = _stack_for(unit, need, rooms, joins_own=unit.level in shares_own)
            rooms.setdefault(stack, _Room()).add(need)
    for stack, room in rooms.items():
        if not _Room().takes(room, growth=False):
            raise _too_large(stack, room, {unit: need for unit, need in needs.items() if placed[unit] == stack})
    return placed


def _stack_for(unit: Unit, need: _Room, rooms: Mapping[str, _Room], *, joins_own: bool) -> str:
    """The first stack of the unit's level that has room for it."""
    if joins_own and rooms[OWN].takes(need, growth=True):
        return OWN
    kind, number = ("foundation" if unit.level is Level.FOUNDATION else "steps"), 1
    while (room := rooms.get(f"{kind}-{number}")) is not None and not room.takes(need, growth=False):
        number += 1
    return f"{kind}-{number}"


def _too_large(stack: str, room: _Room, units: Mapping[Unit, _Room]) -> TreadleError:
    largest = max(units, key=lambda unit: (units[unit].resources, units[unit].size))
    what = largest.key.replace(":", " ") or "what the steps share"
    return TreadleError(
        "stack-too-large",
        f"{room.resources} resources of {room.size:,} bytes belong into one stack"
        f"{f' ({stack})' if stack else ''}, which holds {RESOURCE_ROOM} of {BYTE_ROOM:,} bytes; "
        f"most of them, {units[largest].resources}, are of {what}",
        where=largest.where,
        hint="give the largest step fewer routes, topics or schedules, or make several steps of it",
    )
