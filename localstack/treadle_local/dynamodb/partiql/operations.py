"""ExecuteStatement, BatchExecuteStatement and ExecuteTransaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.batches import FindTable
from treadle_local.dynamodb.capacity import Usage, read_units, total_by_table, write_usage
from treadle_local.dynamodb.errors import broken_constraint, invalid, malformed, table_not_found
from treadle_local.dynamodb.parameters import (
    capacity_detail,
    flag,
    integer,
    listing,
    member,
    returns_old_on_failure,
)
from treadle_local.dynamodb.partiql.parser import prepared
from treadle_local.dynamodb.partiql.select import Selection
from treadle_local.dynamodb.partiql.syntax import Delete, Exists, Insert, Select, Statement, Update
from treadle_local.dynamodb.partiql.values import bound
from treadle_local.dynamodb.partiql.writes import planned, write_of
from treadle_local.dynamodb.table import Table
from treadle_local.dynamodb.transactions import MAXIMUM_ITEMS, ReadPlace, Transactions
from treadle_local.dynamodb.values import Item, Value
from treadle_local.dynamodb.writes import Write, returned

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html,
# API_BatchStatementRequest.html
MAXIMUM_BATCH = 25
MAXIMUM_STATEMENT_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement with its values and the table that it names."""

    statement: Statement
    values: Mapping[str, Value]
    table: Table

    def write(self, statement: Insert | Update | Delete | Exists, params: Params) -> Write:
        return write_of(statement, self.table, self.values, shows_old=returns_old_on_failure(params))


class PartiQl:
    """Does statements on the tables of one region."""

    def __init__(self, find_table: FindTable, transactions: Transactions) -> None:
        self._find_table = find_table
        self._transactions = transactions

    def execute(self, params: Params) -> Result:
        """The answer to ExecuteStatement."""
        detail = capacity_detail(params)
        integer(params, "Limit", 1)
        done = self._bound(params)
        match done.statement:
            case Select() as select:
                return Selection(select, done.table, done.values).read(params)
            case Exists():
                raise invalid("EXISTS() is only supported as a statement of ExecuteTransaction")
            case Insert() | Update() | Delete() as statement:
                items, usage = _written(done, statement, params)
                result: Result = {"Items": items}
                if detail != "NONE":
                    result["ConsumedCapacity"] = usage.shape(detail)
                return result

    def batch(self, params: Params) -> Result:
        """The answer to BatchExecuteStatement: for each statement what it found, or what is wrong with it."""
        detail = capacity_detail(params)
        entries = listing(params, "Statements", minimum=1, maximum=MAXIMUM_BATCH)
        _check_all_alike([_parsed(entry) for entry in entries])
        responses: list[dict[str, Any]] = []
        usages: list[Usage] = []
        for entry in entries:
            response, usage = self._batched(entry)
            responses.append(response)
            if usage is not None:
                usages.append(usage)
        result: Result = {"Responses": responses}
        if detail != "NONE":
            result["ConsumedCapacity"] = [usage.shape(detail) for usage in total_by_table(usages)]
        return result

    def transact(self, params: Params) -> Result:
        """The answer to ExecuteTransaction.

        Raises: TransactionCanceledException with a reason for each statement, IdempotentParameterMismatchException.
        """
        entries = listing(params, "TransactStatements", minimum=1, maximum=MAXIMUM_ITEMS)
        statements = [_said(entry, number) for number, entry in enumerate(entries)]
        _check_all_alike(statements)
        if any(isinstance(statement, Select) for statement in statements):
            return self._read_together(params, entries)

        def prepare() -> list[Write]:
            return [self._prepared(entry, number) for number, entry in enumerate(entries)]

        result: Result = {"Responses": []}
        result.update(self._transactions.commit(params, entries, prepare, planned))
        return result

    def _bound(self, params: Params) -> Bound:
        parsed = prepared(_text(params))
        values = bound(parsed, _parameters(params))
        named = parsed.statement.table
        try:
            table = self._find_table(named)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise table_not_found(f"Table: {named}") from None
            raise
        return Bound(parsed.statement, values, table)

    def _batched(self, entry: Params) -> tuple[dict[str, Any], Usage | None]:
        """The response to one statement of a batch, and what it used."""
        named: str | None = None
        try:
            done = self._bound(entry)
            match done.statement:
                case Select() as select:
                    return _read_one(Selection(select, done.table, done.values), entry)
                case Exists():
                    raise invalid("EXISTS() is only supported as a statement of ExecuteTransaction")
                case Insert() | Update() | Delete() as statement:
                    named = statement.table
                    items, usage = _written(done, statement, entry)
                    return {"TableName": named} | ({"Item": items[0]} if items else {}), usage
        except AwsError as error:
            problem: dict[str, Any] = {"Code": _batch_code(error), "Message": error.message, **error.fields}
            ran = named is not None and error.code in ("ConditionalCheckFailedException", "DuplicateItemException")
            return {"Error": problem} | ({"TableName": named} if ran else {}), None

    def _prepared(self, entry: Params, number: int) -> Write:
        done = self._bound(entry)
        statement = done.statement
        if isinstance(statement, Select):
            raise _mixed()
        try:
            return done.write(statement, entry)
        except AwsError as error:
            raise _invalid_at(number, error) from None

    def _read_together(self, params: Params, entries: Sequence[Params]) -> Result:
        places: list[ReadPlace] = []
        for number, entry in enumerate(entries):
            done = self._bound(entry)
            if not isinstance(done.statement, Select):
                raise _mixed()
            selection = Selection(done.statement, done.table, done.values)
            if done.statement.index is not None:
                raise _invalid_at(number, invalid("Reads on indices are not supported within transactions."))
            key = selection.key()
            if key is None:
                raise _invalid_at(number, _no_key("ExecuteTransaction"))
            places.append(ReadPlace(done.statement.table, done.table, key, selection.shown))
        return self._transactions.read(params, places)


