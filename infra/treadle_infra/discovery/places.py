"""Where the keys of a `config` stand in its file, so that a finding can point at the line that is wrong."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from treadle_infra.app.findings import SourceLocation
from treadle_infra.discovery.source import ParseProblem, parse

Keys = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class ConfigPlaces:
    """Lines of one file; `literal` is what `config` is assigned, where that is written out."""

    path: str
    config_line: int
    handler_line: int
    literal: ast.expr | None

    @property
    def config(self) -> SourceLocation:
        return SourceLocation(self.path, self.config_line)

    @property
    def handler(self) -> SourceLocation:
        return SourceLocation(self.path, self.handler_line)

    def has(self, key: str) -> bool:
        """True where the key is written out in the file."""
        return _inside(self.literal, key) is not None

    def of(self, *keys: str | int) -> SourceLocation:
        """The line of `config[keys[0]][keys[1]]...`, or of the last of these that is written out in the file."""
        line, value = self.config_line, self.literal
        for key in keys:
            found = _inside(value, key)
            if found is None:
                break
            line, value = found
        return SourceLocation(self.path, line)


def config_places(path: str, content: bytes) -> ConfigPlaces:
    """The places in the file at `path` with this content."""
    config_line, handler_line, literal = _definitions(content)
    return ConfigPlaces(path, config_line or 1, handler_line or config_line or 1, literal)


def definition_line(content: bytes, name: str) -> int:
    """The line that defines a function, or assigns or imports the name, in a file with this content; else the first."""
    tree = parse(content)
    for node in () if isinstance(tree, ParseProblem) else reversed(tree.body):
        match node:
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found):
                names = {found}
            case ast.Assign(targets=[ast.Name(id=found)]):
                names = {found}
            case ast.ImportFrom(names=imported):
                names = {alias.asname or alias.name for alias in imported}
            case _:
                continue
        if name in names:
            return node.lineno
    return 1


def defined_functions(content: bytes) -> list[str]:
    """The functions that a file with this content defines."""
    tree = parse(content)
    body = [] if isinstance(tree, ParseProblem) else tree.body
    return [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@lru_cache(maxsize=4096)
def _definitions(content: bytes) -> tuple[int | None, int | None, ast.expr | None]:
    tree = parse(content)
    config_line: int | None = None
    handler_line: int | None = None
    literal: ast.expr | None = None
    for node in () if isinstance(tree, ParseProblem) else tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="config")], value=value)
                | ast.AnnAssign(target=ast.Name(id="config"), value=value)
            ):
                config_line, literal = node.lineno, value
            case (
                ast.FunctionDef(name="handler")
                | ast.AsyncFunctionDef(name="handler")
                | ast.Assign(targets=[ast.Name(id="handler")])
            ):
                handler_line = node.lineno
            case ast.ImportFrom(names=names):
                bound = {alias.asname or alias.name for alias in names}
                config_line = node.lineno if "config" in bound else config_line
                handler_line = node.lineno if "handler" in bound else handler_line
            case _:
                continue
    return config_line, handler_line, literal


def _inside(value: ast.expr | None, key: str | int) -> tuple[int, ast.expr] | None:
    """The line of `key` and what stands under it; snake_case for camelCase where that is how it is written."""
    match value:
        case ast.Dict(keys=names, values=values):
            for wanted in (key, _snake(key)):
                for name, item in reversed(list(zip(names, values, strict=True))):  # the last one counts
                    if isinstance(name, ast.Constant) and str(name.value) == str(wanted):
                        return name.lineno, item
        case ast.Call(keywords=keywords):
            for keyword in keywords:
                if keyword.arg is not None and keyword.arg in (key, _snake(key)):
                    return keyword.value.lineno, keyword.value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            if isinstance(key, int) and key < len(items):
                return items[key].lineno, items[key]
        case _:
            return None
    return None


def _snake(key: str | int) -> str | int:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in key) if isinstance(key, str) else key
