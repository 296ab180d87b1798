"""DynamoDB's item operations against moto's as an independent judge, on generated sequences of operations.

moto runs in a process of its own, which this module is too when it is run as a script: one operation per line.

Where moto is known to differ from AWS, the generator keeps away from the case or the comparison allows it:

- it answers ConsumedCapacity and ItemCollectionMetrics unasked
- UPDATED_OLD and UPDATED_NEW leave out what was set to the value it had, and have the key of a new item (not asked for)
- it takes a missing attribute for equal to NULL and to another missing one
- it fails with Python's own errors when an order is asked of two types, or the size of something missing; AWS finds
  the first nowhere true, or refuses it at once when the operand is a literal that has no order
- it looks for overlapping paths of an update after the condition, and not at all in a projection
- it raises ValidationException out of a transaction where AWS cancels it with the reason ValidationError
- it does not bring numbers to one form, and cannot calculate with an exponent
- it lets ADD give an index's key attribute the wrong type
- it lets SET put a named member into a list
- it has no order among equal keys of an index, and its own order of a scan
- it leaves LastEvaluatedKey out when Limit is reached with the last item
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.dynamodb.service import DynamoDbItems

INDEX = "by-a"
ATTRIBUTES = ("a", "b", "m", "l", "s")

Shape = dict[str, Any]
Step = tuple[str, Shape]


def description(name: str) -> Shape:
    """A table of text partition key and number sort key, with an index on the text attribute `a`."""
    return {
        "TableName": name,
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "a", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


# --- moto, in its own process ---


def judge() -> None:
    """Answers each line, an operation and its parameters, by moto."""
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws

    with mock_aws():
        session: Any = boto3.session.Session("x", "x", region_name="us-east-1")
        client = session.client("dynamodb")
        for line in sys.stdin:
            operation, params = json.loads(line)
            try:
                answer = client._make_api_call(operation, with_bytes(params))
                answer.pop("ResponseMetadata")
            except ClientError as error:
                response: Any = error.response
                answer = {"code": response["Error"]["Code"], "message": response["Error"]["Message"]}
            except Exception as error:
                answer = {"code": "fault", "message": repr(error)}
            print(json.dumps(without_bytes(answer), default=str), flush=True)  # noqa: T201


def with_bytes(value: Any) -> Any:
    """The wire form with its base64 texts as bytes, as boto3 takes them."""
    match value:
        case {"B": str(content)}:
            return {"B": base64.b64decode(content)}
        case dict():
            members = cast("Shape", value)
            return {name: with_bytes(part) for name, part in members.items()}
        case list():
            return [with_bytes(part) for part in cast("list[Shape]", value)]
        case _:
            return value


def without_bytes(value: Any) -> Any:
    """The wire form of what boto3 gives."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [without_bytes(part) for part in cast("list[Shape]", value)]
        case dict():
            members = cast("Shape", value)
            return {name: without_bytes(part) for name, part in members.items()}
        case _:
            return value


