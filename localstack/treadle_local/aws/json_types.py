"""Whether the members of a JSON (or CBOR) request have the types of AWS's model, as AWS's front end sees to it.

The check of an operation is compiled once from botocore's model. A null is what is not there, a fraction where a whole
number stands is cut off, and members that the model does not have pass: all as on AWS. Values of DynamoDB's items are
left to DynamoDB, which reads them anyway.
Source: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html, and for the words `json_wordings`.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.json_wordings import Wording, common_wording, dynamodb_wording
from treadle_local.aws.service_models import operation_model
from treadle_local.aws.wire import NOT_FINITE, unreadable

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape

Document = dict[str, Any]
# Passes over a value of the right type, and puts right in it what AWS would.
Check = Callable[[Any], None]
# What stands for a value of another type. Raises: AwsError SerializationException.
Repair = Callable[[Any], Any]
# The type of a value that is right, the check of what is in it, and who is asked about a value of another type.
Part = tuple[type, Check | None, Repair]

_WORDINGS: dict[str, Wording] = {"dynamodb": dynamodb_wording, "dynamodbstreams": dynamodb_wording}
_OWN_READER = "AttributeValue"
_TYPES: dict[str, type] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": bool,
    "timestamp": float,
    "blob": str,
}
_TYPES_OF_CBOR = {**_TYPES, "timestamp": datetime, "blob": bytes}
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
# The moments that a datetime can hold.
_EARLIEST_SECONDS = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LATEST_SECONDS = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def check_input(service: str, operation: str, params: Document, *, is_cbor: bool = False) -> None:
    """Returns when every member has its type; what the model does not know is not looked at.

    Raises: AwsError SerializationException.
    """
    check = _check_of(service, operation, is_cbor)
    if check is not None:
        try:
            check(params)
        except RecursionError as error:
            raise unreadable(error) from error


def checked_scalar(shape: Shape, value: Any) -> Any:
    """The value of a member of a REST service that holds no others, as its JSON type has it.

    Raises: AwsError SerializationException.
    """
    kind, check, repair = _scalar(shape, common_wording, _TYPES, is_element=False)
    if type(value) is not kind:
        return repair(value)
    if check is not None:
        check(value)
    return value


@cache
def _check_of(service: str, operation: str, is_cbor: bool) -> Check | None:
    try:
        shape = operation_model(service, operation).input_shape
    except AwsError:
        return None  # the service refuses it by its name
    if shape is None:
        return None
    compiler = _Compiler(_WORDINGS.get(service, common_wording), _TYPES_OF_CBOR if is_cbor else _TYPES)
    return compiler.part(shape, is_element=False)[1]


class _Compiler:
    """The checks of one operation's shapes, which may hold themselves."""

    def __init__(self, wording: Wording, types: dict[str, type]) -> None:
        self._wording = wording
        self._types = types
        self._checks: dict[str, Check] = {}

    def part(self, shape: Shape, *, is_element: bool) -> Part:
        match shape.type_name:
            case "structure" | "map" | "list" if not getattr(shape, "is_document_type", False):
                repair = _refusing(shape, self._wording, is_element=is_element)
                return self._types[shape.type_name], self._check(shape), repair
            case "structure":
                return object, None, _kept
            case _:
                return _scalar(shape, self._wording, self._types, is_element=is_element)

    def _check(self, shape: Shape) -> Check | None:
        if shape.name == _OWN_READER and self._wording is dynamodb_wording:
            return None
        known = self._checks.get(shape.name)
        if known is not None:
            return known
        match shape.type_name:
            case "structure":
                return self._structure(cast("StructureShape", shape))
            case "list":
                return self._list(cast("ListShape", shape))
            case _:
                return self._map(cast("MapShape", shape))

    def _structure(self, shape: StructureShape) -> Check:
        parts: dict[str, Part] = {}

        def check(document: Document) -> None:
            repaired: Document = {}
            for name, value in document.items():
                part = parts.get(name)
                if part is None:
                    continue
                if type(value) is not part[0]:
                    repaired[name] = None if value is None else part[2](value)
                elif part[1] is not None:
                    part[1](value)
            if repaired:
                _put_right(document, repaired)

        self._checks[shape.name] = check
        parts.update({name: self.part(member, is_element=False) for name, member in shape.members.items()})
        return check

    def _list(self, shape: ListShape) -> Check | None:
        kind: type = object
        check: Check | None = None
        repair: Repair = _kept

        def check_all(elements: list[Any]) -> None:
            is_repaired = False
            for element in elements:
                if type(element) is not kind:
                    is_repaired = True
                elif check is not None:
                    check(element)
            if is_repaired:
                right = (each if type(each) is kind else repair(each) for each in elements if each is not None)
                elements[:] = list(right)

        self._checks[shape.name] = check_all
        kind, check, repair = self.part(shape.member, is_element=True)
        return check_all

    def _map(self, shape: MapShape) -> Check | None:
        kind, check, repair = self.part(shape.value, is_element=True)
        if shape.value.name == _OWN_READER and self._wording is dynamodb_wording:
            return None

        def check_all(entries: Document) -> None:
            repaired: Document = {}
            for name, value in entries.items():
                if type(value) is not kind:
                    repaired[name] = None if value is None else repair(value)
                elif check is not None:
                    check(value)
            if repaired:
                _put_right(entries, repaired)

        return self._checks.setdefault(shape.name, check_all)


