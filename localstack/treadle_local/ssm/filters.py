"""Filters of DescribeParameters and GetParametersByPath.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.ssm.parameters import Parameter

_MOST_VALUES = 50
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "Name": ("Equals", "BeginsWith", "Contains"),
    "Path": ("Recursive", "OneLevel"),
    "Type": ("Equals", "BeginsWith"),
    "KeyId": ("Equals", "BeginsWith"),
    "Tier": ("Equals",),
    "DataType": ("Equals", "BeginsWith"),
    "Label": ("Equals", "BeginsWith"),
}
_OF_PATHS = frozenset({"Type", "KeyId", "Label"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; any of its values suffices."""

    key: str
    option: str
    values: tuple[str, ...]

    def matches(self, parameter: Parameter) -> bool:
        if self.key == "Path":
            return any(self._is_below(parameter.name, path) for path in self.values)
        if self.key.startswith("tag:"):
            tag = parameter.tags.get(self.key.removeprefix("tag:"))
            return tag is not None and (not self.values or self._meets(tag))
        if self.key == "Label":
            return any(self._meets(label) for version in parameter.versions for label in version.labels)
        version = parameter.latest
        facts = {
            "Name": parameter.name,
            "Type": version.type,
            "KeyId": version.key_id or "",
            "Tier": version.tier,
            "DataType": version.data_type,
        }
        return self._meets(facts[self.key])

    def _meets(self, fact: str) -> bool:
        match self.option:
            case "BeginsWith":
                return fact.startswith(self.values)
            case "Contains":
                return any(value in fact for value in self.values)
            case _:
                # a name is found with and without the slash that it begins with
                return fact in self.values or (self.key == "Name" and fact.removeprefix("/") in self.values)

    def _is_below(self, name: str, path: str) -> bool:
        prefix = path if path.endswith("/") else f"{path}/"
        rest = name[len(prefix) :]
        return name.startswith(prefix) and bool(rest) and (self.option == "Recursive" or "/" not in rest)


def parse_filters(filters: Iterable[Mapping[str, Any]], *, by_path: bool) -> list[Filter]:
    """Raises: AwsError: InvalidFilterKey, InvalidFilterOption, InvalidFilterValue."""
    return [_parse(one, by_path=by_path) for one in filters]


def older_filters(filters: Iterable[Mapping[str, Any]]) -> list[Filter]:
    """Filters as DescribeParameters took them at first: names by their beginning."""
    newer = [{**one, "Option": "BeginsWith" if one.get("Key") == "Name" else "Equals"} for one in filters]
    return parse_filters(newer, by_path=False)


def _parse(given: Mapping[str, Any], *, by_path: bool) -> Filter:
    key = str(given.get("Key", ""))
    values = tuple(str(value) for value in given.get("Values") or ())
    known = key in _OPTIONS or (key.startswith("tag:") and len(key) > len("tag:"))
    if not known or (by_path != (key in _OF_PATHS) and (by_path or key == "Label")):
        legal = sorted(_OF_PATHS) if by_path else [*sorted(_OPTIONS.keys() - {"Label"}), "tag:.+"]
        message = f"The following filter key is not valid: {key}. Valid filter keys include: [{', '.join(legal)}]."
        raise AwsError("InvalidFilterKey", message)
    options = _OPTIONS.get(key, ("Equals",))
    option = str(given.get("Option") or ("OneLevel" if key == "Path" else "Equals"))
    if option not in options:
        message = f"The following filter option is not valid: {option}. Valid options include: [{', '.join(options)}]."
        raise AwsError("InvalidFilterOption", message)
    if len(values) > _MOST_VALUES or (not values and not key.startswith("tag:")):
        raise AwsError("InvalidFilterValue", f"The filter {key} has 1 to {_MOST_VALUES} values.")
    if key == "Path" and not all(value.startswith("/") for value in values):
        raise AwsError("InvalidFilterValue", 'The path of a filter begins with a forward slash "/".')
    return Filter(key, option, values)