class Moto:
    """The judge's process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, operation: str, params: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([operation, params]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=20)


# --- what is generated ---

TEXTS = st.sampled_from(["", "x", "xy", "y"]).map(lambda value: {"S": value})
NUMBERS = st.sampled_from(["0", "1", "-1", "2.5", "10", "1.50", "00.1"]).map(lambda value: {"N": value})
TEXT_SETS = st.sets(st.sampled_from("wxyz"), min_size=1).map(lambda members: {"SS": sorted(members)})
NUMBER_SETS = st.sets(st.sampled_from(["1", "2", "2.5"]), min_size=1).map(lambda members: {"NS": sorted(members)})
BINARIES = st.sampled_from(["AA==", "AAE=", "AQ=="]).map(lambda value: {"B": value})
FLAGS = st.booleans().map(lambda value: {"BOOL": value})
SCALARS = st.one_of(TEXTS, NUMBERS, BINARIES, FLAGS)
VALUES = st.recursive(
    st.one_of(SCALARS, TEXT_SETS, NUMBER_SETS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)


def key_of(group: str, rank: str) -> Shape:
    return {"pk": {"S": group}, "sk": {"N": rank}}


def item_of(key: Shape, rest: Shape) -> Shape:
    return {**key, **rest}


KEYS = st.builds(key_of, st.sampled_from("pq"), st.sampled_from(["1", "2", "3.0", "10"]))
ITEMS = st.builds(
    item_of,
    KEYS,
    st.fixed_dictionaries(
        {},
        optional={
            "a": st.sampled_from(["x", "y"]).map(lambda value: {"S": value}),
            "b": SCALARS,
            "n": NUMBERS,
            "m": st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3).map(lambda members: {"M": members}),
            "l": st.lists(VALUES, max_size=3).map(lambda members: {"L": members}),
            "s": st.one_of(TEXT_SETS, NUMBER_SETS),
        },
    ),
)
PATHS = st.sampled_from(["a", "b", "n", "m", "l", "s", "m.a", "m.b", "m.c.a", "l[0]", "l[1]", "l[2].a", "m.a[0]"])


@dataclass(frozen=True, slots=True)
class Text:
    """Expression text with its literals in it as `{}` each."""

    form: str
    literals: tuple[Any, ...] = ()

    @staticmethod
    def join(form: str, *parts: Text) -> Text:
        return Text(form.format(*(part.form for part in parts)), tuple(v for part in parts for v in part.literals))

    def numbered(self) -> tuple[str, Shape]:
        names = [f":v{number}" for number in range(len(self.literals))]
        return self.form.format(*names), dict(zip(names, self.literals, strict=True))


def literal(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Text]:
    return values.map(lambda value: Text("{}", (value,)))


def joined(form: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Text]:
    """The form with its `{}` filled by paths (plain text) and texts."""
    as_texts = [part.map(lambda value: value if isinstance(value, Text) else Text(value)) for part in parts]
    return st.tuples(*as_texts).map(lambda texts: Text.join(form, *texts))


def compared(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Text]:
    operators = st.sampled_from(["=", "<>"])
    return joined("{} {} {}", PATHS, operators, literal(values))


TYPE_NAMES = st.sampled_from(["S", "N", "B", "BOOL", "M", "L", "SS", "NS"]).map(lambda name: {"S": name})
ORDERS = st.sampled_from(["<", "<=", ">", ">=", "=", "<>"])
PREDICATES = st.one_of(
    joined("attribute_exists({})", PATHS),
    joined("attribute_not_exists({})", PATHS),
    joined("attribute_type({}, {})", PATHS, literal(TYPE_NAMES)),
    joined("begins_with({}, {})", st.sampled_from(["a", "m.a"]), literal(TEXTS)),
    joined("contains({}, {})", st.sampled_from(["a", "l", "s"]), literal(st.one_of(TEXTS, NUMBERS))),
    joined("n BETWEEN {} AND {}", literal(st.just({"N": "0"})), literal(NUMBERS.filter(lambda v: v["N"] != "-1"))),
    joined("{} IN ({}, {})", PATHS, literal(VALUES), literal(VALUES)),
    joined("n {} {}", ORDERS, literal(NUMBERS)),
    joined("a {} {}", ORDERS, literal(TEXTS)),
    compared(VALUES),
)
CONDITIONS = st.recursive(
    PREDICATES,
    lambda inner: st.one_of(
        joined("({}) AND ({})", inner, inner), joined("({}) OR ({})", inner, inner), joined("NOT ({})", inner)
    ),
    max_leaves=4,
)
ONE_LIST = SCALARS.map(lambda value: {"L": [value]})
SET_ACTIONS = st.one_of(
    joined("b = {}", literal(VALUES)),
    joined("b = {}", PATHS),
    joined("n = n {} {}", st.sampled_from("+-"), literal(NUMBERS)),
    joined("n = if_not_exists(n, {}) + {}", literal(NUMBERS), literal(NUMBERS)),
    joined("l = list_append({}, {})", st.sampled_from(["l", "m.a"]), literal(ONE_LIST)),
    joined("l = list_append(if_not_exists(l, {}), {})", literal(ONE_LIST), literal(ONE_LIST)),
    joined("l[1] = {}", literal(VALUES)),
    joined("m.b = {}", literal(VALUES)),
    joined("m = if_not_exists(m, {})", literal(st.just({"M": {}}))),
)
SECTIONS = st.one_of(
    joined("SET {}", SET_ACTIONS),
    joined("SET {}, fresh = {}", SET_ACTIONS, literal(VALUES)),
    joined("SET fresh = {} REMOVE {}", literal(VALUES), PATHS),
    joined("REMOVE {}, fresh", PATHS),
    joined("REMOVE l[0], l[1]"),
    joined("ADD n {}", literal(NUMBERS)),
    joined("ADD s {} REMOVE b", literal(st.one_of(TEXT_SETS, NUMBER_SETS))),
    joined("DELETE s {} SET b = {}", literal(st.one_of(TEXT_SETS, NUMBER_SETS)), literal(SCALARS)),
)


def with_expressions(params: Shape, **expressions: Text | None) -> Shape:
    """The parameters with the expressions, their literals under names of their own."""
    given = {kind: expression for kind, expression in expressions.items() if expression is not None}
    texts, values = Text.join("\0".join("{}" for _ in given), *given.values()).numbered()
    full = {**params, **dict(zip(given, texts.split("\0"), strict=True))} if given else dict(params)
    if values:
        full["ExpressionAttributeValues"] = values
    return full


MAYBE_CONDITIONS: st.SearchStrategy[Text | None] = st.one_of(st.none(), CONDITIONS)
RETURNS = st.sampled_from(["NONE", "ALL_OLD"])
ALL_RETURNS = st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW"])


def put_of(item: Shape, condition: Text | None) -> Shape:
    return with_expressions({"Item": item}, ConditionExpression=condition)


def update_of(key: Shape, update: Text, condition: Text | None) -> Shape:
    return with_expressions({"Key": key}, UpdateExpression=update, ConditionExpression=condition)


def by_key(key: Shape, condition: Text | None) -> Shape:
    return with_expressions({"Key": key}, ConditionExpression=condition)


def get_of(key: Shape, path: str | None) -> Shape:
    return {"Key": key} if path is None else {"Key": key, "ProjectionExpression": f"pk, {path}"}


def query_of(condition: Text, matching: Text | None, forward: bool) -> Shape:
    return with_expressions({"ScanIndexForward": forward}, KeyConditionExpression=condition, FilterExpression=matching)


PUTS = st.builds(put_of, ITEMS, MAYBE_CONDITIONS)
UPDATES = st.builds(update_of, KEYS, SECTIONS, MAYBE_CONDITIONS)
DELETES = st.builds(by_key, KEYS, MAYBE_CONDITIONS)
CHECKS = st.builds(by_key, KEYS, CONDITIONS)
GETS = st.builds(get_of, KEYS, st.one_of(st.none(), PATHS))
GROUP = literal(st.sampled_from("pq").map(lambda group: {"S": group}))
RANGES = st.one_of(
    joined("pk = {}", GROUP),
    joined("pk = {} AND sk {} {}", GROUP, st.sampled_from(["<", "<=", ">", ">=", "="]), literal(NUMBERS)),
    joined("pk = {} AND sk BETWEEN {} AND {}", GROUP, literal(st.just({"N": "1"})), literal(st.just({"N": "2.5"}))),
)
QUERIES = st.builds(query_of, RANGES, MAYBE_CONDITIONS, st.booleans())
INDEX_QUERIES = st.sampled_from("xy").map(
    lambda value: {
        "IndexName": INDEX,
        "KeyConditionExpression": "a = :a",
        "ExpressionAttributeValues": {":a": {"S": value}},
    }
)
SCANS = MAYBE_CONDITIONS.map(lambda matching: with_expressions({}, FilterExpression=matching))
MEMBERS = st.one_of(
    PUTS.map(lambda body: {"Put": body}),
    UPDATES.map(lambda body: {"Update": body}),
    DELETES.map(lambda body: {"Delete": body}),
    CHECKS.map(lambda body: {"ConditionCheck": body}),
)
TRANSACTIONS = st.lists(MEMBERS, min_size=1, max_size=3).map(lambda members: {"TransactItems": members})


def returning(params: st.SearchStrategy[Any], modes: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    def with_mode(given: Shape, mode: str) -> Shape:
        return {**given, "ReturnValues": mode}

    return st.builds(with_mode, params, modes)


def steps_of(operation: str, params: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return params.map(lambda given: (operation, given))


STEPS = st.one_of(
    steps_of("PutItem", returning(PUTS, RETURNS)),
    steps_of("PutItem", ITEMS.map(lambda item: {"Item": item})),
    steps_of("UpdateItem", returning(UPDATES, ALL_RETURNS)),
    steps_of("DeleteItem", returning(DELETES, RETURNS)),
    steps_of("GetItem", GETS),
    steps_of("Query", QUERIES),
    steps_of("Query", INDEX_QUERIES),
    steps_of("Scan", SCANS),
    steps_of("TransactWriteItems", TRANSACTIONS),
)


# --- the comparison ---


class Pair:
    """Both implementations with a table of the same name."""

    def __init__(self, moto: Moto, name: str) -> None:
        region = Region()
        self._moto = moto
        self._name = name
        self._items = DynamoDbItems(region, ManualClock(), lambda _name: None)
        self._items.table_created({**description(name), "TableArn": region.arn("dynamodb", f"table/{name}")})
        moto.do("CreateTable", description(name))

    def both(self, operation: str, params: Mapping[str, Any]) -> tuple[Any, Any]:
        """Our answer and moto's, in comparable form."""
        named = self._named(params)
        return comparable(operation, named, self._ours(operation, named)), comparable(
            operation, named, self._moto.do(operation, named)
        )

    def close(self) -> None:
        self._moto.do("DeleteTable", {"TableName": self._name})

    def _ours(self, operation: str, params: Mapping[str, Any]) -> Any:
        try:
            return json.loads(json.dumps(self._items.handle(operation, params, ROOT)))
        except AwsError as error:
            return {"code": error.code, "message": error.message}

    def _named(self, params: Mapping[str, Any]) -> Shape:
        if "TransactItems" not in params:
            return {**params, "TableName": self._name}
        return {
            "TransactItems": [
                {kind: {**body, "TableName": self._name} for kind, body in member.items()}
                for member in params["TransactItems"]
            ]
        }


