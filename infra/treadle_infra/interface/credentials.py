"""How a step's callers say who they are, as far as its source shows it: the headers that it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Literal

from treadle_infra.discovery.source import ParseProblem, Sources, parse

Credentials = Literal["bearer", "basic", "apiKey"]

_HEADERS = ("authorization", "x-api-key")


def credentials_of(sources: Sources, files: Iterable[str]) -> tuple[Credentials, ...]:
    """What these files of a project read from a request, sorted; nothing for those that read no such header."""
    found: set[Credentials] = set()
    for path in files:
        tree = parse(sources.content(path)) if path.endswith(".py") else None
        if tree is None or isinstance(tree, ParseProblem):
            continue
        headers = set(_read_keys(tree))
        if "authorization" in headers:
            found.add("basic" if _speaks_of_basic(tree) else "bearer")
        if "x-api-key" in headers:
            found.add("apiKey")
    return tuple(sorted(found))


def _read_keys(tree: ast.Module) -> Iterator[str]:
    """The headers among the literal keys that are read from something: `x["key"]`, `x.get("key")`, `"key" in x`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str(key)), ctx=ast.Load()):
                pass
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
                pass
            case ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()]):
                pass
            case _:
                continue
        if key.lower() in _HEADERS:
            yield key.lower()


def _speaks_of_basic(tree: ast.Module) -> bool:
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return any(text.lower().startswith("basic ") or text.lower() == "basic" for text in texts)
