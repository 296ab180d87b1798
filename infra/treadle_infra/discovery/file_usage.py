"""What one file does with the context: which expressions are its state, its streams, its `emit`, and where they go.

Names are followed through assignments, function by function; whatever is handed on to where it cannot be followed
counts as all that could be done with it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from treadle_infra.app.model import TableOperation
from treadle_infra.discovery.source import ParseProblem, parse
from treadle_infra.discovery.texts import Scope, Text, class_constants, texts_of

CONTEXT_NAMES = frozenset({"context", "ctx", "_context", "_ctx"})

_STATE: frozenset[TableOperation] = frozenset({"get", "set", "update", "delete", "get_group", "list_groups", "clear"})
_STREAM: frozenset[TableOperation] = frozenset({*_STATE, "send"})
_OPERATIONS: Mapping[str, TableOperation] = {
    **{name: name for name in _STREAM},
    "getGroup": "get_group",
    "get_with_version": "get",
    "list": "get_group",
}
"""What the methods of state and streams do to a table, by their names."""


@dataclass(frozen=True, slots=True)
class StreamUse:
    name: str
    operations: frozenset[TableOperation]
    line: int


@dataclass(frozen=True, slots=True)
class EmitUse:
    """`topic` None: computed. Else a literal, or (`is_literal` False) the dotted name of a constant elsewhere."""

    line: int
    topic: str | None = None
    is_literal: bool = True


@dataclass(frozen=True, slots=True)
class ContextArgument:
    """A context is handed to the function `callee` at this position or under this keyword."""

    callee: str
    parameter: int | str


@dataclass(frozen=True, slots=True)
class FileUsage:
    """`defined`: names of functions and classes; `constants`: texts of the module and its classes, by dotted name."""

    state: frozenset[TableOperation] = frozenset()
    streams: tuple[StreamUse, ...] = ()
    any_stream: frozenset[TableOperation] = frozenset()
    emits: tuple[EmitUse, ...] = ()
    handed_on: frozenset[ContextArgument] = frozenset()
    defined: frozenset[str] = frozenset()
    constants: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=4096)
def usage_of_file(
    content: bytes, is_step: bool, context_arguments: frozenset[ContextArgument] = frozenset()
) -> FileUsage:
    """The usage in a file with this content. In a step the last parameter of `handler` is a context by its place."""
    tree = parse(content)
    if isinstance(tree, ParseProblem):
        return FileUsage()
    reader = _Reader(is_step, context_arguments)
    try:
        reader.read(tree)
    except RecursionError:
        return FileUsage(state=_STATE, any_stream=_STREAM, emits=(EmitUse(1),))
    return FileUsage(
        state=frozenset(reader.state),
        streams=tuple(
            StreamUse(name, frozenset(ops), reader.stream_lines[name]) for name, ops in reader.streams.items()
        ),
        any_stream=frozenset(reader.any_stream),
        emits=tuple(dict.fromkeys(reader.emits)),
        handed_on=frozenset(reader.handed_on),
        defined=frozenset(reader.defined),
        constants=tuple(class_constants(tree)),
    )


_Part = Literal["state", "streams", "emit"]
_PARTS: dict[str, _Part] = {"state": "state", "streams": "streams", "emit": "emit", "enqueue": "emit"}
"""Attributes of the context that matter here."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an expression is. `likely`: an attribute of that name on something that is not known to be a context."""

    what: Literal["context", "stream", "any_stream", "motia", "stream_class"] | _Part
    name: str = ""
    likely: bool = False


Kinds = frozenset[Kind]

_NOTHING: Kinds = frozenset()
_CONTEXT = frozenset({Kind("context")})
_OF_MOTIA = {
    "emit": Kind("emit"),
    "enqueue": Kind("emit"),
    "stateManager": Kind("state", "motia"),
    "state_manager": Kind("state", "motia"),
    "Stream": Kind("stream_class"),
}
"""What acts among the names of Motia 1.0's module; `set` of its state manager returns what was there."""