def _put_right(document: Document, repaired: Document) -> None:
    for name, value in repaired.items():
        if value is None:
            del document[name]
        else:
            document[name] = value


def _scalar(shape: Shape, wording: Wording, types: dict[str, type], *, is_element: bool) -> Part:
    refuse = _refusing(shape, wording, is_element=is_element)
    kind = types.get(shape.type_name, str)
    match shape.type_name:
        case "integer" | "long":
            largest = _LARGEST[shape.type_name]

            def check_range(value: int) -> None:
                if not -largest - 1 <= value <= largest:
                    refuse(value)

            def whole(value: Any) -> int:
                if type(value) is not float or not math.isfinite(value):
                    refuse(value)
                cut = int(value)
                check_range(cut)
                return cut

            return kind, check_range, whole
        case "float" | "double":
            return kind, None if types is _TYPES_OF_CBOR else _finite(refuse), _any_float(refuse)
        case "timestamp" if kind is float:
            seconds = _any_number(refuse, _EARLIEST_SECONDS, _LATEST_SECONDS)
            return kind, cast("Check", seconds), seconds
        case "blob" if kind is str:
            return kind, _base64(refuse), refuse
        case _:
            return kind, None, refuse


def _finite(refuse: Repair) -> Check:
    def check(value: float) -> None:
        if not math.isfinite(value):
            refuse(value)

    return check


def _any_float(refuse: Repair) -> Repair:
    """A number, or one of the three that JSON has no digits for."""

    def number(value: Any) -> Any:
        if type(value) is int:
            return value
        return float(value) if value in NOT_FINITE else refuse(value)

    return number


def _any_number(refuse: Repair, earliest: float, latest: float) -> Repair:
    def number(value: Any) -> Any:
        if type(value) not in (int, float) or not earliest <= value <= latest:
            refuse(value)
        return value

    return number


def _base64(refuse: Repair) -> Check:
    def check(value: str) -> None:
        try:
            binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            refuse(value)

    return check


def refusal_of(shape: Shape, value: Any) -> AwsError:
    """The refusal of a value that a member of a REST service cannot have."""
    return AwsError("SerializationException", common_wording(shape, value, False))


def _refusing(shape: Shape, wording: Wording, *, is_element: bool) -> Repair:
    def refuse(value: Any) -> Any:
        raise AwsError("SerializationException", wording(shape, value, is_element))

    return refuse


def _kept(value: Any) -> Any:
    return value
