"""DynamoDB's item operations against ministack and moto as independent judges, on generated operations.

One sequence of operations, the same for every run, goes to all three; every answer that differs must belong to a class
below, which says what differs and which AWS page decides it. After a write that differs, the judge's items are made
ours again, so that one difference does not become many.

`TREADLE_JUDGED_OPERATIONS=20000 TREADLE_JUDGED_SEED=7` makes it a long run of other operations.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from support.dev import Dev
from support.dynamodb_judges import FAULT, Asked, MotoServer, Shape, comparable, touched_keys
from support.dynamodb_operations import DESCRIPTION, TABLE, Draw
from support.judges import Ministack
from treadle_local.aws.wire import is_document

OPERATIONS = int(os.environ.get("TREADLE_JUDGED_OPERATIONS", "2000"))
SEED = int(os.environ.get("TREADLE_JUDGED_SEED", "1"))

_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
_API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
_OPERATORS = f"{_GUIDE}/Expressions.OperatorsAndFunctions.html"
_UPDATES = f"{_GUIDE}/Expressions.UpdateExpressions.html"
_LIMITS = f"{_GUIDE}/Constraints.html"
_PATHS = f"{_GUIDE}/Expressions.Attributes.html"
_PLACEHOLDERS = f"{_GUIDE}/Expressions.ExpressionAttributeValues.html"
_TYPES = f"{_GUIDE}/HowItWorks.NamingRulesDataTypes.html"

_CAPACITY = ("ConsumedCapacity", "ItemCollectionMetrics")
_ITEMS = ("Items", "Count", "ScannedCount", "LastEvaluatedKey")


@dataclass(frozen=True, slots=True)
class Seen:
    """One operation with our answer and a judge's: as they came, and in comparable form."""

    judge: str
    operation: str
    params: Mapping[str, Any]
    our_answer: Shape
    their_answer: Shape
    ours: Shape
    theirs: Shape

    @property
    def text(self) -> str:
        return str(self.params)

    @property
    def message(self) -> str:
        return str(self.our_answer.get("message", "")) if "code" in self.our_answer else ""

    @property
    def their_message(self) -> str:
        return str(self.their_answer.get("message", "")) if "code" in self.their_answer else ""

    @property
    def their_items(self) -> list[Shape]:
        """What the judge read by key."""
        responses: Any = self.theirs.get("Responses")
        read: list[Shape] = responses[TABLE] if is_document(responses) and TABLE in responses else []
        return [self.theirs.get("Item", {}), *read]

    def differs_in(self, *members: str) -> bool:
        """Whether both went well and only these members differ."""
        if "code" in self.ours or "code" in self.theirs:
            return False
        names = self.ours.keys() | self.theirs.keys()
        return {name for name in names if self.ours.get(name) != self.theirs.get(name)} <= set(members)

    @property
    def turns_on_a_condition(self) -> bool:
        """Whether all that differs is whether a condition or filter held."""
        failed = "ConditionalCheckFailed"
        codes = (str(self.ours), str(self.theirs))
        writes = any(failed in code for code in codes) and not any("ValidationException" in code for code in codes)
        return writes or self.differs_in(*_ITEMS, *_CAPACITY)


@dataclass(frozen=True, slots=True)
class Class:
    """A kind of difference: what the judge does, the page by which it is wrong, and how to tell it."""

    judges: str
    what: str
    page: str
    is_it: Callable[[Seen], bool]


def accepts(judges: str, what: str, page: str, refusal: str) -> Class:
    """The judge does not refuse what we refuse in these words, or refuses it as something else."""
    pattern = re.compile(refusal)

    def is_it(seen: Seen) -> bool:
        return seen.ours.get("code") == "ValidationException" and pattern.search(seen.message) is not None

    return Class(judges, what, page, is_it)


_MISSING_ON_THE_RIGHT = re.compile(r"(?:=|<>|<) #?(?:z|m\.z)\b|\{'NULL': True\}")

