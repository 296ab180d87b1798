"""The imports that one file makes, found in its syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from treadle_infra.discovery.source import ParseProblem, parse

_TOLERANT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_LOADS_BY_PATH = frozenset({"spec_from_file_location", "run_path", "run_module"})


@dataclass(frozen=True, slots=True)
class Import:
    """`import module` or `from module import names`; `level` counts leading dots, `is_optional`: a miss is caught."""

    module: str
    line: int
    names: tuple[str, ...] = ()
    level: int = 0
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class FileImports:
    """`computed_lines`: where a module is imported whose name only the running program knows."""

    imports: tuple[Import, ...] = ()
    computed_lines: tuple[int, ...] = ()
    star_names: tuple[str, ...] = ()
    problem: ParseProblem | None = None


@lru_cache(maxsize=4096)
def imports_of(content: bytes) -> FileImports:
    """What a file with this content imports when it runs, in functions too; not what it does for a type checker only.

    `star_names` are the names in its `__all__`.
    """
    tree = parse(content)
    if isinstance(tree, ParseProblem):
        return FileImports(problem=tree)
    collector = _Collector()
    try:
        collector.visit(tree)
    except RecursionError:
        return FileImports(problem=ParseProblem("an expression is nested too deeply"))
    return FileImports(tuple(collector.imports), tuple(collector.computed_lines), tuple(collector.star_names))


class _Collector(ast.NodeVisitor):
    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.computed_lines: list[int] = []
        self.star_names: list[str] = []
        self._optional = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._add(node.module or "", node.lineno, tuple(alias.name for alias in node.names), node.level)

    def _add(self, module: str, line: int, names: tuple[str, ...] = (), level: int = 0) -> None:
        self.imports.append(Import(module, line, names, level, self._optional > 0))

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            elements = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
            self.star_names += [name for element in elements if (name := _text(element)) is not None]
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if _is_type_checking(node.test):
            self._visit_all(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        tolerant = any(handler.type is None or _names(handler.type) & _TOLERANT for handler in node.handlers)
        self._optional += tolerant
        self._visit_all(node.body)
        self._optional -= tolerant
        self._visit_all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_Call(self, node: ast.Call) -> None:
        called = _names(node.func)
        if called & {"import_module", "__import__"} and node.args:
            name = _text(node.args[0])
            if name is None:
                self.computed_lines.append(node.lineno)
            else:
                level = len(name) - len(name.lstrip("."))
                self._add(name[level:], node.lineno, level=level)
        elif called & _LOADS_BY_PATH:
            self.computed_lines.append(node.lineno)
        self.generic_visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _names(node: ast.expr) -> set[str]:
    """The last part of a dotted name, or of each in a tuple."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.Tuple(elts=elements):
            return {name for element in elements for name in _names(element)}
        case _:
            return set()


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in _names(test) or (isinstance(test, ast.Constant) and test.value is False)
