"""The operations of `update`, as in Motia 1.0: what programs write, checked, and what it does to a stored value."""

from __future__ import annotations

from treadle.errors import InvalidValue
from treadle.json_values import is_decimal, object_or_none, simplified
from treadle.values import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from treadle.shapes import AttributeValue

    Kind = Literal["set", "remove", "add", "replace"]

_EXAMPLE = '{"type": "increment", "path": "count", "by": 1}'
_MEMBERS = {
    "set": ("path", "value"),
    "merge": ("value",),
    "increment": ("path", "by"),
    "decrement": ("path", "by"),
    "remove": ("path",),
}
_NULL = {"NULL": True}
_ZERO = {"N": "0"}
_DIGITS = 38


class Operation:
    """One change: `set` or `remove` of a field, `add` to it, or `replace` of the whole value (`field` is then empty).

    `otherwise` is what `add` makes of a field that holds something else than a number.
    """

    __slots__ = ("field", "kind", "operand", "otherwise")

    def __init__(
        self, kind: Kind, field: str, operand: AttributeValue = _NULL, otherwise: AttributeValue = _NULL
    ) -> None:
        self.kind = kind
        self.field = field
        self.operand = operand
        self.otherwise = otherwise


def parse(method: str, ops: object, own_fields: tuple[str, ...] | None = None) -> list[Operation]:
    """The operations in a program's list; a `merge` is a `set` of each of its fields.

    `own_fields` are those that the program cannot change: they are left out of whole values, which must then be
    objects, and refused as paths. None: values are of any type.
    Raises: TypeError, ValueError, InvalidValue, all of which name the operation: `ops[2]`.
    """
    if not isinstance(ops, (list, tuple)):
        raise TypeError(
            f"{method}: `ops` must be a list of operations such as {_EXAMPLE}, not {type(ops).__qualname__}"
        )
    operations: list[Operation] = []
    listed: list[object] = list(ops)  # pyright: ignore[reportUnknownArgumentType]
    for index, given in enumerate(listed):
        what = f"{method}: ops[{index}]"
        operations += _parsed(what, _members(what, given), own_fields)
    return operations


def applied(old: AttributeValue | None, operations: Iterable[Operation]) -> AttributeValue:
    """The value after the operations, one after the other; a missing value starts as `{}`. `old` is left as it is.

    Raises: InvalidValue where the value has no fields.
    """
    value: AttributeValue = {"M": {}} if old is None else old
    for operation in operations:
        if operation.kind == "replace":
            value = operation.operand
            continue
        if "M" not in value:
            raise InvalidValue('is no object and has no fields; `set` with the path "" replaces it')
        fields: dict[str, AttributeValue] = dict(value["M"])
        if operation.kind == "remove":
            fields.pop(operation.field, None)
        elif operation.kind == "set":
            fields[operation.field] = operation.operand
        else:
            fields[operation.field] = _added(fields.get(operation.field), operation)
        value = {"M": fields}
    return value


def _members(what: str, given: object) -> dict[str, Any]:
    """An operation as a dict that has the members of its type; models are dumped."""
    members = object_or_none(given)
    if members is None and hasattr(given, "model_dump"):
        members = object_or_none(simplified(given))
    if members is None:
        raise TypeError(f"{what} must be a dict such as {_EXAMPLE}, not {type(given).__qualname__}")
    kind = members.get("type")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ValueError(f"{what}: `type` must be one of {', '.join(_MEMBERS)}, not {kind!r}; an example: {_EXAMPLE}")
    missing = [name for name in _MEMBERS[kind] if name not in members]
    if missing:
        raise ValueError(f"{what}: `{kind}` needs `{'`, `'.join(missing)}`")
    return members


def _parsed(what: str, members: dict[str, Any], own_fields: tuple[str, ...] | None) -> list[Operation]:
    kind = members["type"]
    path = members.get("path") or ""
    if not isinstance(path, str):
        raise TypeError(f"{what}: `path` must be a text, not {type(path).__qualname__}")
    if kind == "merge":
        if path:
            raise ValueError(f"{what}: `merge` merges into the whole value; it takes no path")
        fields = _fields(what, members["value"], own_fields or ())
        return [Operation("set", field, value) for field, value in fields.items()]
    if path in (own_fields or ()):
        raise ValueError(f"{what}: `{path}` cannot be changed")
    if kind == "set":
        if path:
            return [Operation("set", path, encode(members["value"], f"{what}.value"))]
        if own_fields is None:
            return [Operation("replace", "", encode(members["value"], f"{what}.value"))]
        return [Operation("replace", "", {"M": _fields(what, members["value"], own_fields)})]
    if not path:
        raise ValueError(f"{what}: `path` must name a field")
    if kind == "remove":
        return [Operation("remove", path)]
    number = _number(what, members["by"])
    if kind == "increment":
        return [Operation("add", path, number, number)]
    return [Operation("add", path, encode(-members["by"]), _ZERO)]


def _fields(what: str, value: object, left_out: tuple[str, ...]) -> dict[str, AttributeValue]:
    encoded = encode(value, f"{what}.value")
    if "M" not in encoded:
        raise TypeError(f"{what}: `value` must be a dict, not {type(value).__qualname__}")
    fields: dict[str, AttributeValue] = encoded["M"]
    return {field: part for field, part in fields.items() if field not in left_out}


def _number(what: str, by: object) -> AttributeValue:
    if isinstance(by, bool) or not (isinstance(by, (int, float)) or is_decimal(by)):
        raise TypeError(f"{what}: `by` must be a number, not {type(by).__qualname__}")
    return encode(by, f"{what}.by")


def _added(present: AttributeValue | None, operation: Operation) -> AttributeValue:
    """The sum, as DynamoDB makes it: decimal, so that 0.1 and 0.2 are 0.3."""
    if present is None:
        return operation.operand
    if "N" not in present:
        return operation.otherwise
    first, second = present["N"], operation.operand["N"]
    try:
        return {"N": str(int(first) + int(second))}
    except ValueError:
        from decimal import Context

        context = Context(prec=_DIGITS)
        return {"N": str(context.add(context.create_decimal(first), context.create_decimal(second)))}
