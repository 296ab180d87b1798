"""Expression text to trees."""

from __future__ import annotations

from treadle_local.dynamodb.condition_parser import ConditionParser
from treadle_local.dynamodb.syntax import Condition, DocumentPath, Parsed, Projection, Update
from treadle_local.dynamodb.tokens import Cursor, check_disjoint
from treadle_local.dynamodb.update_parser import UpdateParser

# Name placeholders as a hashable: the items of ExpressionAttributeNames.
Names = tuple[tuple[str, str], ...]


def parse_condition(kind: str, text: str, names: Names) -> Parsed[Condition]:
    """The condition in the text of a condition, filter or key condition expression.

    Raises: ValidationException.
    """
    cursor = Cursor(kind, text, dict(names))
    parser = ConditionParser(cursor)
    tree = parser.parse()
    return Parsed(
        tree,
        frozenset(cursor.used_names),
        tuple(cursor.used_values),
        frozenset(cursor.attributes),
        tuple(cursor.checks),
        tuple(parser.ranges),
    )


def parse_update(text: str, names: Names) -> Parsed[Update]:
    """The sections in the text of an update expression.

    Raises: ValidationException.
    """
    cursor = Cursor("UpdateExpression", text, dict(names))
    tree = UpdateParser(cursor).parse()
    return Parsed(
        tree,
        frozenset(cursor.used_names),
        tuple(cursor.used_values),
        frozenset(cursor.attributes),
        tuple(cursor.checks),
    )


def parse_projection(text: str, names: Names) -> Parsed[Projection]:
    """The paths in the text of a projection expression.

    Raises: ValidationException.
    """
    cursor = Cursor("ProjectionExpression", text, dict(names))
    paths: list[DocumentPath] = [cursor.path()]
    while cursor.accept(","):
        paths.append(cursor.path())
    cursor.expect_end()
    check_disjoint(cursor, paths)
    tree = Projection(tuple(paths), all(len(path) == 1 for path in paths))
    return Parsed(tree, frozenset(cursor.used_names), (), frozenset(cursor.attributes), ())
