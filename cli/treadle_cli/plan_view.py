"""How the plan of a deployment looks: by step, what changes there; then what becomes allowed and forbidden."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from treadle_cli import terminal
from treadle_cli.resource_words import kind_of, kinds_of

if TYPE_CHECKING:
    from treadle_infra.deploy.happenings import SignedIn
    from treadle_infra.deploy.permissions import PermissionChange, Statement
    from treadle_infra.deploy.plan import Plan, PlannedChange

_WIDTH_LIMIT = 120
_SIGNS = {"add": "+", "modify": "~", "replace": "±", "may-replace": "±", "remove": "-", "take-back": "<"}
_COLOURS = {"add": "green", "modify": "yellow", "replace": "red", "may-replace": "red", "remove": "red"}
_SHARED = "shared by all steps"


def signed_in_text(told: SignedIn, *, on: bool) -> str:
    """`chat--prod  account 123456789012, eu-central-1, as role/deployer`"""
    identity = told.identity.rsplit(":", 1)[-1]
    place = f"account {told.account}, {told.region}, as {identity}"
    if told.endpoint_url is not None:
        place += f", at {told.endpoint_url}"
    return f"{terminal.paint(told.stack, bold=True, on=on)}  {terminal.visible(place)}"


def plan_text(plan: Plan, *, on: bool) -> str:
    """The whole plan, ending in a line with its numbers."""
    lines: list[str] = []
    for change_lines in _by_step(plan.changes, on=on):
        lines += [*change_lines, ""]
    if plan.permissions:
        lines += [terminal.paint("Permissions", bold=True, on=on), *_permissions(plan.permissions, on=on), ""]
    lines.append(_summary(plan, on=on))
    return "\n".join(lines)


def _by_step(changes: Iterable[PlannedChange], *, on: bool) -> Iterator[list[str]]:
    steps: dict[str | None, list[PlannedChange]] = {}
    for change in changes:
        steps.setdefault(change.origin.step, []).append(change)
    for step, own in sorted(steps.items(), key=lambda item: item[0] is not None):
        yield [_heading(step, own, on=on), *_adds(own, on=on), *_others(own, on=on)]


def _heading(step: str | None, changes: list[PlannedChange], *, on: bool) -> str:
    if step is None:
        return terminal.paint(_SHARED, bold=True, on=on)
    where = next((change.origin.where for change in changes if change.origin.where is not None), None)
    line = "" if where is None else f"  {terminal.paint(terminal.visible(str(where)), dim=True, on=on)}"
    return f"{terminal.paint(terminal.visible(step), 'cyan', bold=True, on=on)}{line}"


def _adds(changes: list[PlannedChange], *, on: bool) -> list[str]:
    added = [change.type for change in changes if change.kind == "add"]
    return _wrapped("+", kinds_of(added), "green", on=on) if added else []


def _others(changes: list[PlannedChange], *, on: bool) -> Iterator[str]:
    for change in changes:
        if change.kind == "add":
            continue
        text = kind_of(change.type)
        if change.type not in ("AWS::Lambda::Function", "AWS::IAM::Role"):
            text += f" {change.logical_id}"
        if change.kind == "may-replace":
            text += " (AWS decides later whether it is replaced)"
        if change.properties:
            text += f": {', '.join(change.properties)}"
        if change.consequence is not None:
            text += f"; {change.consequence}"
        colour = "red" if change.is_loss else _COLOURS.get(change.kind)
        yield from _wrapped(_SIGNS[change.kind], text, colour, on=on, whole=change.is_loss)


def _permissions(changes: Iterable[PermissionChange], *, on: bool) -> Iterator[str]:
    for holder, own in groupby(changes, key=lambda change: change.statement.holder):
        yield f"  {terminal.paint(terminal.visible(holder), 'cyan', on=on)}"
        for change in own:
            sign, colour = ("+", "green") if change.kind == "added" else ("-", "red")
            yield from _wrapped(sign, statement_text(change.statement), colour, on=on, indent=4)


def statement_text(statement: Statement) -> str:
    """`sns:Publish on chat--prod--sent`"""
    denied = "" if statement.effect == "Allow" else f"{statement.effect.lower()} "
    resources = f" on {', '.join(statement.resources)}" if statement.resources else ""
    by = f" by {statement.by}" if statement.by is not None else ""
    condition = f" when {statement.condition}" if statement.condition is not None else ""
    return f"{denied}{', '.join(statement.actions)}{by}{resources}{condition}"


def _summary(plan: Plan, *, on: bool) -> str:
    numbers = (
        (plan.count("add"), "to add"),
        (plan.count("take-back"), "to take back"),
        (plan.count("modify"), "to change"),
        (plan.count("replace", "may-replace"), "to replace"),
        (plan.count("remove"), "to remove"),
    )
    told = ", ".join(f"{number} {words}" for number, words in numbers if number)
    return terminal.paint(told or "only tags and outputs change", bold=True, on=on)


def _wrapped(sign: str, text: str, colour: str | None, *, on: bool, indent: int = 2, whole: bool = False) -> list[str]:
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, _WIDTH_LIMIT)) - indent - 2
    first, *rest = textwrap.wrap(terminal.visible(text), width, break_long_words=False, break_on_hyphens=False)
    lines = [first, *rest] if not whole else [terminal.paint(line, colour, on=on) for line in (first, *rest)]
    margin = " " * indent
    return [f"{margin}{terminal.paint(sign, colour, bold=True, on=on)} {lines[0]}"] + [
        f"{margin}  {line}" for line in lines[1:]
    ]
