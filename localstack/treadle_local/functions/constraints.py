"""The constraints of AWS's own service model, checked before an operation: types, lengths, ranges, patterns, enums."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.aws.service_models import operation_model, service_model
from treadle_local.functions.refusals import invalid, violation

_MAXIMUM_TAGS = 50
# An unknown runtime passes AWS's front end; the service itself refuses it, in other words.
_OPEN_ENUM = "Runtime"
_NUMBERS = frozenset({"integer", "long", "float", "double", "boolean", "timestamp"})
_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "float": (int, float),
    "double": (int, float),
    "blob": (bytes, str),
    "list": (list, tuple),
    "map": Mapping,
    "structure": Mapping,
}


def check(operation: str, params: Params, service: str = "lambda") -> None:
    """Returns when the parameters satisfy the model of the service, by botocore's name.

    Raises: AwsError ValidationException naming all violations; SerializationException for a value of another type.
    """
    shape = operation_model(service, operation).input_shape
    if shape is None:
        return
    violations = list(_violations(shape, params, ""))
    if violations:
        count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{count}: {'; '.join(violations)}")


def check_tags(tags: Mapping[str, str]) -> None:
    """Returns when a resource may carry this many tags.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
    """
    if len(tags) > _MAXIMUM_TAGS:
        raise invalid("Number of tags exceeds resource tag limit.")


def is_operation(name: str) -> bool:
    """Whether AWS Lambda has this operation at all."""
    return name in service_model("lambda").operation_names


def values_of(enum: str) -> Sequence[str]:
    """The values of one of the model's enums."""
    return cast("StringShape", service_model("lambda").shape_for(enum)).enum


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    _check_type(shape, value)
    if not isinstance(shape, StructureShape):
        rules = list(_broken_rules(shape, value))
        yield from (violation(_shown(shape, value), path, rule) for rule in rules)
        if isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
            for number, member in enumerate(value, 1):
                yield from _violations(shape.member, member, f"{path}.{number}.member")
        return
    for name, member in shape.members.items():
        member_path = f"{path}.{_member(name)}" if path else _member(name)
        given = value.get(name)
        if given is not None:
            yield from _violations(member, given, member_path)
        elif name in shape.required_members:
            yield violation(None, member_path, "Member must not be null")


def _check_type(shape: Shape, value: Any) -> None:
    expected = _PYTHON_TYPES.get(shape.type_name)
    if expected is None:
        return
    if not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean"):
        raise AwsError("SerializationException", f"{type(value).__name__} can not be converted to a {shape.type_name}")


def _broken_rules(shape: Shape, value: Any) -> Iterator[str]:
    rules = shape.metadata
    if isinstance(shape, StringShape) and shape.name != _OPEN_ENUM and shape.enum and value not in shape.enum:
        yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    word = "value" if shape.type_name in _NUMBERS else "length"
    measure: Any = value if word == "value" else len(value)
    if "min" in rules and measure < rules["min"]:
        yield f"Member must have {word} greater than or equal to {rules['min']}"
    if "max" in rules and measure > rules["max"]:
        yield f"Member must have {word} less than or equal to {rules['max']}"
    pattern = rules.get("pattern")
    if pattern and isinstance(value, str) and not _compiled(pattern).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {pattern}"
    if isinstance(shape, ListShape) and not isinstance(shape.member, StructureShape):
        yield from _broken_by_any(shape.member, value, "Member")
    if isinstance(shape, MapShape):
        yield from _broken_by_any(shape.key, value, "Map keys")
        yield from _broken_by_any(shape.value, cast("Mapping[str, Any]", value).values(), "Map value")


def _broken_by_any(shape: Shape, values: Any, whose: str) -> Iterator[str]:
    broken: dict[str, None] = {}
    for value in values:
        _check_type(shape, value)
        broken.update(dict.fromkeys(_broken_rules(shape, value)))
    if broken:
        yield f"{whose} must satisfy constraint: [{', '.join(broken)}]"


def _shown(shape: Shape, value: Any) -> str:
    if shape.metadata.get("sensitive"):
        return "*****"
    if isinstance(shape, ListShape):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(shape, MapShape):
        return "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
    return str(value)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The model's patterns are Java's; only its classes of letters, spaces and digits are unknown to Python."""
    return re.compile(pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d"))


def _member(name: str) -> str:
    return name[:1].lower() + name[1:]
