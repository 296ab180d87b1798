"""The members of API Gateway's requests: their types and limits, checked before anything is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never, cast

from treadle_local.apigateway.refusals import bad_request
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params


@dataclass(frozen=True, slots=True)
class Text:
    """A text of up to `maximum` characters, `like` the pattern where there is one."""

    maximum: int = 1024
    like: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True)
class Whole:
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is not negative."""


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Member


@dataclass(frozen=True, slots=True)
class MapOf:
    value: Member
    key: Text = Text()


@dataclass(frozen=True, slots=True)
class Record:
    members: Mapping[str, Member]


Member: TypeAlias = Text | Choice | Flag | Whole | Number | ListOf | MapOf | Record
Members: TypeAlias = Mapping[str, Member]
Settings: TypeAlias = Mapping[str, Any]
"""What is set of a part, by AWS's names of the members; what is not set is not there."""

TEXT = Text()
FLAG = Flag()


def given(members: Members, params: Params) -> dict[str, Any]:
    """The members that a request has, each of its type and within its limits.

    An empty one is what unsets it: not checked. Raises: AwsError BadRequestException.
    """
    found: dict[str, Any] = {}
    for name, member in members.items():
        value = params.get(name)
        if value is None:
            continue
        if not _is_empty(value):
            _check(member, value, name)
        found[name] = value
    return found


def without_empty(settings: Settings) -> dict[str, Any]:
    """The settings that are set to something."""
    return {name: value for name, value in settings.items() if not _is_empty(value)}


def require(settings: Settings, *names: str) -> None:
    """Raises: AwsError BadRequestException where one of the members is not set."""
    for name in names:
        if _is_empty(settings.get(name)):
            raise bad_request(f"Missing required member: {name}")


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", {}, [])


def _check(member: Member, value: Any, name: str) -> None:
    match member:
        case Text(maximum, like):
            _check_text(value, name, maximum, like)
        case Choice(allowed):
            if value not in allowed:
                raise bad_request(f"Invalid value {value!r} for {name}: must be one of {', '.join(allowed)}")
        case Flag():
            if not isinstance(value, bool):
                raise _mistyped(name, "boolean")
        case Whole(minimum, maximum):
            if isinstance(value, bool) or not isinstance(value, int):
                raise _mistyped(name, "whole number")
            if not minimum <= value <= maximum:
                raise bad_request(f"Invalid value {value} for {name}: must be between {minimum} and {maximum}")
        case Number():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise _mistyped(name, "number that is not negative")
        case ListOf(item):
            if not isinstance(value, list | tuple):
                raise _mistyped(name, "list")
            for element in cast("list[Any]", value):
                _check(item, element, name)
        case MapOf(inner, key):
            for label, part in _object(value, name).items():
                _check(key, label, name)
                _check(inner, part, f"{name}.{label}")
        case Record(members):
            for label, part in _object(value, name).items():
                if label not in members:
                    raise bad_request(f"{name} has no member {label}")
                _check(members[label], part, f"{name}.{label}")
        case _:
            assert_never(member)


def _check_text(value: Any, name: str, maximum: int, like: re.Pattern[str] | None) -> None:
    if not isinstance(value, str):
        raise _mistyped(name, "text")
    if len(value) > maximum:
        raise bad_request(f"Invalid value for {name}: at most {maximum} characters")
    if like is not None and not like.fullmatch(value):
        raise bad_request(f"Invalid value {value!r} for {name}: must be like {like.pattern}")


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _mistyped(name, "map")
    return cast("Mapping[str, Any]", value)


def _mistyped(name: str, wanted: str) -> AwsError:
    return bad_request(f"Invalid value for {name}: must be a {wanted}")
