"""Item operations of every kind, drawn from a seed: the same seed gives the same operations, in wire form.

Keys, names and contents are few, so that operations meet: conditions hold and fail, updates find what others wrote.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

Shape = dict[str, Any]
Step = tuple[str, Shape]

TABLE = "judged"
GROUPS = ("p", "q")
RANKS = ("1", "2", "3.5", "10")
NAMES = ("a", "b", "n", "m", "l", "s", "z")
PATHS = (*NAMES, "m.a", "m.b", "m.c.a", "l[0]", "l[1]", "l[2].a", "m.a[0]")
NUMBERS = ("0", "1", "-1", "2.5", "10", "1.50", "00.1", "1e3", "-0", "12345678901234567890123456789012345678")
TEXTS = ("x", "xy", "y", "", "é")
BINARIES = ("AA==", "AAE=", "AQ==", "")
SETS: tuple[Shape, ...] = (
    {"SS": ["x", "y"]},
    {"SS": ["y"]},
    {"NS": ["1", "2.5"]},
    {"NS": ["1"]},
    {"BS": ["AA==", "AQ=="]},
)
TYPES = ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS")
ORDERS = ("<", "<=", ">", ">=")

DESCRIPTION: Shape = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "a", "AttributeType": "S"},
        {"AttributeName": "n", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-a",
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["b"]},
        },
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-n",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


class Draw:
    """Draws operations from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._next: Step | None = None
        self._kinds: Sequence[tuple[int, Callable[[], Step]]] = (
            (18, self._put),
            (16, self._update),
            (6, self._delete),
            (3, self._get),
            (14, self._query),
            (8, self._index_query),
            (8, self._scan),
            (4, self._batch_get),
            (4, self._batch_write),
            (5, self._transact_write),
            (3, self._transact_get),
            (6, self._legacy),
            (12, self._mistake),
        )

    def step(self) -> Step:
        """The next operation and its parameters; after an update or a transaction, the reading of what it left."""
        if self._next is not None:
            step, self._next = self._next, None
            return step
        weights, kinds = zip(*self._kinds, strict=True)
        kind: Callable[[], Step] = self._random.choices(kinds, weights)[0]
        return kind()

    # values

    def _one(self, choices: Sequence[Any]) -> Any:
        return self._random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def key(self) -> Shape:
        return {"pk": {"S": self._one(GROUPS)}, "sk": {"N": self._one(RANKS)}}

    def _value(self, depth: int = 0) -> Shape:
        kinds = ("S", "S", "N", "N", "B", "BOOL", "NULL", "SET", "M", "L")
        match self._one(kinds[: 8 if depth == 2 else 10]):
            case "S":
                return {"S": self._one(TEXTS)}
            case "N":
                return {"N": self._one(NUMBERS)}
            case "B":
                return {"B": self._one(BINARIES)}
            case "BOOL":
                return {"BOOL": self._chance(0.5)}
            case "NULL":
                return {"NULL": True}
            case "SET":
                return dict(self._one(SETS))
            case "M":
                names = self._random.sample("abc", self._random.randrange(4))
                return {"M": {name: self._value(depth + 1) for name in names}}
            case _:
                return {"L": [self._value(depth + 1) for _ in range(self._random.randrange(4))]}

    def _item(self) -> Shape:
        item = self.key()
        wanted: dict[str, Callable[[], Shape]] = {
            "a": lambda: {"S": self._one(("x", "xy", "y"))},
            "b": self._value,
            "n": lambda: {"N": self._one(NUMBERS)},
            "m": lambda: {"M": {name: self._value(1) for name in "ab"[: self._random.randrange(3)]}},
            "l": lambda: {"L": [self._value(1) for _ in range(self._random.randrange(3))]},
            "s": lambda: dict(self._one(SETS)),
        }
        for name, value in wanted.items():
            if self._chance(0.6):
                item[name] = value()
        return item

    # expressions

    def _predicate(self, text: Text) -> str:
        path = text.path(self._one(PATHS))
        match self._random.randrange(11):
            case 0:
                return f"attribute_exists({path})"
            case 1:
                return f"attribute_not_exists({path})"
            case 2:
                return f"attribute_type({path}, {text.value({'S': self._one(TYPES)})})"
            case 3:
                return f"begins_with({path}, {text.value({'S': self._one(('x', 'xy'))})})"
            case 4:
                return f"contains({path}, {text.value(self._one(({'S': 'x'}, {'N': '1'}, {'B': 'AA=='})))})"
            case 5:
                return f"{path} BETWEEN {text.value({'N': '0'})} AND {text.value({'N': self._one(('0', '2.5', '10'))})}"
            case 6:
                return f"{path} IN ({text.value(self._value(1))}, {text.value(self._value(1))})"
            case 7:
                return f"size({path}) {self._one((*ORDERS, '=', '<>'))} {text.value({'N': self._one(('0', '1', '2'))})}"
            case 8:
                literal = self._one(({"N": self._one(NUMBERS)}, {"S": self._one(("x", "xy"))}, {"B": "AAE="}))
                return f"{path} {self._one(ORDERS)} {text.value(literal)}"
            case 9:
                return f"{path} {self._one(('=', '<>', '<'))} {text.path(self._one(('z', 'm.z')))}"
            case _:
                return f"{path} {self._one(('=', '<>'))} {text.value(self._value(1))}"

    def _condition(self, text: Text, depth: int = 0) -> str:
        if depth < 2 and self._chance(0.35):
            left, right = self._condition(text, depth + 1), self._condition(text, depth + 1)
            form: str = self._one(("({}) AND ({})", "({}) OR ({})", "({}) AND NOT ({})"))
            return form.format(left, right)
        return self._predicate(text)

    def _set_action(self, text: Text) -> str:
        match self._random.randrange(10):
            case 0:
                return f"b = {text.path(self._one(PATHS))}"
            case 1:
                return f"n = n {self._one('+-')} {text.value({'N': self._one(NUMBERS[:7])})}"
            case 2:
                start, step = text.value({"N": self._one(("0", "2.5"))}), text.value({"N": "1"})
                return f"n = if_not_exists(n, {start}) + {step}"
            case 3:
                return f"l = list_append({self._one(('l', 'm.a'))}, {text.value({'L': [self._value(1)]})})"
            case 4:
                return f"l = list_append(if_not_exists(l, {text.value({'L': []})}), {text.value({'L': [{'S': 'x'}]})})"
            case 5:
                return f"l[{self._one((0, 1, 7))}] = {text.value(self._value(1))}"
            case 6:
                return f"m.{self._one('abc')} = {text.value(self._value(1))}"
            case 7:
                return f"m = if_not_exists(m, {text.value({'M': {}})})"
            case 8:
                return f"a = {text.value({'S': self._one(('x', 'y'))})}"
            case _:
                return f"b = {text.value(self._value())}"

    def _update_text(self, text: Text) -> str:
        match self._random.randrange(9):
            case 0:
                return f"REMOVE {text.path(self._one(PATHS))}, fresh"
            case 1:
                return "REMOVE l[0], l[1]"
            case 2:
                return f"ADD n {text.value({'N': self._one(NUMBERS[:7])})}, c {text.value({'N': '1'})}"
            case 3:
                return f"ADD s {text.value(dict(self._one(SETS)))} REMOVE b"
            case 4:
                return f"DELETE s {text.value(dict(self._one(SETS)))} SET b = {text.value(self._value())}"
            case 5:
                return f"SET fresh = {text.value(self._value())} REMOVE {text.path(self._one(PATHS))}"
            case 6:
                return f"SET {self._set_action(text)}, fresh = {text.value(self._value())}"
            case _:
                return f"SET {self._set_action(text)}"

    # operations

    def _maybe_condition(self, text: Text, member: str = "ConditionExpression", share: float = 0.5) -> Shape:
        return {member: self._condition(text)} if self._chance(share) else {}

    def _asked(self, *modes: str) -> Shape:
        asked: Shape = {"ReturnValues": self._one(modes)} if self._chance(0.7) else {}
        if self._chance(0.3):
            asked["ReturnConsumedCapacity"] = self._one(("TOTAL", "INDEXES"))
        if self._chance(0.2):
            asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return asked

    def _put(self) -> Step:
        text = Text(self._random)
        return "PutItem", named(
            {"Item": self._item(), **self._maybe_condition(text), **text.shape(), **self._asked("NONE", "ALL_OLD")}
        )

    def _update(self) -> Step:
        text = Text(self._random)
        expression = {"UpdateExpression": self._update_text(text)}
        modes = self._asked("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
        condition = self._maybe_condition(text, share=0.3)
        key = self.key()
        self._next = "GetItem", named({"Key": key, "ConsistentRead": True})
        return "UpdateItem", named({"Key": key, **expression, **condition, **text.shape(), **modes})

    def _delete(self) -> Step:
        text = Text(self._random)
        return "DeleteItem", named(
            {"Key": self.key(), **self._maybe_condition(text), **text.shape(), **self._asked("NONE", "ALL_OLD")}
        )

    def _projection(self, text: Text, share: float = 0.4) -> Shape:
        if not self._chance(share):
            return {}
        return {"ProjectionExpression": f"pk, sk, {text.path(self._one(PATHS))}"}

    def _read(self) -> Shape:
        read: Shape = {"ConsistentRead": self._chance(0.5)} if self._chance(0.5) else {}
        if self._chance(0.3):
            read["ReturnConsumedCapacity"] = self._one(("TOTAL", "INDEXES"))
        return read

    def _get(self) -> Step:
        text = Text(self._random)
        return "GetItem", named({"Key": self.key(), **self._projection(text), **text.shape(), **self._read()})

    def _paged(self) -> Shape:
        return {"Limit": self._random.randrange(1, 4)} if self._chance(0.3) else {}

    def _range(self, text: Text, sort: str, ranks: Sequence[str]) -> str:
        group = f"pk = {text.value({'S': self._one(GROUPS)})}"
        match self._random.randrange(4):
            case 0:
                return group
            case 1:
                low, high = sorted(self._random.sample(ranks, 2), key=float)
                return f"{group} AND {sort} BETWEEN {text.value({'N': low})} AND {text.value({'N': high})}"
            case _:
                return f"{group} AND {sort} {self._one((*ORDERS, '='))} {text.value({'N': self._one(ranks)})}"

    def _query(self) -> Step:
        text = Text(self._random)
        params = {"KeyConditionExpression": self._range(text, "sk", RANKS), **self._paged(), **self._read()}
        params |= {"ScanIndexForward": self._chance(0.5)}
        selected = {"Select": "COUNT"} if self._chance(0.15) else self._projection(text, 0.3)
        matching = self._maybe_condition(text, "FilterExpression")
        if self._chance(0.1):
            params["ExclusiveStartKey"] = self.key()
        return "Query", named({**params, **matching, **selected, **text.shape()})

    def _index_query(self) -> Step:
        text = Text(self._random)
        if self._chance(0.5):
            across = f"a = {text.value({'S': self._one(('x', 'xy', 'y'))})}"
            if self._chance(0.5):
                across += f" AND n {self._one(ORDERS)} {text.value({'N': '1'})}"
            params: Shape = {"IndexName": "by-a", "KeyConditionExpression": across}
        else:
            params = {"IndexName": "by-n", "KeyConditionExpression": self._range(text, "n", ("0", "1", "2.5"))}
        if self._chance(0.2):
            params["Select"] = self._one(("COUNT", "ALL_PROJECTED_ATTRIBUTES"))
        if self._chance(0.2):
            params["ReturnConsumedCapacity"] = "INDEXES"
        return "Query", named({**params, "ScanIndexForward": self._chance(0.5), **text.shape()})

    def _scan(self) -> Step:
        text = Text(self._random)
        where: Shape = {"IndexName": self._one(("by-a", "by-n"))} if self._chance(0.3) else {}
        if self._chance(0.15):
            where["Select"] = "COUNT"
        matching = self._maybe_condition(text, "FilterExpression", 0.7)
        return "Scan", named({**where, **matching, **text.shape(), **self._read()} | _not_on_global(where))

    def _batch_get(self) -> Step:
        keys = [self.key() for _ in range(self._random.randrange(1, 5))]
        request: Shape = {"Keys": keys}
        if self._chance(0.3):
            request["ProjectionExpression"] = "pk, sk, b"
        return "BatchGetItem", {"RequestItems": {TABLE: request}}

    def _batch_write(self) -> Step:
        requests: list[Shape] = []
        for _ in range(self._random.randrange(1, 4)):
            if self._chance(0.6):
                requests.append({"PutRequest": {"Item": self._item()}})
            else:
                requests.append({"DeleteRequest": {"Key": self.key()}})
        return "BatchWriteItem", {"RequestItems": {TABLE: requests}}

    def _transact_write(self) -> Step:
        members: list[Shape] = []
        for _ in range(self._random.randrange(1, 4)):
            text = Text(self._random)
            match self._random.randrange(4):
                case 0:
                    body = {"Item": self._item(), **self._maybe_condition(text)}
                    kind = "Put"
                case 1:
                    body = {"Key": self.key(), "UpdateExpression": self._update_text(text)}
                    body |= self._maybe_condition(text, share=0.3)
                    kind = "Update"
                case 2:
                    body = {"Key": self.key(), **self._maybe_condition(text)}
                    kind = "Delete"
                case _:
                    body = {"Key": self.key(), "ConditionExpression": self._condition(text)}
                    kind = "ConditionCheck"
            members.append({kind: named({**body, **text.shape()})})
        keys = [_key_of(body) for member in members for body in member.values()]
        distinct = [key for number, key in enumerate(keys) if key not in keys[:number]]
        self._next = "BatchGetItem", {"RequestItems": {TABLE: {"Keys": distinct, "ConsistentRead": True}}}
        return "TransactWriteItems", {"TransactItems": members}

    def _transact_get(self) -> Step:
        members = [{"Get": named({"Key": self.key()})} for _ in range(self._random.randrange(1, 4))]
        return "TransactGetItems", {"TransactItems": members}

    def _legacy(self) -> Step:
        operator, values = self._one(
            (
                ("EQ", [{"N": "1"}]),
                ("GT", [{"N": "0"}]),
                ("BETWEEN", [{"N": "0"}, {"N": "2.5"}]),
                ("NOT_NULL", []),
                ("NULL", []),
                ("IN", [{"N": "1"}, {"N": "2.5"}]),
            )
        )
        condition: Shape = {"ComparisonOperator": operator}
        if values:
            condition["AttributeValueList"] = values
        match self._random.randrange(4):
            case 0:
                group = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": self._one(GROUPS)}]}
                return "Query", named({"KeyConditions": {"pk": group}, "QueryFilter": {"n": condition}})
            case 1:
                return "Scan", named({"ScanFilter": {"n": condition}})
            case 2:
                return "PutItem", named({"Item": self._item(), "Expected": {"n": condition}})
            case _:
                updates = {"b": {"Action": "PUT", "Value": self._value()}, "n": {"Action": "ADD", "Value": {"N": "1"}}}
                return "UpdateItem", named({"Key": self.key(), "AttributeUpdates": updates, "ReturnValues": "ALL_NEW"})

    def _mistake(self) -> Step:
        operation, params = self._one(MISTAKES)
        return operation, named({**({"Key": self.key()} if operation in _BY_KEY else {}), **params})


_BY_KEY = ("UpdateItem", "GetItem", "DeleteItem")
_KEY: Shape = {"pk": {"S": "p"}, "sk": {"N": "1"}}
_ONE: Shape = {"ExpressionAttributeValues": {":v": {"N": "1"}}}
_TEXT: Shape = {"ExpressionAttributeValues": {":v": {"S": "x"}}}


def _deep(levels: int) -> Shape:
    value: Shape = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


MISTAKES: tuple[Step, ...] = (
    ("PutItem", {"Item": {"pk": {"S": "p"}}}),
    ("PutItem", {"Item": {"pk": {"N": "1"}, "sk": {"N": "1"}}}),
    ("PutItem", {"Item": {"pk": {"S": ""}, "sk": {"N": "1"}}}),
    ("PutItem", {"Item": {**_KEY, "a": {"N": "1"}}}),
    ("PutItem", {"Item": {**_KEY, "a": {"S": ""}}}),
    ("PutItem", {"Item": {**_KEY, "s": {"SS": []}}}),
    ("PutItem", {"Item": {**_KEY, "s": {"SS": ["x", "x"]}}}),
    ("PutItem", {"Item": {**_KEY, "s": {"NS": ["1", "1.0"]}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"N": "x"}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"N": "1" * 39}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"N": "1e126"}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"N": "1e-131"}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"NULL": False}}}),
    ("PutItem", {"Item": {**_KEY, "b": {"S": "x", "N": "1"}}}),
    ("PutItem", {"Item": {**_KEY, "b": _deep(33)}}),
    ("PutItem", {"Item": {**_KEY, "b": _deep(31)}}),
    ("PutItem", {"Item": {**_KEY, "b": {"S": "x" * (400 * 1024)}}}),
    ("PutItem", {"Item": {"pk": {"S": "p" * 2049}, "sk": {"N": "1"}}}),
    ("PutItem", {"Item": _KEY, "ReturnValues": "ALL_NEW"}),
    ("PutItem", {"Item": _KEY, "ReturnValues": "SOME"}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": ""}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "attribute_exists(b"}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "b = :v"}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "size = :v", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "b = :v OR b = :v AND", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "b = b"}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "begins_with(b, :v)", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "nosuch(b, :v)", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "((b = :v))", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "#b = :v", **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "attribute_exists(b)", **_ONE}),
    ("PutItem", {"Item": _KEY, **_ONE}),
    ("PutItem", {"Item": _KEY, "ConditionExpression": "attribute_type(b, :v)", **_TEXT}),
    (
        "PutItem",
        {
            "Item": _KEY,
            "ConditionExpression": "n BETWEEN :h AND :l",
            "ExpressionAttributeValues": {":h": {"N": "2"}, ":l": {"N": "1"}},
        },
    ),
    ("UpdateItem", {"UpdateExpression": "SET sk = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET b = :v, b = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET m.a = :v, m = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET b = :v SET n = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "ADD b :v", **_TEXT}),
    ("UpdateItem", {"UpdateExpression": "DELETE b :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET b = nothing + :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET b = :v + :v", **_TEXT}),
    ("UpdateItem", {"UpdateExpression": "SET nowhere.a = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET n = :v", **_TEXT}),
    ("UpdateItem", {"UpdateExpression": "REMOVE pk"}),
    ("UpdateItem", {"UpdateExpression": "SET b = list_append(:v, :v)", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "b = :v", **_ONE}),
    ("UpdateItem", {"UpdateExpression": "SET size = :v", **_ONE}),
    ("GetItem", {"Key": {"pk": {"S": "p"}}}),
    ("GetItem", {"Key": {**_KEY, "b": {"S": "x"}}}),
    ("GetItem", {"ProjectionExpression": "a, a"}),
    ("GetItem", {"ProjectionExpression": "m.a, m"}),
    ("GetItem", {"ProjectionExpression": "a b"}),
    ("GetItem", {"TableName": "no-such-table"}),
    ("DeleteItem", {"Key": {"pk": {"S": "p"}, "sk": {"S": "1"}}}),
    ("Query", {"KeyConditionExpression": "sk = :v", **_ONE}),
    ("Query", {"KeyConditionExpression": "pk > :v", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v AND b = :v", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v OR pk = :v", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v", **_ONE}),
    ("Query", {"KeyConditionExpression": "pk = :v", "FilterExpression": "sk = :v", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v", "IndexName": "nope", **_TEXT}),
    ("Query", {"KeyConditionExpression": "a = :v", "IndexName": "by-a", "ConsistentRead": True, **_TEXT}),
    ("Query", {"KeyConditionExpression": "a = :v", "IndexName": "by-a", "Select": "ALL_ATTRIBUTES", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v", "Select": "SPECIFIC_ATTRIBUTES", **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v", "Limit": 0, **_TEXT}),
    ("Query", {"KeyConditionExpression": "pk = :v", "ExclusiveStartKey": {"pk": {"S": "x"}}, **_TEXT}),
    ("Query", {}),
    ("Scan", {"Segment": 1}),
    ("Scan", {"Segment": 2, "TotalSegments": 2}),
    ("Scan", {"Select": "ALL_PROJECTED_ATTRIBUTES"}),
    ("Scan", {"Select": "COUNT", "ProjectionExpression": "a"}),
    ("Scan", {"FilterExpression": "a = :v"}),
)


class Text:
    """The names and values of one request's expressions."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._values: Shape = {}
        self._names: dict[str, str] = {}

    def value(self, literal: Shape) -> str:
        name = f":v{len(self._values)}"
        self._values[name] = literal
        return name

    def path(self, path: str) -> str:
        """The path, its first name as a placeholder now and then."""
        if self._random.random() < 0.7:
            return path
        end = next((place for place, letter in enumerate(path) if letter in ".["), len(path))
        placeholder = f"#{path[:end]}"
        self._names[placeholder] = path[:end]
        return placeholder + path[end:]

    def shape(self) -> Shape:
        shape: Shape = {"ExpressionAttributeValues": self._values} if self._values else {}
        return {**shape, "ExpressionAttributeNames": self._names} if self._names else shape


def named(params: Shape) -> Shape:
    """The parameters with the table's name, unless they have one."""
    return {"TableName": TABLE, **params}


def _key_of(body: Shape) -> Shape:
    found = body.get("Key") or body["Item"]
    return {"pk": found["pk"], "sk": found["sk"]}


def _not_on_global(where: Shape) -> Shape:
    return {"ConsistentRead": False} if where.get("IndexName") == "by-a" else {}
