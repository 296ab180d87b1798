"""JSON values survive DynamoDB's attribute values, and AWS's query protocol."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from treadle.aws.percent import percent_encoded
from treadle.errors import InvalidValue
from treadle.http.query import parse_query
from treadle.json_values import dump_json
from treadle.values import decode, encode, value_bytes

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = (
    st.integers(-(10**38) + 1, 10**38 - 1)
    | st.floats(1e-130, 9e125)
    | st.floats(-9e125, -1e-130)
    | st.just(0.0)
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | TEXTS | NUMBERS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)


def exact(value: Any) -> Any:
    """`value` with its numbers as JSON writes them: `1` and `1.0` are one, and floats are what their text says."""
    return json.loads(json.dumps(value), parse_int=Decimal, parse_float=Decimal)


@given(VALUES)
def test_every_json_value_comes_back(value: Any) -> None:
    attribute = encode(value)
    assert exact(decode(attribute)) == exact(value)
    assert exact(decode(json.loads(json.dumps(attribute)))) == exact(value)


@given(VALUES)
def test_boto3_reads_the_same_value(value: Any) -> None:
    attribute: Any = encode(value)
    assert TypeDeserializer().deserialize(attribute) == exact(value)


@given(VALUES)
def test_compact_json_is_what_the_standard_library_reads_back(value: Any) -> None:
    assert json.loads(dump_json(value, "body")) == value


SPELLINGS = [("1", 1), ("1.0", 1), ("1E+2", 100), ("-0", 0), ("0.5", 0.5), ("1e125", 10**125)]


@pytest.mark.parametrize(("text", "number"), [*SPELLINGS, ("9007199254740993.0", 2**53 + 1)])
def test_numbers_are_read_in_every_spelling(text: str, number: float) -> None:
    decoded = decode({"N": text})
    assert decoded == number
    assert type(decoded) is type(number)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {"b": float("nan")}]}, "value.a[1].b is nan, which no table can store"),
        (float("-inf"), "value is -inf"),
        (1e300, "value is 1e+300; numbers reach from 1e-130 to 9.9e125"),
        (1e-200, "value is 1e-200"),
        (10**38 + 1, "value is a number of 39 digits; a table stores 38"),
        ([10**5000], "value[0] is a whole number of about 10^5000, too large to store"),
        (Decimal("NaN"), "value is NaN"),
        (Decimal(1) / 3 + Decimal("1e20"), None),
        (Decimal("0." + "1" * 39), "a number of 39 digits"),
        (Decimal("1e126"), "numbers reach"),
        ({(1,): 2}, "value has the key (1,), which is no text"),
        (iter(()), "value is a tuple_iterator, which has no JSON form"),
        ([dict], "value[0] is a type, which has no JSON form"),
        ({"a": object()}, "value.a is a object"),
    ],
)
def test_what_no_table_can_store_is_named_by_its_path(value: object, words: str | None) -> None:
    if words is None:
        encode(value)
        return
    with pytest.raises(InvalidValue) as raised:
        encode(value)
    assert words in str(raised.value)


def test_a_value_nested_too_deeply_or_in_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidValue, match="nested deeper than 32 levels"):
        encode(value)


class Vector:
    """As numpy's arrays are: its truth is an error."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = numbers

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def tolist(self) -> list[float]:
        return list(self._numbers)


def test_arrays_become_lists() -> None:
    value = {"embedding": Vector(0.5, 1.0), "parts": [array("d", [2.0])]}
    wanted = {"embedding": [0.5, 1.0], "parts": [[2.0]]}
    assert decode(encode(value)) == wanted
    assert json.loads(dump_json(value, "body")) == wanted


def test_python_values_are_stored_as_in_a_body() -> None:
    value = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "id": UUID(int=1),
        "price": Decimal("1.10"),
        "set": {1},
        "t": (1, (2,)),
    }
    assert decode(encode(value)) == {
        "at": "2026-01-02T00:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "price": 1.1,
        "set": [1],
        "t": [1, [2]],
    }
    assert encode(Decimal("1.10")) == {"N": "1.10"}


def test_sizes_are_those_of_the_developer_guide() -> None:
    assert value_bytes({"S": "é"}) == 2
    assert value_bytes({"N": "-12.50"}) == 2 + 1 + 1
    assert value_bytes({"BOOL": True}) == value_bytes({"NULL": True}) == 1
    assert value_bytes({"L": [{"S": "ab"}, {"NULL": True}]}) == 3 + (1 + 2) + (1 + 1)
    assert value_bytes({"M": {"key": {"S": "ab"}}}) == 3 + 1 + 3 + 2


@given(TEXTS)
def test_form_fields_are_encoded_as_the_standard_library_does(text: str) -> None:
    assert percent_encoded(text) == quote(text, safe="-_.~")
    many = text + "".join(map(chr, range(0x4E00, 0x4E50)))
    assert percent_encoded(many) == quote(many, safe="-_.~")


@given(st.text())
def test_any_query_string_can_be_read(text: str) -> None:
    parse_query(text)


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=20))
def test_plain_query_strings_are_read_as_they_were_written(fields: dict[str, str]) -> None:
    fields = {name: value for name, value in fields.items() if not set("[]") & set(name + value)}
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields.items())
    assert parse_query(text) == fields