@dataclass(slots=True)
class _Scope:
    """The names of one function (or of the module): what each may be."""

    parent: _Scope | None = None
    names: Scope = field(default_factory=Scope)
    kinds: dict[str, set[Kind]] = field(default_factory=dict[str, set[Kind]])

    def kinds_of(self, name: str) -> Kinds:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.kinds:
                return frozenset(scope.kinds[name])
            if name in scope.names.parameters:
                return _NOTHING
            scope = scope.parent
        return _CONTEXT if name in CONTEXT_NAMES else _NOTHING

    def bind(self, name: str, kinds: Kinds) -> None:
        if kinds:
            self.kinds.setdefault(name, set()).update(kinds)


class _Reader:
    """Goes over the file twice: first it learns what names stand for, then it takes down what is done with them."""

    def __init__(self, is_step: bool, context_arguments: frozenset[ContextArgument]) -> None:
        self.state: set[TableOperation] = set()
        self.streams: dict[str, set[TableOperation]] = {}
        self.stream_lines: dict[str, int] = {}
        self.any_stream: set[TableOperation] = set()
        self.emits: list[EmitUse] = []
        self.handed_on: set[ContextArgument] = set()
        self.defined: set[str] = set()
        self._is_step = is_step
        self._arguments = context_arguments
        self._handlers = {"handler"}
        self._scopes: dict[ast.AST, _Scope] = {}
        self._attributes: dict[str, set[Kind]] = {}
        self._scope = _Scope()
        self._class: str | None = None
        self._taking_down = False

    def read(self, tree: ast.Module) -> None:
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id="handler")], value=ast.Name(id=name)):
                    self._handlers.add(name)
                case _:
                    continue
        module = self._scope
        for taking_down in (False, True):
            self._taking_down = taking_down
            self._scope = module
            self._statements(tree.body)

    # statements

    def _statements(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self._statement(node)

    def _statement(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.defined.add(node.name)
                for outside in (*node.decorator_list, *_defaults(node.args)):
                    self._use(outside, escapes=True)
                self._function(node, node.args, node.body)
            case ast.ClassDef():
                self.defined.add(node.name)
                for outside in (*node.decorator_list, *node.bases):
                    self._use(outside, escapes=True)
                outer, self._class = self._class, node.name
                self._statements(node.body)
                self._class = outer
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, value)
            case ast.For() | ast.AsyncFor():
                self._loop(node)
                self._statements([*node.body, *node.orelse])
            case ast.ImportFrom(module="motia" | "motia.types" | "motia.step", level=0):
                for alias in node.names:
                    if alias.name in _OF_MOTIA:
                        self._scope.bind(alias.asname or alias.name, frozenset({_OF_MOTIA[alias.name]}))
            case ast.Import():
                for alias in node.names:
                    if alias.name == "motia":
                        self._scope.bind(alias.asname or "motia", frozenset({Kind("motia")}))
            case ast.Expr(value=value):
                self._use(value, escapes=False)
            case ast.expr():
                self._use(node, escapes=True)
            case _:
                self._statements(ast.iter_child_nodes(node))

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        arguments: ast.arguments,
        body: Iterable[ast.AST],
    ) -> None:
        outer = self._scope
        if node not in self._scopes:
            inner = self._scopes[node] = _Scope(outer, Scope(outer.names))
            inner.names.parameters.update(one.arg for one in _parameters(arguments))
            for name in self._context_parameters(node, arguments):
                inner.bind(name, _CONTEXT)
        self._scope = self._scopes[node]
        enclosing, self._class = self._class, None
        self._statements(body)
        self._scope, self._class = outer, enclosing

    def _context_parameters(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, arguments: ast.arguments
    ) -> Iterator[str]:
        positional = [*arguments.posonlyargs, *arguments.args]
        for one in _parameters(arguments):
            if one.arg in CONTEXT_NAMES or (one.annotation is not None and "Context" in ast.unparse(one.annotation)):
                yield one.arg
        if isinstance(node, ast.Lambda):
            return
        is_module_level = self._scope.parent is None and self._class is None
        if self._is_step and is_module_level and node.name in self._handlers and len(positional) > 1:
            yield positional[-1].arg
        callee = self._class if self._class is not None and node.name == "__init__" else node.name
        bound = 1 if self._class is not None and positional[:1] and positional[0].arg in ("self", "cls") else 0
        for argument in self._arguments:
            if argument.callee != callee:
                continue
            if isinstance(argument.parameter, str):
                yield argument.parameter
            elif argument.parameter + bound < len(positional):
                yield positional[argument.parameter + bound].arg

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._use(node.iter, escapes=True)
        if isinstance(node.target, ast.Name):
            choices = node.iter.elts if isinstance(node.iter, ast.List | ast.Tuple | ast.Set) else []
            self._scope.names.assign(node.target.id, choices)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case (ast.Tuple(elts=targets) | ast.List(elts=targets), ast.Tuple(elts=values) | ast.List(elts=values)) if (
                len(targets) == len(values)
            ):
                for one_target, one_value in zip(targets, values, strict=True):
                    self._assign(one_target, one_value)
            case ast.Name(id=name), _:
                self._scope.bind(name, self._kinds(value))
                self._scope.names.assign(name, [value])
                self._use(value, escapes=False)
            case ast.Attribute(attr=name), _:
                kinds = self._kinds(value)
                if kinds and name not in _PARTS:
                    self._attributes.setdefault(name, set()).update(kinds)
                self._use(target.value, escapes=False)
                self._use(value, escapes=False)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value="topic")), _:
                self._scope.names.spoil(name)
                self._use(value, escapes=True)
            case _:
                self._use(value, escapes=True)

    # expressions

    def _kinds(self, node: ast.expr) -> Kinds:
        """What the expression may be; nothing where it is none of the context's parts."""
        match node:
            case ast.Name(id=name):
                return self._scope.kinds_of(name)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(value, name)
            case ast.Subscript(value=value, slice=key):
                return self._subscript(value, key)
            case ast.Call(func=ast.Name(id="getattr"), args=[value, key, *_]):
                return self._getattr(value, key)
            case ast.Call(func=function) if Kind("stream_class") in self._kinds(function):
                return self._made_stream(node)
            case ast.IfExp(body=first, orelse=second):
                return self._kinds(first) | self._kinds(second)
            case ast.BoolOp(values=values):
                return frozenset(kind for value in values for kind in self._kinds(value))
            case ast.NamedExpr(value=value):
                return self._kinds(value)
            case _:
                return _NOTHING

    def _attribute(self, value: ast.expr, name: str) -> Kinds:
        base = self._kinds(value)
        part = _PARTS.get(name)
        if not base:
            if part is not None:
                return frozenset({Kind(part, likely=True)})
            known = self._attributes.get(name)
            return frozenset(known) if known else _CONTEXT if name in CONTEXT_NAMES else _NOTHING
        found: set[Kind] = set()
        for kind in base:
            if kind.what == "context" and part is not None:
                found.add(Kind(part))
            elif kind.what == "motia" and name in _OF_MOTIA:
                found.add(_OF_MOTIA[name])
            elif kind.what == "streams" and not name.startswith("__"):
                found.add(Kind("stream", name, kind.likely))
        return frozenset(found)

    def _made_stream(self, node: ast.Call) -> Kinds:
        """`Stream("todos")`."""
        named = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "name")]
        texts = texts_of(named[0], self._scope.names) if named else ()
        return frozenset(
            Kind("stream", text.text) if text.is_literal else Kind("any_stream")
            for text in texts or (Text("", is_literal=False),)
        )

    def _subscript(self, value: ast.expr, key: ast.expr) -> Kinds:
        if isinstance(key, ast.Constant) and key.value == "treadle.context":
            return _CONTEXT
        base = self._kinds(value)
        if any(kind.what == "context" for kind in base):
            return self._getattr(value, key)
        found: set[Kind] = {kind for kind in base if kind.what == "stream_class"}  # `Stream[Todo]`
        for kind in base:
            if kind.what == "streams":
                found |= {
                    Kind("stream", text.text, kind.likely)
                    if text.is_literal
                    else Kind("any_stream", likely=kind.likely)
                    for text in texts_of(key, self._scope.names) or (Text("", is_literal=False),)
                }
        return frozenset(found)

    def _getattr(self, value: ast.expr, key: ast.expr) -> Kinds:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return self._attribute(value, key.value)
        found: set[Kind] = set()
        for kind in self._kinds(value):
            if kind.what == "context":
                found |= {Kind("state"), Kind("any_stream"), Kind("emit")}
            elif kind.what == "streams":
                found |= self._subscript(value, key)
        return frozenset(found)

    def _use(self, node: ast.expr, *, escapes: bool) -> None:
        """Takes down what is done in the expression; `escapes`: its value goes where it cannot be followed."""
        if escapes:
            self._escape(self._kinds(node), node.lineno)
        match node:
            case ast.Attribute(value=value, attr=name):
                self._operate(value, name, node.lineno)
                self._use(value, escapes=False)
            case ast.Subscript(value=value, slice=key):
                self._use(value, escapes=False)
                self._use(key, escapes=True)
            case ast.Call():
                self._call(node)
            case ast.IfExp(test=test, body=first, orelse=second):
                self._use(test, escapes=False)
                self._use(first, escapes=escapes)
                self._use(second, escapes=escapes)
            case ast.BoolOp(values=values):
                for value in values:
                    self._use(value, escapes=escapes)
            case ast.NamedExpr(target=ast.Name(), value=value):
                self._assign(node.target, value)
            case ast.Compare() | ast.UnaryOp() | ast.FormattedValue():
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._use(child, escapes=False)
            case ast.Await(value=value):
                self._use(value, escapes=escapes)
            case ast.Lambda():
                self._function(node, node.args, [node.body])
            case _:
                self._statements(ast.iter_child_nodes(node))

    def _call(self, node: ast.Call) -> None:
        is_getattr = isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1
        if is_getattr and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
            self._operate(node.args[0], node.args[1].value, node.lineno)
        elif is_getattr:
            self._operate_any(node.args[0], node.lineno)
        emits = [kind for kind in self._kinds(node.func) if kind.what == "emit"]
        if emits:
            self._emit(node, all(kind.likely for kind in emits))
        callee = _last_name(node.func)
        self._use(node.func, escapes=False)
        for position, argument in enumerate(node.args):
            self._hand_on(argument, callee, position)
            self._use(argument, escapes=not (is_getattr and position == 0))
        for keyword in node.keywords:
            self._hand_on(keyword.value, callee, keyword.arg)
            self._use(keyword.value, escapes=True)

    def _hand_on(self, argument: ast.expr, callee: str | None, parameter: int | str | None) -> None:
        if callee is not None and parameter is not None and Kind("context") in self._kinds(argument):
            self.handed_on.add(ContextArgument(callee, parameter))

    # taking down

    def _operate(self, value: ast.expr, name: str, line: int) -> None:
        """`value.name`: where `name` is an operation and `value` the state or a stream, it is one that is done."""
        operation = _OPERATIONS.get(name)
        if operation is None or not self._taking_down:
            return
        for kind in self._kinds(value):
            if kind.what == "state" and operation in _STATE:
                self.state.add("update" if kind.name == "motia" and operation == "set" else operation)
            elif operation in _STREAM:
                self._on_stream(kind, {operation}, line)

    def _operate_any(self, value: ast.expr, line: int) -> None:
        self._escape(frozenset(kind for kind in self._kinds(value) if kind.what != "streams"), line)

    def _escape(self, kinds: Kinds, line: int) -> None:
        if not self._taking_down:
            return
        for kind in kinds:
            if kind.likely or kind.what in ("motia", "stream_class"):
                continue
            if kind.what == "state":
                self.state |= _STATE
            elif kind.what == "emit":
                self.emits.append(EmitUse(line))
            else:
                self._on_stream(kind, _STREAM, line)

    def _on_stream(self, kind: Kind, operations: Iterable[TableOperation], line: int) -> None:
        if kind.what == "stream":
            self.streams.setdefault(kind.name, set()).update(operations)
            self.stream_lines.setdefault(kind.name, line)
        elif kind.what in ("streams", "any_stream") and not (kind.what == "streams" and kind.likely):
            self.any_stream.update(operations)

    def _emit(self, node: ast.Call, is_likely: bool) -> None:
        """Takes down the topics of a call to `emit`; one that is only likely counts where it is clearly one of ours."""
        if not self._taking_down:
            return
        events = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "event")]
        topics = [keyword.value for keyword in node.keywords if keyword.arg == "topic"] if not events else []
        complete = bool(events or topics)
        for event in events:
            inside = self._scope.names.topics_in(event)
            complete = complete and inside is not None
            topics += inside or []
        if is_likely and not topics:
            return
        for topic in topics:
            texts = texts_of(topic, self._scope.names)
            complete = complete and bool(texts)
            self.emits += [EmitUse(node.lineno, text.text, text.is_literal) for text in texts or ()]
        if not complete:
            self.emits.append(EmitUse(node.lineno))


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def _last_name(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return None
