"""Statement text to statements.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

from treadle_local.dynamodb import syntax
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.partiql.conditions import ConditionParser
from treadle_local.dynamodb.partiql.syntax import (
    Delete,
    Exists,
    Insert,
    Order,
    Prepared,
    Returning,
    Select,
    Statement,
    Update,
)
from treadle_local.dynamodb.partiql.tokens import KEYWORDS, Cursor, malformed
from treadle_local.dynamodb.partiql.values import ValueParser
from treadle_local.dynamodb.syntax import (
    AddAction,
    Arithmetic,
    Condition,
    DeleteAction,
    DocumentPath,
    ListAppend,
    NewValue,
    OperandCheck,
    PathOperand,
    SetAction,
)
from treadle_local.dynamodb.tokens import path_text, relation
from treadle_local.dynamodb.values import SET_TYPES

_RETURNING: dict[tuple[str, str], Returning] = {
    ("ALL", "OLD"): "ALL_OLD",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}


@lru_cache(2048)
def prepared(text: str) -> Prepared:
    """The statement in the text; remembered, as calls differ in their parameters only.

    Raises: ValidationException.
    """
    return _StatementParser(Cursor(text)).parse()


class _StatementParser:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._values = ValueParser(cursor)
        self._conditions = ConditionParser(cursor, self._values)
        self._sets: list[SetAction] = []
        self._removals: list[DocumentPath] = []
        self._additions: list[AddAction] = []
        self._deletions: list[DeleteAction] = []
        self._paths: list[DocumentPath] = []
        self._checks: list[OperandCheck] = []

    def parse(self) -> Prepared:
        statement = self._statement()
        self._cursor.expect_end()
        checks = (*self._conditions.checks, *self._checks)
        return Prepared(statement, self._values.templates, self._values.parameter_count, checks)

    def _statement(self) -> Statement:
        cursor = self._cursor
        if cursor.accept_keyword("SELECT"):
            return self._select()
        if cursor.accept_keyword("INSERT"):
            return self._insert()
        if cursor.accept_keyword("UPDATE"):
            return self._update()
        if cursor.accept_keyword("DELETE"):
            return self._delete()
        if cursor.at_keyword("EXISTS") and cursor.at_call():
            cursor.advance()
            cursor.expect("(")
            cursor.expect_keyword("SELECT")
            select = self._select()
            cursor.expect(")")
            return Exists(select)
        raise malformed("Expected data manipulation")

    def _select(self) -> Select:
        cursor = self._cursor
        paths = None if cursor.accept("*") else tuple(self._projection())
        cursor.expect_keyword("FROM")
        table, index = self._source()
        where = self._where()
        orders: list[Order] = []
        if cursor.accept_keyword("ORDER"):
            cursor.expect_keyword("BY")
            orders.append(self._order())
            while cursor.accept(","):
                orders.append(self._order())
        return Select(table, index, paths, where, tuple(orders), frozenset(self._conditions.attributes))

    def _projection(self) -> list[DocumentPath]:
        paths: list[DocumentPath] = []
        while not paths or self._cursor.accept(","):
            if self._cursor.at_call():
                raise invalid(f"Unexpected path component at {self._cursor.place(self._cursor.token)}")
            paths.append(self._cursor.path())
        return paths

    def _order(self) -> Order:
        name = self._cursor.name()
        ascending = not self._cursor.accept_keyword("DESC")
        if ascending:
            self._cursor.accept_keyword("ASC")
        return Order(name, ascending)

    def _source(self) -> tuple[str, str | None]:
        cursor = self._cursor
        table = cursor.name()
        index = cursor.name() if cursor.accept(".") else None
        if cursor.at_symbol("."):
            raise invalid("A path may contain at most 2 components in the FROM clause")
        if cursor.at_symbol(","):
            raise malformed("FROM clause may only contain a single table name")
        token = cursor.token
        if cursor.at_keyword("AS") or token.kind == "quoted" or self._is_name():
            raise invalid("Aliasing is not supported")
        return table, index

    def _is_name(self) -> bool:
        token = self._cursor.token
        return token.kind == "word" and token.text.upper() not in KEYWORDS

    def _table(self) -> str:
        """The table that a statement writes to."""
        if self._cursor.token.kind != "quoted" and not self._is_name():
            raise malformed("Expected identifier for simple path")
        table = self._cursor.name()
        if self._cursor.at_symbol("."):
            raise invalid("This operation is not supported on an index")
        return table

    def _where(self) -> Condition | None:
        return self._conditions.parse() if self._cursor.accept_keyword("WHERE") else None

    def _insert(self) -> Insert:
        cursor = self._cursor
        cursor.expect_keyword("INTO")
        table = self._table()
        cursor.expect_keyword("VALUE")
        if not cursor.at_symbol("{", "?"):
            cursor.fail()
        operand = self._values.operand()
        self._checks.append(OperandCheck("operator or function: VALUE", operand.name, frozenset(("M",))))
        return Insert(table, operand.name)

    def _delete(self) -> Delete:
        if not self._cursor.accept_keyword("FROM"):
            raise malformed("Expected identifier for simple path")
        table = self._table()
        where = self._where()
        start = self._cursor.following
        returning = self._returning()
        if returning not in ("NONE", "ALL_OLD"):
            said = " ".join((start.text.upper(), returning.rpartition("_")[2]))
            allowed = "Only RETURNING ALL OLD * is allowed in DELETE statements."
            raise invalid(f"Invalid returning clause: RETURNING {said} *. {allowed}")
        return Delete(table, where, returning)

    def _update(self) -> Update:
        cursor = self._cursor
        table = self._table()
        while cursor.at_keyword("SET", "REMOVE"):
            action = self._set if cursor.advance().text.upper() == "SET" else self._remove
            action()
            while cursor.accept(","):
                action()
        if not self._paths:
            cursor.fail()
        self._check_disjoint()
        changes = syntax.Update(
            tuple(self._sets),
            tuple(self._removals),
            tuple(self._additions),
            tuple(self._deletions),
            frozenset(str(path[0]) for path in self._paths),
        )
        return Update(table, changes, self._where(), self._returning())

    def _returning(self) -> Returning:
        cursor = self._cursor
        if not cursor.accept_keyword("RETURNING"):
            return "NONE"
        words = (cursor.advance().text.upper(), cursor.advance().text.upper())
        if words not in _RETURNING or not cursor.accept("*"):
            raise malformed("Unexpected term")
        return _RETURNING[words]

    def _remove(self) -> None:
        path = self._cursor.path()
        self._paths.append(path)
        self._removals.append(path)

    def _set(self) -> None:
        cursor = self._cursor
        path = cursor.path()
        self._paths.append(path)
        cursor.expect("=")
        if cursor.at_call() and cursor.token.text.lower() in ("set_add", "set_delete"):
            self._change_set(path)
        else:
            self._sets.append(SetAction(path, self._sum()))

    def _change_set(self, path: DocumentPath) -> None:
        cursor = self._cursor
        call = cursor.advance()
        name = call.text.lower()
        cursor.expect("(")
        first = cursor.path()
        cursor.expect(",")
        second = self._values.operand()
        cursor.expect(")")
        if first != path:
            raise invalid(f"The first argument to {name} must equal the assignment value at {cursor.place(call)}")
        self._checks.append(OperandCheck(f"operator or function: {name}", second.name, SET_TYPES))
        if name == "set_add":
            self._additions.append(AddAction(path, second.name))
        else:
            self._deletions.append(DeleteAction(path, second.name))

    def _sum(self) -> NewValue:
        value = self._new_value()
        while self._cursor.at_symbol("+", "-"):
            operator = self._cursor.advance().text
            value = Arithmetic("+" if operator == "+" else "-", value, self._new_value())
        return value

    def _new_value(self) -> NewValue:
        cursor = self._cursor
        if self._values.at_value():
            return self._values.operand()
        if not cursor.at_call():
            return PathOperand(cursor.path())
        call = cursor.advance()
        if call.text.lower() != "list_append":
            raise invalid(f"Unrecognized function: {call.text} at {cursor.place(call)}")
        cursor.deepen()
        cursor.expect("(")
        left = self._new_value()
        cursor.expect(",")
        right = self._new_value()
        cursor.expect(")")
        cursor.rise()
        return ListAppend(left, right)

    def _check_disjoint(self) -> None:
        for first, second in combinations(self._paths, 2):
            problem = relation(first, second)
            if problem:
                raise invalid(
                    f"Invalid UpdateExpression: Two document paths {problem} with each other; must remove or rewrite "
                    f"one of these paths; path one: {path_text(first)}, path two: {path_text(second)}"
                )
