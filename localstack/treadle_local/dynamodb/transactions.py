"""TransactWriteItems and TransactGetItems: all operations or none, and at most once for each client token."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.clock import Clock
from treadle_local.dynamodb.batches import FindTable
from treadle_local.dynamodb.capacity import Detail, Usage, read_units, total_by_table, write_usage
from treadle_local.dynamodb.errors import broken_constraint, invalid
from treadle_local.dynamodb.expressions import Expressions, expressions_of
from treadle_local.dynamodb.item_collections import metrics_by_table, wants_metrics
from treadle_local.dynamodb.ordered import Key
from treadle_local.dynamodb.parameters import capacity_detail, listing, mapping, member, table_name
from treadle_local.dynamodb.reads import projected
from treadle_local.dynamodb.table import Record, Table
from treadle_local.dynamodb.values import Item, checked_item
from treadle_local.dynamodb.writes import (
    Plan,
    Write,
    key_of,
    plan,
    prepare_check,
    prepare_delete,
    prepare_put,
    prepare_update,
)

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAXIMUM_ITEMS = 100
MAXIMUM_BYTES = 4 * 1024 * 1024
TOKEN_SECONDS = 600
MAXIMUM_TOKEN_LENGTH = 36

_PREPARE: Mapping[str, Callable[[Params], Write]] = {
    "ConditionCheck": prepare_check,
    "Put": prepare_put,
    "Update": prepare_update,
    "Delete": prepare_delete,
}

_REASONS = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
}


@dataclass(frozen=True, slots=True)
class _Done:
    """A transaction that was done under a token."""

    fingerprint: bytes
    until: float
    sizes: tuple[tuple[str, int], ...]  # by table as named; a repeated call is charged for reading them

    def row(self) -> Mapping[str, Any]:
        return {"fingerprint": self.fingerprint.hex(), "until": self.until, "sizes": self.sizes}


@dataclass(frozen=True, slots=True)
class ReadPlace:
    """One read of a transaction: a key of a table, as the caller named it, and what to show of the record there."""

    named: str
    table: Table
    key_item: Item
    shown: Callable[[Record | None], Item | None]


class Keeper(Protocol):
    """Who keeps the tokens of transactions beyond the process, as JSON values."""

    def committed(self, token: str, done: Mapping[str, Any]) -> None: ...

    def expired(self, token: str) -> None: ...


class Transactions:
    """Does transactions and remembers the tokens of those done for ten minutes."""

    def __init__(self, clock: Clock, find_table: FindTable) -> None:
        self._clock = clock
        self._find_table = find_table
        self._done: OrderedDict[str, _Done] = OrderedDict()
        self.keeper: Keeper | None = None

    def remember(self, token: str, done: Mapping[str, Any]) -> None:
        """Takes over what a keeper was told of a token."""
        sizes = tuple((table, size) for table, size in done["sizes"])
        self._done[token] = _Done(bytes.fromhex(done["fingerprint"]), done["until"], sizes)

    def write(self, params: Params) -> Result:
        """The answer to TransactWriteItems.

        Raises: TransactionCanceledException with a reason for each item, IdempotentParameterMismatchException.
        """
        entries = listing(params, "TransactItems", minimum=1, maximum=MAXIMUM_ITEMS)
        return self.commit(params, entries, lambda: [_prepared(entry) for entry in entries], plan)

    def commit(
        self,
        params: Params,
        entries: Sequence[Mapping[str, Any]],
        prepare: Callable[[], Sequence[Write]],
        plan_one: Callable[[Write, Table], Plan],
    ) -> Result:
        """Does the writes of the entries together, and answers all but what is of one operation only."""
        detail = capacity_detail(params)
        with_metrics = wants_metrics(params)
        token = _token(params)
        fingerprint = _fingerprint(entries) if token else b""
        if token:
            done = self._remembered(token)
            if done is not None:
                return _repeated(detail, done, fingerprint)
        writes = prepare()
        tables = [self._find_table(write.table_name) for write in writes]
        plans = _planned(writes, tables, plan_one)
        for write_plan in plans:
            write_plan.apply()
        if token:
            sizes = tuple(
                (write.table_name, _size(write_plan)) for write, write_plan in zip(writes, plans, strict=True)
            )
            done = self._done[token] = _Done(fingerprint, self._clock.now() + TOKEN_SECONDS, sizes)
            if self.keeper is not None:
                self.keeper.committed(token, done.row())
        usages = (
            write_usage(write.table_name, write_plan.table, write_plan.old, write_plan.new).doubled()
            for write, write_plan in zip(writes, plans, strict=True)
        )
        result: Result = {}
        if with_metrics:
            written = zip(writes, plans, strict=True)
            result["ItemCollectionMetrics"] = metrics_by_table((w.table_name, p.table, p.key) for w, p in written)
        return _with_capacity(result, detail, usages)

    def get(self, params: Params) -> Result:
        """The answer to TransactGetItems."""
        entries = listing(params, "TransactItems", minimum=1, maximum=MAXIMUM_ITEMS)
        reads = [_prepared_read(entry) for entry in entries]
        return self.read(
            params,
            [
                ReadPlace(name, self._find_table(name), key_item, partial(_shown, expressions))
                for name, key_item, expressions in reads
            ],
        )

    def read(self, params: Params, places: Sequence[ReadPlace]) -> Result:
        """The items of all places as they are at one moment."""
        detail = capacity_detail(params)
        keys = _read_keys(places)
        if len({(id(place.table), key) for place, key in zip(places, keys, strict=True)}) != len(keys):
            raise _repeated_item()
        records = [place.table.records.get(key) for place, key in zip(places, keys, strict=True)]
        if sum(record.size for record in records if record is not None) > MAXIMUM_BYTES:
            raise _too_large()
        items = [place.shown(record) for place, record in zip(places, records, strict=True)]
        responses = [{} if item is None else {"Item": item} for item in items]
        usages = (
            _read_usage(place.named, record.size if record is not None else 0)
            for place, record in zip(places, records, strict=True)
        )
        return _with_capacity({"Responses": responses}, detail, usages)

    def _remembered(self, token: str) -> _Done | None:
        now = self._clock.now()
        while self._done and next(iter(self._done.values())).until <= now:
            token_over, _ = self._done.popitem(last=False)
            if self.keeper is not None:
                self.keeper.expired(token_over)
        return self._done.get(token)


def _token(params: Params) -> str | None:
    token = params.get("ClientRequestToken")
    if token is None:
        return None
    if not isinstance(token, str) or not 1 <= len(token) <= MAXIMUM_TOKEN_LENGTH:
        raise broken_constraint(
            token, "clientRequestToken", f"Member must have length less than or equal to {MAXIMUM_TOKEN_LENGTH}"
        )
    return token


def _fingerprint(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return hashlib.blake2b(json.dumps(entries, sort_keys=True).encode(), digest_size=16).digest()


def _repeated(detail: Detail, done: _Done, fingerprint: bytes) -> Result:
    if done.fingerprint != fingerprint:
        raise AwsError(
            "IdempotentParameterMismatchException",
            "The specified idempotent token was already used with different request parameters",
        )
    return _with_capacity({}, detail, (_read_usage(name, size) for name, size in done.sizes))


def _prepared(entry: Mapping[str, Any]) -> Write:
    kinds = [kind for kind in _PREPARE if entry.get(kind) is not None]
    if len(kinds) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    body = mapping(entry, kinds[0])
    if kinds[0] == "Update":
        member(body, "UpdateExpression")
    return _PREPARE[kinds[0]](body)


def _prepared_read(entry: Mapping[str, Any]) -> tuple[str, Item, Expressions]:
    body = mapping(entry, "Get")
    expressions = expressions_of(body, ("ProjectionExpression",))
    return table_name(body), checked_item(mapping(body, "Key")), expressions


def _shown(expressions: Expressions, record: Record | None) -> Item | None:
    return None if record is None else projected(record.item, expressions.projection)


def _read_keys(places: Sequence[ReadPlace]) -> list[Key]:
    """The keys to read.

    Raises: TransactionCanceledException.
    """
    keys: list[Key] = []
    reasons: list[AwsError | None] = []
    for place in places:
        try:
            keys.append(place.table.schema.exact_key(place.key_item))
            reasons.append(None)
        except AwsError as error:
            reasons.append(error)
    if any(reasons):
        raise _cancelled(reasons)
    return keys


def _planned(writes: Sequence[Write], tables: Sequence[Table], plan_one: Callable[[Write, Table], Plan]) -> list[Plan]:
    """The plans of all writes, each against the tables as they are now.

    Raises: TransactionCanceledException, ValidationException for two operations on one item.
    """
    _check_distinct(writes, tables)
    plans: list[Plan] = []
    reasons: list[AwsError | None] = []
    for write, table in zip(writes, tables, strict=True):
        try:
            plans.append(plan_one(write, table))
            reasons.append(None)
        except AwsError as error:
            reasons.append(error)
    if any(reasons):
        raise _cancelled(reasons)
    if sum(map(_size, plans)) > MAXIMUM_BYTES:
        raise _too_large()
    return plans


def _check_distinct(writes: Sequence[Write], tables: Sequence[Table]) -> None:
    places: list[tuple[int, Key]] = []
    for write, table in zip(writes, tables, strict=True):
        # A key that does not fit its table is told as that item's reason when the write is planned.
        with suppress(AwsError):
            places.append((id(table), key_of(write, table)))
    if len(set(places)) != len(places):
        raise _repeated_item()


def _size(write_plan: Plan) -> int:
    return max(record.size if record is not None else 0 for record in (write_plan.old, write_plan.new))


def _cancelled(reasons: Sequence[AwsError | None]) -> AwsError:
    """The refusal of the whole, with what was wrong with each item.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    shapes = [_reason(error) for error in reasons]
    codes = ", ".join(shape["Code"] for shape in shapes)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        fields={"CancellationReasons": shapes},
    )


def _reason(error: AwsError | None) -> dict[str, Any]:
    if error is None:
        return {"Code": "None"}
    code = _REASONS.get(error.code, "ValidationError")
    return {"Code": code, "Message": error.message, **error.fields}


def _repeated_item() -> AwsError:
    return invalid("Transaction request cannot include multiple operations on one item")


def _too_large() -> AwsError:
    return invalid("Collection of items in the transaction exceeds the maximum size of 4 MB")


def _read_usage(name: str, size: int) -> Usage:
    return Usage(name, "Read", read_units(size, consistent=True)).doubled()


def _with_capacity(result: Result, detail: Detail, usages: Iterable[Usage]) -> Result:
    if detail != "NONE":
        result["ConsumedCapacity"] = [usage.shape(detail, transactional=True) for usage in total_by_table(usages)]
    return result