def comparable(operation: str, params: Mapping[str, Any], answer: Any) -> Any:
    """The answer without what is known to differ."""
    if "code" in answer:
        if operation == "TransactWriteItems":
            return "refused"
        return answer["code"] if answer["code"] != "fault" else answer
    kept = {name: value for name, value in answer.items() if name in ("Attributes", "Count", "Item", "Items")}
    if "Items" in kept and (operation == "Scan" or "IndexName" in params):
        kept["Items"] = sorted(kept["Items"], key=lambda item: (item["pk"]["S"], Decimal(item["sk"]["N"])))
    return normal(kept)


def normal(value: Any) -> Any:
    """The value with numbers by magnitude and sets in order."""
    if isinstance(value, list):
        return [normal(part) for part in cast("list[Shape]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("Shape", value)
    if members.keys() == {"N"} and isinstance(members["N"], str):
        return {"N": Decimal(members["N"])}
    if members.keys() == {"NS"}:
        return {"NS": sorted(Decimal(member) for member in members["NS"])}
    if members.keys() == {"SS"}:
        return {"SS": sorted(members["SS"])}
    return {name: normal(part) for name, part in members.items()}


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    process = Moto()
    yield process
    process.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
def test_every_answer_is_as_moto_gives_it(moto: Moto, steps: list[Step]) -> None:
    pair = Pair(moto, "judged")
    try:
        for operation, params in steps:
            ours, theirs = pair.both(operation, params)
            assert ours == theirs, (operation, params)
        ours, theirs = pair.both("Scan", {})
        assert ours == theirs
    finally:
        pair.close()


if __name__ == "__main__":
    judge()