BOTH = "ministack moto"
CLASSES = (
    # what the judges let pass
    accepts(BOTH, "compares an operand with itself", _OPERATORS, "first operand must be distinct"),
    accepts(BOTH, "takes a filter on a key", f"{_GUIDE}/Query.FilterExpression.html", "Filter Expression can"),
    accepts(BOTH, "takes any operator for a key", f"{_GUIDE}/Query.KeyConditionExpressions.html", "KeyCondition"),
    accepts(BOTH, "takes any function name", _OPERATORS, "Invalid function name"),
    accepts(BOTH, "takes any type name", _OPERATORS, "Invalid attribute type name"),
    accepts(BOTH, "takes reserved words", f"{_GUIDE}/ReservedWords.html", "reserved keyword"),
    accepts(BOTH, "takes operands of a wrong type", _OPERATORS, "Incorrect operand type"),
    accepts(BOTH, "takes overlapping paths", _UPDATES, "Two document paths overlap"),
    accepts(BOTH, "takes a section twice", _UPDATES, "section can only be used once"),
    accepts(BOTH, "takes two names without a comma, or a wrong end", _PATHS, "Syntax error"),
    accepts(BOTH, "takes redundant parentheses", _OPERATORS, "redundant parentheses"),
    accepts(BOTH, "takes a path into what is not there", _UPDATES, "document path provided in the update expression"),
    accepts(BOTH, "stores sums of more than 38 digits", _LIMITS, "more than 38 significant digits"),
    accepts("moto", "takes bounds in the wrong order", _OPERATORS, "BETWEEN operator requires"),
    accepts("moto", "takes numbers of any magnitude", _LIMITS, "Number (?:over|under)flow"),
    accepts("moto", "takes sets with duplicates", _TYPES, "contains? duplicates"),
    accepts("moto", "takes any nesting", _LIMITS, "Nesting Levels"),
    accepts("moto", "takes keys of wrong types", f"{_API}/API_DeleteItem.html", "key element does not match"),
    accepts("moto", "takes a key condition of another type", f"{_API}/API_Query.html", "Condition parameter type"),
    accepts("moto", "takes index keys of wrong types", f"{_GUIDE}/GSI.html", "for Index Key"),
    accepts("moto", "takes empty or missing expressions", _PLACEHOLDERS, "can not be empty|can only be specified when"),
    accepts("moto", "takes values that are not used", _PLACEHOLDERS, "unused in expressions"),
    accepts("moto", "takes values that are not defined", _PLACEHOLDERS, "is not defined"),
    accepts("moto", "takes a start key of another partition", f"{_API}/API_Query.html", "starting key"),
    accepts("moto", "reads one item twice", f"{_API}/API_TransactGetItems.html", "multiple operations on one item"),
    accepts(BOTH, "takes a wrong Select or Segment", f"{_API}/API_Scan.html", "Segment|Select|Must specify|ALL_"),
    accepts("moto", "takes a Limit of 0", f"{_API}/API_Query.html", "at 'limit'"),
    accepts("moto", "says not found of an index that is not there", f"{_API}/API_Query.html", "the specified index"),
    accepts(BOTH, "takes an operand that is no number or list", _UPDATES, "operand in the update expression"),
    accepts("moto", "takes NULL as false, and no type or two", f"{_API}/API_AttributeValue.html", "Null attr|Supplied"),
    # what they answer otherwise
    Class(BOTH, "fails", _OPERATORS, lambda seen: seen.theirs.get("code") in (FAULT, "TypeError", "InternalFailure")),
    Class(
        "moto",
        "answers capacity unasked, and without indexes, consistency and transactions",
        f"{_GUIDE}/read-write-operations.html",
        lambda seen: seen.differs_in(*_CAPACITY),
    ),
    Class(
        BOTH,
        "takes two missing attributes for equal, or a missing one for NULL",
        _OPERATORS,
        lambda seen: seen.turns_on_a_condition and _MISSING_ON_THE_RIGHT.search(seen.text) is not None,
    ),
    Class(
        BOTH,
        "shows a list or map from which UPDATED_NEW or UPDATED_OLD saw something removed, or leaves equal values out",
        f"{_API}/API_UpdateItem.html",
        lambda seen: seen.differs_in("Attributes", *_CAPACITY) and "UPDATED_" in seen.text,
    ),
    Class(
        "ministack",
        "refuses begins_with where the item's attribute is no text, which does not hold",
        _OPERATORS,
        lambda seen: "begins_with" in seen.their_message,
    ),
    Class(
        "ministack",
        "filters an index by what it does not keep",
        f"{_GUIDE}/GSI.html#GSI.Projections",
        lambda seen: seen.params.get("IndexName") == "by-a" and seen.differs_in(*_ITEMS),
    ),
    Class(
        "ministack",
        "gives a number a size, which has none",
        _OPERATORS,
        lambda seen: seen.turns_on_a_condition and "size(" in seen.text,
    ),
    Class(
        "ministack",
        "removes one of two elements that REMOVE names together",
        f"{_GUIDE}/Expressions.UpdateExpressions.html#Expressions.UpdateExpressions.REMOVE",
        lambda seen: (
            (
                seen.operation in ("GetItem", "BatchGetItem")
                and seen.differs_in("Item", "Responses")
                and "'l'" in str(seen.ours)
            )
            or (seen.differs_in("Attributes") and "REMOVE l[0], l[1]" in seen.text)
        ),
    ),
    Class(
        "moto",
        "leaves an item behind that a refused update began",
        f"{_API}/API_TransactWriteItems.html",
        lambda seen: (
            seen.operation in ("GetItem", "BatchGetItem")
            and seen.differs_in("Item", "Responses", *_CAPACITY)
            and any(item.keys() == {"pk", "sk"} for item in seen.their_items)
        ),
    ),
    Class(
        "moto",
        "orders what has no order, as NULL and BOOL",
        _OPERATORS,
        lambda seen: seen.turns_on_a_condition and re.search("[<>] |<=|>=|BETWEEN", seen.text) is not None,
    ),
    Class(
        "moto",
        "takes what AttributeUpdates puts for text",
        f"{_GUIDE}/LegacyConditionalParameters.AttributeUpdates.html",
        lambda seen: "AttributeUpdates" in seen.params,
    ),
    Class(
        "ministack",
        "wants a value with Expected NULL and NOT_NULL, which take none",
        f"{_GUIDE}/LegacyConditionalParameters.Conditions.html",
        lambda seen: "must be used with ComparisonOperator" in seen.their_message,
    ),
    Class(
        "moto",
        "leaves out LastEvaluatedKey where Limit ends with the last item",
        f"{_GUIDE}/Query.Pagination.html",
        lambda seen: seen.differs_in("LastEvaluatedKey", *_CAPACITY) and "Limit" in seen.params,
    ),
    Class(
        "moto",
        "raises out of a transaction what AWS gives as a member's reason",
        f"{_API}/API_TransactWriteItems.html",
        lambda seen: seen.operation == "TransactWriteItems" and seen.theirs.get("code") == "ValidationException",
    ),
    Class(
        "moto",
        "says for a member of a transaction that Python failed",
        f"{_API}/API_TransactWriteItems.html",
        lambda seen: re.search("TypeError|ValueError|KeyError", str(seen.theirs)) is not None,
    ),
    Class(
        BOTH,
        "takes a member of a transaction whose path leads nowhere",
        f"{_API}/API_TransactWriteItems.html",
        lambda seen: seen.operation == "TransactWriteItems" and "ValidationError" in str(seen.ours),
    ),
    Class(
        "moto",
        "checks the update before the condition",
        _UPDATES,
        lambda seen: (
            seen.ours.get("code") == "ConditionalCheckFailedException"
            and seen.theirs.get("code") == "ValidationException"
        ),
    ),
    Class(
        "moto",
        "refuses the size of what is missing, which does not hold",
        _OPERATORS,
        lambda seen: "Bad Filter Expression" in seen.their_message,
    ),
    Class(
        "moto",
        "takes the placeholder of a list for unused",
        _PATHS,
        lambda seen: "unused in expressions" in seen.their_message and "message" not in seen.our_answer,
    ),
)


