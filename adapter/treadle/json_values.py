"""Turns what Python programs hold (models, objects, dates, decimals, sets) into JSON, or says where it cannot."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import Enum
from math import isfinite

from treadle.errors import InvalidValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.shapes import Json

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_SCALARS = frozenset({str, int, bool, float, type(None)})


def dump_json(value: object, root: str) -> str:
    """Compact JSON text of `value`, non-ASCII characters kept. `root` is what error messages call the value.

    Raises: InvalidValue, which names the path of what JSON cannot hold (`body.items[3]`).
    """
    try:
        if _is_plain(value):
            return _encode(value)
    except ValueError:
        pass  # a NaN or an infinity: the careful way below names its path
    except RecursionError:
        return _deep(value, root)
    return _encode(to_json_value(value, root))


def _deep(value: object, root: str) -> str:
    """JSON text of what is too deep for Python: the encoder in C goes as deep as the decoder does."""
    try:
        return _encode(value)
    except (RecursionError, TypeError, ValueError):
        raise InvalidValue("is nested too deeply, or contains itself").within(root) from None


def to_json_value(value: object, root: str) -> Json:
    """`value` as a JSON value made of dict, list, str, int, float, bool and None only.

    Raises: InvalidValue.
    """
    try:
        return _plain(value)
    except InvalidValue as error:
        raise error.within(root) from None
    except RecursionError:
        raise InvalidValue("is nested too deeply, or contains itself").within(root) from None


def simplified(value: object) -> object:
    """`value` one step closer to JSON; its parts are left as they are. Never gives back what it got.

    Models are dumped, dataclasses, named tuples and plain objects become dicts of their fields, sets and tuples lists,
    dates ISO 8601 texts, bytes base64, arrays lists, exceptions their message. `Decimal` is the caller's business: JSON
    and DynamoDB hold it in different ways.
    Raises: InvalidValue for what has no JSON form.
    """
    if isinstance(value, Enum):
        return value.value
    kind: type[object] = type(value)
    if callable(getattr(kind, "model_dump", None)):
        model: Any = value
        return model.model_dump(mode="json")
    fields: Any = getattr(kind, "_fields" if issubclass(kind, tuple) else "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    return _simplified_builtin(value)


def _simplified_builtin(value: object) -> object:
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if _is_instance(value, "uuid", "UUID"):
        return str(value)
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat):
        return isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        import binascii

        return binascii.b2a_base64(bytes(value), newline=False).decode("ascii")  # pyright: ignore[reportUnknownArgumentType]
    tolist = getattr(value, "tolist", None)
    if callable(tolist):  # arrays and numbers of numpy
        return tolist()
    fspath = getattr(value, "__fspath__", None)
    if callable(fspath):
        return fspath()
    if isinstance(value, BaseException):
        return str(value)
    fields = getattr(value, "__dict__", None)
    if isinstance(fields, dict) and _holds_data(value):
        return fields  # pyright: ignore[reportUnknownVariableType]
    raise InvalidValue(f"is a {type(value).__qualname__}, which has no JSON form")


def _holds_data(value: object) -> bool:
    """False for a class, a module, a function and what is Treadle's own (a context): nobody wants to send these."""
    is_code = isinstance(value, type) or hasattr(value, "__code__") or hasattr(value, "__spec__")
    return not is_code and type(value).__module__.partition(".")[0] != "treadle"


def object_or_none(value: Any) -> dict[str, Any] | None:
    """A parsed JSON value where it is an object, else None."""
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def is_decimal(value: object) -> bool:
    """True for a `decimal.Decimal`, told without importing `decimal`."""
    return _is_instance(value, "decimal", "Decimal")


def is_missing(value: object) -> bool:
    """True for what `state.get` gave in a None's place, and nobody has written into."""
    return _is_instance(value, "treadle.state_values", "MissingValue") and not value


def _is_instance(value: object, module: str, name: str) -> bool:
    """True where `value` is of that class; a module that was never imported has no instances."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is dict:
        fields: dict[Any, Any] = value  # type: ignore[assignment]
        for key, item in fields.items():
            if type(key) is not str or (type(item) not in _SCALARS and not _is_plain(item)):
                return False
        return True
    if kind is list:
        items: list[Any] = value  # type: ignore[assignment]
        return all(type(item) in _SCALARS or _is_plain(item) for item in items)
    return kind in _SCALARS


def _plain(value: Any) -> Json:
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str or kind is int or kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    if kind is float:
        if not isfinite(value):
            raise InvalidValue(f"is {value}, which JSON cannot hold")
        return value  # type: ignore[no-any-return]
    if kind is dict:
        return {json_key(key): _part(item, f".{key}") for key, item in value.items()}
    if kind is list:
        return [_part(item, f"[{index}]") for index, item in enumerate(value)]
    if is_decimal(value):
        if not value.is_finite():
            raise InvalidValue(f"is {value}, which JSON cannot hold")
        return int(value) if value == value.to_integral_value() else float(value)
    return _plain(simplified(value))


def _part(value: object, part: str) -> Json:
    try:
        return _plain(value)
    except InvalidValue as error:
        raise error.within(part) from None


def json_key(key: object) -> str:
    """A dict's key as `json.dumps` writes it, an enum member by its value. Raises: InvalidValue."""
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, int, float)):
        return _encode(key)
    raise InvalidValue(f"has the key {key!r}, which is no text")
