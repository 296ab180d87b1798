"""Document paths at work: reading, replacing and removing what they lead to, and keeping only what they name.

Replacing builds new containers along the path and shares everything beside it.
"""

from __future__ import annotations

from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.syntax import DocumentPath, Projection
from treadle_local.dynamodb.values import Item, Value


def lookup(item: Item, path: DocumentPath) -> Value | None:
    """The value at the path, None where there is none."""
    value = item.get(str(path[0]))
    for step in path[1:]:
        if value is None:
            return None
        value = _member(value, step)
    return value


def replaced(value: Value | None, steps: DocumentPath, new: Value) -> Value:
    """`value` with `new` at the end of `steps`; an index past a list's end appends.

    Raises: ValidationException when the path leads through something that is not there.
    """
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        members = _members(value, "M")
        return {"M": {**members, step: replaced(members.get(step), rest, new)}}
    elements: list[Value] = list(_members(value, "L"))
    if step < len(elements):
        elements[step] = replaced(elements[step], rest, new)
    else:
        elements.append(replaced(None, rest, new))
    return {"L": elements}


def removed(value: Value | None, steps: DocumentPath) -> Value:
    """`value` without what is at the end of `steps`; unchanged when its last step leads to nothing.

    Raises: ValidationException when an earlier step leads to nothing.
    """
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        members: dict[str, Value] = dict(_members(value, "M"))
        if rest:
            members[step] = removed(members.get(step), rest)
        else:
            members.pop(step, None)
        return {"M": members}
    elements: list[Value] = list(_members(value, "L"))
    if rest:
        if step >= len(elements):
            raise no_such_place()
        elements[step] = removed(elements[step], rest)
    elif step < len(elements):
        del elements[step]
    return {"L": elements}


def project(item: Item, projection: Projection) -> Item:
    """What the paths name, in the item's shape; list elements move together in their order."""
    if projection.plain:
        return {name: item[name] for path in projection.paths if (name := str(path[0])) in item}
    return project_paths(item, projection.paths)


def project_paths(item: Item, paths: tuple[DocumentPath, ...]) -> Item:
    """As `project`, for paths that may be of any depth."""
    kept = _kept({"M": item}, _branches(paths))
    return {} if kept is None else kept["M"]


_Branches = dict[Any, Any]  # by next step: further branches, empty where a path ends


def _branches(paths: tuple[DocumentPath, ...]) -> _Branches:
    root: _Branches = {}
    for path in paths:
        branch = root
        for step in path:
            branch = branch.setdefault(step, {})
    return root


def _kept(value: Value, branches: _Branches) -> Value | None:
    if not branches:
        return value
    found = [
        (step, kept)
        for step in sorted(branches)  # the steps beside each other are all names or all indexes
        if (member := _member(value, step)) is not None and (kept := _kept(member, branches[step])) is not None
    ]
    if not found:
        return None
    return {"M": dict(found)} if "M" in value else {"L": [kept for _, kept in found]}


def _member(value: Value, step: str | int) -> Value | None:
    if isinstance(step, str):
        members: dict[str, Value] | None = value.get("M")
        return None if members is None else members.get(step)
    elements: list[Value] | None = value.get("L")
    return elements[step] if elements is not None and step < len(elements) else None


def _members(value: Value | None, kind: str) -> Any:
    if value is None or kind not in value:
        raise no_such_place()
    return value[kind]


def no_such_place() -> AwsError:
    """The refusal of a path whose container is not there."""
    return invalid("The document path provided in the update expression is invalid for update")