def class_of(seen: Seen) -> Class | None:
    return next((one for one in CLASSES if seen.judge in one.judges and one.is_it(seen)), None)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto")) as running:
        yield running


def make_alike(judge: Asked, ours: Asked, keys: list[Shape]) -> None:
    """Gives the judge our items of these keys."""
    for key in keys:
        found = ours.ask("GetItem", {"TableName": TABLE, "Key": key, "ConsistentRead": True})
        if "Item" in found:
            judge.ask("PutItem", {"TableName": TABLE, "Item": found["Item"]})
        elif "code" not in found:
            judge.ask("DeleteItem", {"TableName": TABLE, "Key": key})


@pytest.mark.timeout(300 + OPERATIONS // 20)
def test_every_difference_from_the_judges_is_one_that_aws_decides(
    emulator: Dev, ministack: Ministack, moto: MotoServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = Asked(emulator.endpoint)
    judges = {"ministack": Asked(ministack.endpoint), "moto": Asked(moto.endpoint)}
    for asked in (ours, *judges.values()):
        assert "TableDescription" in asked.ask("CreateTable", DESCRIPTION)
    draw = Draw(SEED)
    refused, differed, classes = 0, Counter[str](), Counter[tuple[str, str]]()
    unexplained: list[Seen] = []
    for _ in range(OPERATIONS):
        operation, params = draw.step()
        for judge in judges.values():
            judge.send(operation, params)
        our_answer = ours.ask(operation, params)
        our_form = comparable(operation, params, our_answer)
        refused += "code" in our_answer
        for name, judge in judges.items():
            their_answer = judge.answer()
            their_form = comparable(operation, params, their_answer)
            if their_form == our_form:
                continue
            seen = Seen(name, operation, params, our_answer, their_answer, our_form, their_form)
            found = class_of(seen)
            differed[name] += 1
            if found is None:
                unexplained.append(seen)
            else:
                classes[name, found.what] += 1
            make_alike(judge, ours, touched_keys(operation, params))
    ours.ask("DeleteTable", {"TableName": TABLE})
    for asked in (ours, *judges.values()):
        asked.close()
    told = [f"{OPERATIONS} operations, {refused} refused; differed: {dict(differed)}"]
    if "TREADLE_JUDGED_OPERATIONS" in os.environ:
        told += [f"  {count:>5} {judge_name} {what}" for (judge_name, what), count in classes.most_common()]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(told) + "\n")
    assert not unexplained, "\n".join(map(str, unexplained[:20]))
    assert OPERATIONS >= 2000
    assert OPERATIONS // 8 <= refused <= OPERATIONS // 2, "errors and successes are both judged"
    assert differed["ministack"] < OPERATIONS // 6, "what is to judge must agree on most"
