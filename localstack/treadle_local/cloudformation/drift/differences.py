"""What differs between a resource's properties as its stack set them and as they are.

Only what the stack sets explicitly is compared: defaults, and what was set beside it, are no drift.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from treadle_local.cloudformation.evaluation import scalar_text
from treadle_local.cloudformation.json_values import is_list, is_object
from treadle_local.cloudformation.properties import Document, ListOf, MapOf, Record, Shape, parsed
from treadle_local.cloudformation.providers.base import Model, Schema, TagForm

# By which member two items of a list without order are the same item.
_IDENTITIES = ("Key", "Id", "IndexName", "PolicyName", "AttributeName", "Name", "FunctionVersion")
_RESERVED = "aws:"


class DifferenceType(Enum):
    ADD = "ADD"
    REMOVE = "REMOVE"
    NOT_EQUAL = "NOT_EQUAL"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not as it was set; `path` is like `/RedrivePolicy/maxReceiveCount`, values are texts."""

    path: str
    type: DifferenceType
    expected: str
    actual: str


def differences(schema: Schema, expected: Model, actual: Model) -> tuple[Difference, ...]:
    """All differences, in the order of the template, those of tags last."""
    comparison = _Comparison(schema.published.write_only)
    found = list(comparison.members(schema.properties, expected.properties, actual.properties, "", ""))
    if schema.tags is not None:
        found += _tag_differences(schema.tags, own_tags(expected), own_tags(actual))
    return tuple(found)


def own_tags(model: Model) -> dict[str, str]:
    """The tags without those of CloudFormation."""
    return {key: value for key, value in model.tags.items() if not key.startswith(_RESERVED)}


