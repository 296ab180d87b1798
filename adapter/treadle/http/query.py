"""Query strings and urlencoded bodies as Express reads them (the `qs` package, extended form), so as Motia shows them.

Hand-written because `urllib.parse` costs as much at a cold start as the rest of an api step's imports.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    QueryValue: TypeAlias = str | list["QueryValue"] | dict[str, "QueryValue"]
    Node: TypeAlias = "str | _Array | dict[str, Node]"

_DEPTH_LIMIT = 5
_INDEX_LIMIT = 20
_PARAMETER_LIMIT = 1000
"""Source: https://github.com/ljharb/qs#parsing-objects (defaults of depth, arrayLimit and parameterLimit)"""

_BRACKETS = r"\[[^\[\]]*\]"
_ESCAPE = rb"%([0-9A-Fa-f]{2})"


class _Array(dict[int, "Node"]):
    """A list in the making: indexes may come in any order and leave holes, which vanish at the end."""

    def push(self, value: Node) -> None:
        self[max(self, default=-1) + 1] = value


def parse_query(text: str) -> dict[str, QueryValue]:
    """`a=1&a=2&b[c]=3` as `{"a": ["1", "2"], "b": {"c": "3"}}`: values are texts, lists or dicts."""
    return _tree(_collected(_pairs(text))) if text else {}


def parse_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, QueryValue]:
    """Names and values, decoded already, as those of a query string: `("c[d]", "4")` is `{"c": {"d": "4"}}`."""
    return _tree(_collected(pairs))


def _tree(pairs: dict[str, Node]) -> dict[str, QueryValue]:
    tree: dict[str, Node] = {}
    for key, value in pairs.items():
        first = key.find("[")
        if first < 0:
            _merge_field(tree, key, value)
        else:
            name, branch = _branch(key, value)
            _merge_field(tree, name, branch)
    return {key: _finished(value) for key, value in tree.items()}


def unquote(text: str) -> str:
    """`text` with `+` as space and percent escapes resolved; escapes that are no UTF-8 are left as they stand."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    resolved, escapes = re.subn(_ESCAPE, _byte, text.encode("utf-8", "surrogatepass"))
    if escapes != text.count("%"):
        return text
    try:
        return resolved.decode("utf-8")
    except UnicodeDecodeError:
        return text


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes((int(match[1], 16),))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Keys as they stand, decoded, each with its value."""
    for part in text.split("&", _PARAMETER_LIMIT)[:_PARAMETER_LIMIT]:
        if not part:
            continue
        part = part.replace("%5B", "[").replace("%5b", "[").replace("%5D", "]").replace("%5d", "]")
        bracket = part.find("]=")
        split = bracket + 1 if bracket >= 0 else part.find("=")
        key, value = (part, "") if split < 0 else (part[:split], part[split + 1 :])
        yield unquote(key), unquote(value)


def _collected(given: Iterable[tuple[str, str]]) -> dict[str, Node]:
    """Each key with its value; one that repeats has the array of its values."""
    pairs: dict[str, Node] = {}
    for key, value in given:
        if key in pairs:
            pairs[key] = _combined(pairs[key], value)
        elif key:
            pairs[key] = value
    return pairs


def _combined(first: Node, second: Node) -> _Array:
    array = first if isinstance(first, _Array) else _Array({0: first})
    array.push(second)
    return array


def _branch(key: str, value: Node) -> tuple[str, Node]:
    """The first part of `a[b][]`, and the value nested below it."""
    brackets = list(re.finditer(_BRACKETS, key))
    if not brackets:
        return key, value
    root = key[: brackets[0].start()]
    chain = [match[0] for match in brackets[:_DEPTH_LIMIT]]
    if len(brackets) > _DEPTH_LIMIT:
        chain.append(f"[{key[brackets[_DEPTH_LIMIT].start() :]}]")
    if not root:
        root = chain.pop(0)[1:-1]
    for part in reversed(chain):
        value = _nested(part[1:-1], value)
    return root, value


def _nested(name: str, value: Node) -> Node:
    if name == "":
        return value if isinstance(value, _Array) else _Array({0: value})
    if len(name) <= 2 and name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= _INDEX_LIMIT:
        return _Array({int(name): value})
    return {name: value}


def _merge_field(target: dict[str, Node], name: str, value: Node) -> None:
    target[name] = _merged(target[name], value) if name in target else value


def _merged(target: Node, source: Node) -> Node:
    if isinstance(target, str):
        array = _Array({0: target})
        if isinstance(source, _Array):
            for value in source.values():
                array.push(value)
        else:
            array.push(source)
        return array
    if isinstance(source, str):
        if isinstance(target, _Array):
            target.push(source)
        else:
            target[source] = "true"
        return target
    if isinstance(target, _Array) and isinstance(source, _Array):
        return _merged_arrays(target, source)
    fields = _fields(target)
    for name, value in _fields(source).items():
        _merge_field(fields, name, value)
    return fields


def _merged_arrays(target: _Array, source: _Array) -> _Array:
    for index, value in source.items():
        held = target.get(index)
        if held is None:
            target[index] = value
        elif isinstance(held, str) or isinstance(value, str):
            target.push(value)
        else:
            target[index] = _merged(held, value)
    return target


def _fields(node: _Array | dict[str, Node]) -> dict[str, Node]:
    return {str(key): value for key, value in node.items()}


def _finished(node: Node) -> QueryValue:
    if isinstance(node, str):
        return node
    if isinstance(node, _Array):
        return [_finished(node[index]) for index in sorted(node)]
    return {name: _finished(value) for name, value in node.items()}
