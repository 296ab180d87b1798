"""Where an app's parts stand: which step is behind which HTTP API, and what is in which stack. Frozen once deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from treadle.names import Names

API_ROOM = 280
"""Integrations, and routes, that one HTTP API is filled with; AWS stops at 300, and later releases add some.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""


@dataclass(frozen=True, slots=True)
class FormerPlacement:
    """What stands where, of what has been deployed before: none of it moves.

    `apis` has the number of each step's HTTP API, `stacks` the stack of each unit (`step:Name`, `topic:sent`,
    `stream:messages`, `layer:<key>`), by the end of the stack's name.
    """

    apis: Mapping[str, int] = field(default_factory=dict[str, int])
    stacks: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an app's parts are to stand: on which stage, under the name of which stack, beside what is there."""

    stage: str
    stack_name: str
    former: FormerPlacement = field(default_factory=FormerPlacement)


def placement(app_name: str, stage: str, former: FormerPlacement) -> Placement:
    """The placement of an app of which `former` stands already."""
    return Placement(stage, Names(app_name, stage).stack(), former)


def fresh_placement(app_name: str, stage: str) -> Placement:
    """The placement of an app that stands nowhere yet."""
    return placement(app_name, stage, FormerPlacement())


def api_numbers(routes: Iterable[tuple[str, int]], former: Mapping[str, int]) -> dict[str, int]:
    """The number of the HTTP API of each step; `routes` has the steps with the number of their routes, in order.

    A step stays behind its API; another one goes to the first that has room for it.
    """
    wanted = dict(routes)
    numbers = {step: former[step] for step in wanted if step in former}
    filled: dict[int, int] = {}
    for step, number in numbers.items():
        filled[number] = filled.get(number, 0) + wanted[step]
    for step, count in wanted.items():
        if step not in numbers:
            number = next(n for n in range(1, len(wanted) + 2) if not filled.get(n) or filled[n] + count <= API_ROOM)
            numbers[step] = number
            filled[number] = filled.get(number, 0) + count
    return numbers