def value_text(value: Any) -> str:
    """A property's value as drift results tell it: JSON where it is no scalar."""
    if isinstance(value, str | int | float):
        return scalar_text(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One resource's; `place` is the path as schemas write it, with `*` for each item."""

    write_only: Collection[str]

    def members(
        self, shape: Record, expected: Mapping[str, Any], actual: Mapping[str, Any], path: str, place: str
    ) -> Iterator[Difference]:
        for name, value in expected.items():
            below = f"{place}/{name}" if place else name
            if below not in self.write_only:
                yield from self.values(shape.members[name], value, actual.get(name), f"{path}/{name}", below)

    def values(self, shape: Shape, expected: Any, actual: Any, path: str, place: str) -> Iterator[Difference]:
        if _is_nothing(expected) and _is_nothing(actual):
            return
        if actual is None:
            if self._is_told(shape, expected, place):
                yield Difference(path, DifferenceType.REMOVE, value_text(expected), "null")
            return
        match shape:
            case Record() if is_object(expected) and is_object(actual):
                yield from self.members(shape, expected, actual, path, place)
            case MapOf(inner) if is_object(expected) and is_object(actual):
                for name, value in expected.items():
                    yield from self.values(inner, value, actual.get(name), f"{path}/{name}", f"{place}/*")
                yield from _added({name: value for name, value in actual.items() if name not in expected}, path)
            case ListOf() if is_list(expected) and is_list(actual):
                yield from self._lists(shape, expected, actual, path, f"{place}/*")
            case Document():
                yield from _documents(parsed(expected), parsed(actual), path)
            case _:
                if expected != actual:
                    yield Difference(path, DifferenceType.NOT_EQUAL, value_text(expected), value_text(actual))

    def _is_told(self, shape: Shape, expected: Any, place: str) -> bool:
        """Whether a value that is not among the actual ones would be there: what is only written is never read."""
        if isinstance(shape, Record) and is_object(expected):
            return not expected or any(f"{place}/{name}" not in self.write_only for name in expected)
        return place not in self.write_only

    def _lists(
        self, shape: ListOf, expected: Sequence[Any], actual: Sequence[Any], path: str, place: str
    ) -> Iterator[Difference]:
        pairs = _in_order(expected, actual) if shape.ordered else self._matched(shape, expected, actual, place)
        following = itertools.count(len(expected))
        for mine, theirs in pairs:
            if theirs is None and mine is not None:
                yield Difference(f"{path}/{mine}", DifferenceType.REMOVE, value_text(expected[mine]), "null")
            elif mine is None and theirs is not None:
                yield Difference(f"{path}/{next(following)}", DifferenceType.ADD, "null", value_text(actual[theirs]))
            elif mine is not None and theirs is not None:
                yield from self.values(shape.item, expected[mine], actual[theirs], f"{path}/{mine}", place)

    def _matched(
        self, shape: ListOf, expected: Sequence[Any], actual: Sequence[Any], place: str
    ) -> list[tuple[int | None, int | None]]:
        """The items of two lists without order, by their indexes: equal ones first, then those of one identity."""
        left, pairs = list(range(len(actual))), list[tuple[int | None, int | None]]()
        unmatched: list[int] = []
        for index, item in enumerate(expected):
            same = next((at for at in left if not any(self.values(shape.item, item, actual[at], "", place))), None)
            if same is None:
                unmatched.append(index)
            else:
                left.remove(same)
        for index in unmatched:
            identity = _identity(expected[index])
            same = next((at for at in left if identity is not None and _identity(actual[at]) == identity), None)
            pairs.append((index, same))
            if same is not None:
                left.remove(same)
        return pairs + [(None, at) for at in left]


def _identity(item: Any) -> tuple[str, Any] | None:
    if not is_object(item):
        return None
    return next(((name, item[name]) for name in _IDENTITIES if name in item), None)


def _in_order(expected: Sequence[Any], actual: Sequence[Any]) -> list[tuple[int | None, int | None]]:
    longest = max(len(expected), len(actual))
    return [(at if at < len(expected) else None, at if at < len(actual) else None) for at in range(longest)]


def _documents(expected: Any, actual: Any, path: str) -> Iterator[Difference]:
    """The differences of free JSON, scalars compared by their texts."""
    if is_object(expected) and is_object(actual):
        for name, value in expected.items():
            if name in actual:
                yield from _documents(value, actual[name], f"{path}/{name}")
            else:
                yield Difference(f"{path}/{name}", DifferenceType.REMOVE, value_text(value), "null")
        yield from _added({name: value for name, value in actual.items() if name not in expected}, path)
    elif is_list(expected) and is_list(actual):
        for index, value in enumerate(expected[: len(actual)]):
            yield from _documents(value, actual[index], f"{path}/{index}")
        for index in range(len(actual), len(expected)):
            yield Difference(f"{path}/{index}", DifferenceType.REMOVE, value_text(expected[index]), "null")
        yield from _added({str(index): actual[index] for index in range(len(expected), len(actual))}, path)
    elif value_text(expected) != value_text(actual):
        yield Difference(path, DifferenceType.NOT_EQUAL, value_text(expected), value_text(actual))


def _added(members: Mapping[str, Any], path: str) -> Iterator[Difference]:
    for name, value in members.items():
        yield Difference(f"{path}/{name}", DifferenceType.ADD, "null", value_text(value))


def _tag_differences(form: TagForm, expected: Mapping[str, str], actual: Mapping[str, str]) -> list[Difference]:
    """A tag that is changed differs in its value; added ones count only beside tags that the stack sets."""
    if not expected:
        return []
    found: list[Difference] = []
    for index, (key, value) in enumerate(expected.items()):
        path = f"/Tags/{key}" if form is TagForm.MAP else f"/Tags/{index}"
        if key not in actual:
            found.append(Difference(path, DifferenceType.REMOVE, _tag_text(form, key, value), "null"))
        elif actual[key] != value:
            changed = path if form is TagForm.MAP else f"{path}/Value"
            found.append(Difference(changed, DifferenceType.NOT_EQUAL, value, actual[key]))
    added = [key for key in actual if key not in expected]
    for index, key in enumerate(added, len(expected)):
        path = f"/Tags/{key}" if form is TagForm.MAP else f"/Tags/{index}"
        found.append(Difference(path, DifferenceType.ADD, "null", _tag_text(form, key, actual[key])))
    return found


def _tag_text(form: TagForm, key: str, value: str) -> str:
    return value if form is TagForm.MAP else value_text({"Key": key, "Value": value})


def _is_nothing(value: Any) -> bool:
    """Whether a value is the same as none: services leave out what is empty or off."""
    return value is None or value is False or value in ("", [], {})
