"""Where code takes what `state.get` returns as Motia's Python SDK gave it: with the value under `data`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache

from treadle_infra.app.findings import Finding, SourceLocation, warning
from treadle_infra.discovery.source import ParseProblem, Sources, parse


def state_idiom_findings(sources: Sources, files: Iterable[str]) -> Iterator[Finding]:
    """A warning for each file that looks for `data` in what `state.get` returned, at the first such place."""
    for path in files:
        line = _line_of(sources.content(path))
        if line is not None:
            yield warning(
                "state-value-unwrapped",
                "`data` is looked for in what `state.get` returned; without `motia-state-values` that is the stored "
                "value itself, or None",
                SourceLocation(path, line),
                'set `compatibility = ["motia-state-values"]`, unless the stored value has a `data` of its own',
            )


@lru_cache(maxsize=4096)
def _line_of(content: bytes) -> int | None:
    if b"state" not in content or b"data" not in content:
        return None
    tree = parse(content)
    if isinstance(tree, ParseProblem):
        return None
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lines = [line for function in functions for line in _lines_in(function)]
    return min(lines, default=None)


def _lines_in(function: ast.AST) -> Iterator[int]:
    nodes = list(ast.walk(function))
    names = {name for node in nodes for name in _assigned(node)}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value="data"), *_]):
                pass
            case ast.Subscript(value=value, slice=ast.Constant(value="data"), ctx=ast.Load()):
                pass
            case ast.Compare(left=ast.Constant(value="data"), ops=[ast.In() | ast.NotIn()], comparators=[value]):
                pass
            case _:
                continue
        if _is_state_get(value) or (isinstance(value, ast.Name) and value.id in names):
            yield node.lineno


def _assigned(node: ast.AST) -> Iterator[str]:
    """The name that the node gives to what `state.get` returned."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_state_get(value):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _is_state_get(value):
            yield name
        case ast.NamedExpr(target=ast.Name(id=name), value=value) if _is_state_get(value):
            yield name
        case _:
            pass


def _is_state_get(value: ast.expr) -> bool:
    """True for `await ...state.get(...)`, also with an `or` behind it."""
    if isinstance(value, ast.BoolOp):
        return _is_state_get(value.values[0])
    match value:
        case ast.Await(value=ast.Call(func=ast.Attribute(value=owner, attr="get"))):
            match owner:
                case ast.Attribute(attr="state") | ast.Name(id="state"):
                    return True
                case _:
                    return False
        case _:
            return False