def _written(done: Bound, statement: Insert | Update | Delete, params: Params) -> tuple[list[Item], Usage]:
    """The item that RETURNING asks for, if any, and the units of the write that is done now."""
    write = done.write(statement, params)
    done_plan = planned(write, done.table)
    done_plan.apply()
    usage = write_usage(statement.table, done.table, done_plan.old, done_plan.new)
    if isinstance(statement, Insert):
        return [], usage
    changes = statement.changes if isinstance(statement, Update) else None
    shown = returned(statement.returning, done_plan, changes)
    return list(shown.values()), usage


def _read_one(selection: Selection, entry: Params) -> tuple[dict[str, Any], Usage]:
    if selection.key() is None:
        raise _no_key("BatchExecuteStatement")
    named = selection.select.table
    record = selection.table.records.get(selection.table.schema.exact_key(selection.key() or {}))
    consistent = flag(entry, "ConsistentRead", default=False)
    usage = Usage(named, "Read", read_units(record.size if record is not None else 0, consistent=consistent))
    item = selection.shown(record)
    return {"TableName": named} | ({} if item is None else {"Item": item}), usage


def _text(params: Params) -> str:
    text = member(params, "Statement")
    if not isinstance(text, str):
        raise malformed("Unexpected value type in payload: Statement")
    if not text:
        raise broken_constraint("", "statement", "Member must have length greater than or equal to 1")
    if len(text) > MAXIMUM_STATEMENT_LENGTH:
        limit = f"Member must have length less than or equal to {MAXIMUM_STATEMENT_LENGTH}"
        raise broken_constraint(text, "statement", limit)
    return text


def _parameters(params: Params) -> Sequence[object]:
    given = params.get("Parameters")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise malformed("Unexpected value type in payload: Parameters")
    if not given:
        raise broken_constraint("[]", "parameters", "Member must have length greater than or equal to 1")
    return cast("list[object]", given)


def _parsed(entry: Params) -> Statement | None:
    """The statement, None when it cannot be read."""
    try:
        return prepared(_text(entry)).statement
    except AwsError:
        return None


def _said(entry: Params, number: int) -> Statement:
    """The statement of a transaction, which has nothing to return."""
    try:
        statement = prepared(_text(entry)).statement
    except AwsError as error:
        raise _invalid_at(number, error) from None
    if isinstance(statement, Update | Delete) and statement.returning != "NONE":
        raise _invalid_at(number, invalid("RETURNING clause is not supported in ExecuteTransaction."))
    return statement


def _check_all_alike(statements: Sequence[Statement | None]) -> None:
    if len({isinstance(statement, Select) for statement in statements if statement is not None}) > 1:
        raise _mixed()


def _mixed() -> AwsError:
    return invalid("Statements must be either all reads or all writes")


def _no_key(operation: str) -> AwsError:
    return invalid(f"Select statements within {operation} must specify the primary key in the where clause.")


def _invalid_at(number: int, error: AwsError) -> AwsError:
    return AwsError(error.code, f"Validation failed in TransactStatements[{number}]: {error.message}")


def _batch_code(error: AwsError) -> str:
    """The error's code as BatchStatementError says it."""
    return "ValidationError" if error.code == "ValidationException" else error.code.removesuffix("Exception")
