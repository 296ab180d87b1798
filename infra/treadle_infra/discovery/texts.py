"""Which texts an expression can be, as far as its source says: literals, names of constants, choices between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Text:
    """A literal; or, with `is_literal` False, the dotted name of what may be a constant in another file."""

    text: str
    is_literal: bool = True


@dataclass(slots=True)
class Scope:
    """The names of one function (or of the module): what each is assigned, as long as that can be told."""

    parent: Scope | None = None
    parameters: set[str] = field(default_factory=set[str])
    values: dict[str, list[ast.expr]] = field(default_factory=dict[str, list[ast.expr]])
    assigned_at: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    spoilt: set[str] = field(default_factory=set[str])

    def assign(self, name: str, choices: Sequence[ast.expr]) -> None:
        """The name is one of `choices` from now on; two assignments make it untold, none of them known likewise."""
        places = self.assigned_at.setdefault(name, set())
        places.add(id(choices[0]) if choices else -1)
        if len(places) > 1 or not choices:
            self.spoilt.add(name)
        self.values[name] = list(choices)

    def spoil(self, name: str) -> None:
        """The name is no longer what it was assigned."""
        self.spoilt.add(name)

    def choices(self, name: str) -> list[ast.expr] | None:
        """What the name is assigned: None where it cannot be told, nothing where it is assigned nowhere in the file."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.spoilt or (name in scope.parameters and name not in scope.values):
                return None
            if name in scope.values:
                return None if name in scope.parameters else scope.values[name]
            scope = scope.parent
        return []

    def topics_in(self, event: ast.expr, depth: int = 0) -> list[ast.expr] | None:
        """The expressions that stand as the topic in an event's dict; None where the dict cannot be told."""
        if depth > _DEPTH:
            return None
        match event:
            case ast.Dict(keys=keys, values=values):
                return _topic_values(keys, values)
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                topics = [keyword.value for keyword in keywords if keyword.arg == "topic"]
                return topics or None
            case ast.Name(id=name):
                return self._all_topics_in(self.choices(name) or (), depth)
            case ast.IfExp(body=first, orelse=second):
                return self._all_topics_in((first, second), depth)
            case _:
                return None

    def _all_topics_in(self, events: Sequence[ast.expr], depth: int) -> list[ast.expr] | None:
        topics: list[ast.expr] = []
        for event in events:
            inside = self.topics_in(event, depth + 1)
            if inside is None:
                return None
            topics += inside
        return topics or None


def _topic_values(keys: Sequence[ast.expr | None], values: Sequence[ast.expr]) -> list[ast.expr] | None:
    """The topic of a dict literal; None where there is none or where a `**` behind it may put another in its place."""
    topic: ast.expr | None = None
    for key, value in zip(keys, values, strict=True):
        if key is None:
            topic = None
        elif isinstance(key, ast.Constant) and key.value == "topic":
            topic = value
    return None if topic is None else [topic]


def texts_of(node: ast.expr, scope: Scope, depth: int = 0) -> tuple[Text, ...] | None:
    """All texts that the expression can be; None where that cannot be told."""
    if depth > _DEPTH:
        return None
    match node:
        case ast.Constant(value=str(text)):
            return (Text(text),)
        case ast.IfExp(body=first, orelse=second):
            return _together((first, second), scope, depth)
        case ast.JoinedStr(values=parts):
            return _joined(parts, scope, depth)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined((left, right), scope, depth)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return texts_of(value, scope, depth + 1)
        case ast.Name(id=name):
            choices = scope.choices(name)
            if choices is None:
                return None
            return _together(choices, scope, depth) if choices else (Text(name, is_literal=False),)
        case ast.Attribute():
            dotted = _dotted(node)
            return (
                (Text(dotted, is_literal=False),) if dotted and scope.choices(dotted.partition(".")[0]) == [] else None
            )
        case _:
            return None


def _together(nodes: Sequence[ast.expr], scope: Scope, depth: int) -> tuple[Text, ...] | None:
    found: list[Text] = []
    for node in nodes:
        texts = texts_of(node, scope, depth + 1)
        if texts is None:
            return None
        found += texts
    return tuple(dict.fromkeys(found))


def _joined(parts: Sequence[ast.expr], scope: Scope, depth: int) -> tuple[Text, ...] | None:
    """A concatenation whose every part is one literal."""
    text = ""
    for part in parts:
        texts = texts_of(part, scope, depth + 1)
        if texts is None or len(texts) != 1 or not texts[0].is_literal:
            return None
        text += texts[0].text
    return (Text(text),)


def _dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            base = _dotted(value)
            return None if base is None else f"{base}.{name}"
        case _:
            return None


def class_constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The texts that are assigned in the module (`SENT`) and in its classes (`Topics.SENT`), by these names."""
    yield from _assigned_texts(tree.body, "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _assigned_texts(node.body, f"{node.name}.")


def _assigned_texts(nodes: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                yield f"{prefix}{name}", text
            case _:
                continue
