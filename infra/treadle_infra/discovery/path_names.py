"""The paths that a file's code names: what it reads and writes, as far as its source says.

`open("data/x.json")`, `Path(__file__).parent / f"{name}.txt"`, `FileSystemLoader("templates")` and their like.
"""

from __future__ import annotations

import ast
import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from treadle_infra.discovery.source import ParseProblem, parse

_DEPTH = 8
_CHOICES = 8
_ITSELF = "\0"
"""The segment that stands for the file whose path `__file__` is."""
_TEXT_MARKS = (b"open(", b"Path", b"__file__", b"os.", b"glob", b"Loader", b"irectory", b"connect(")
"""A file with none of these names no path; most steps are told so without a look at their syntax."""

_SAME = frozenset({"str", "fspath", "abspath", "realpath", "normpath", "resolve", "absolute", "expanduser", "as_posix"})
_PATHS = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath"})
_HERE = frozenset({"cwd", "getcwd"})
_TAKES_PATHS = frozenset(
    {"open", "listdir", "scandir", "walk", "glob", "iglob", "FileSystemLoader", "Jinja2Templates", "StaticFiles"}
    | {"exists", "isfile", "isdir", "getsize", "from_file", "read_csv", "read_json", "load_dotenv"}
)
_PATH_KEYWORDS = frozenset(
    {"directory", "file", "filename", "filepath", "folder", "path", "searchpath", "template_dir"}
)
_CONNECTS = frozenset({"sqlite3", "aiosqlite"})


@dataclass(frozen=True, slots=True)
class NamedPath:
    """`pattern` has `*` for what only the running program knows; it begins at the folder of the file, or the project's.

    `is_path` False: any text of the source, which may be a path or not.
    """

    base: Literal["file", "project"]
    pattern: str
    is_path: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """A path that is opened for writing there."""

    path: NamedPath
    line: int


@dataclass(frozen=True, slots=True)
class PathNames:
    """`named` are the paths that may be read; what is also written is in `written`."""

    named: tuple[NamedPath, ...] = ()
    written: tuple[Written, ...] = ()


@lru_cache(maxsize=4096)
def path_names(content: bytes) -> PathNames:
    """The paths that a Python file with this content names."""
    if not any(mark in content for mark in _TEXT_MARKS):
        return PathNames()
    tree = parse(content)
    if isinstance(tree, ParseProblem):
        return PathNames()
    collector = _Collector(tree)
    try:
        collector.visit(tree)
    except RecursionError:
        return PathNames()
    return PathNames(tuple(dict.fromkeys(collector.named)), tuple(dict.fromkeys(collector.written)))


class _Collector(ast.NodeVisitor):
    """Records the largest expressions that are paths, and not what they are put together from."""

    def __init__(self, tree: ast.Module) -> None:
        self._values = _Values(tree)
        self.named: list[NamedPath] = []
        self.written: list[Written] = []

    def visit(self, node: ast.AST) -> None:
        match node:
            case ast.Call(func=function, args=arguments, keywords=keywords):
                self._call(node, _last_name(function), arguments, keywords)
            case ast.Assign(targets=[ast.Name(id=name)]) if name in self._values.used:
                if not isinstance(node.value, ast.Constant):
                    self._inside(node.value)  # the path is recorded where the name is used
            case ast.Name() | ast.BinOp() | ast.JoinedStr() | ast.Constant() | ast.Attribute() | ast.Subscript():
                self._expression(node)
            case _:
                self.generic_visit(node)

    def _inside(self, node: ast.expr) -> None:
        if not self._values.of(node):
            self.visit(node)

    def _expression(self, node: ast.expr) -> None:
        values = self._values.of(node)
        if values:
            self.named += values
        else:
            self.generic_visit(node)

    def _call(
        self, node: ast.Call, function: str, arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword]
    ) -> None:
        if values := self._values.of(node):
            self.named += values
            return
        path = node.func.value if isinstance(node.func, ast.Attribute) else None
        if _writes(node, function):
            targets = [one for one in (path, *arguments[:1]) if one is not None and self._values.of(one)]
            written = [_as_path(one) for target in targets[:1] for one in self._values.of(target)]
            self.written += [Written(one, node.lineno) for one in written]
            if written:
                return
        takes = function in _TAKES_PATHS
        if path is not None:
            self.visit(path)
        for argument in arguments:
            self._argument(argument, takes)
        for keyword in keywords:
            self._argument(keyword.value, takes or keyword.arg in _PATH_KEYWORDS)

    def _argument(self, node: ast.expr, is_path: bool) -> None:
        values = self._values.of(node) if is_path else ()
        if values:
            self.named += [_as_path(one) for one in values]
        else:
            self.visit(node)


class _Values:
    """What expressions are as paths."""

    def __init__(self, tree: ast.Module) -> None:
        self._assigned: defaultdict[str, list[ast.expr]] = defaultdict(list)
        self.used: set[str] = set()
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._assigned[_target(target)].append(value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assigned[_target(target)].append(value)
                case ast.arguments(args=names, defaults=defaults) if defaults:
                    for name, value in zip(names[-len(defaults) :], defaults, strict=True):
                        self._assigned[name.arg].append(value)
                case ast.Name(id=name, ctx=ast.Load()):
                    self.used.add(name)
                case _:
                    pass

    def of(self, node: ast.expr, depth: int = 0) -> tuple[NamedPath, ...]:
        """The paths that it can be; none where it is none, or where nothing of it is known."""
        if depth > _DEPTH:
            return ()

        def inside(part: ast.expr) -> tuple[NamedPath, ...]:
            return self.of(part, depth + 1)

        match node:
            case ast.Constant(value=str(text)):
                return (NamedPath("project", text, is_path=False),)
            case ast.Name(id="__file__"):
                return (NamedPath("file", _ITSELF),)
            case ast.Name(id=name):
                return self._any_of(self._assigned.get(name, ()), inside)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self._any_of(self._assigned.get(f"self.{name}", ()), inside)
            case ast.Attribute(value=value, attr="parent"):
                return _parents(inside(value), 1)
            case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(above))):
                return _parents(inside(value), above + 1)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return _joined(inside(left), [self._known(right, depth)])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _added([inside(left), self._known(right, depth)])
            case ast.JoinedStr(values=parts):
                return _added([self._known(part, depth) for part in parts])
            case ast.IfExp(body=first, orelse=second):
                return self._any_of((first, second), inside)
            case ast.BoolOp(values=choices):
                return self._any_of(choices, inside)
            case ast.Call(func=function, args=arguments):
                return self._call(function, arguments, inside, depth)
            case _:
                return ()

    def _call(
        self,
        function: ast.expr,
        arguments: list[ast.expr],
        inside: Callable[[ast.expr], tuple[NamedPath, ...]],
        depth: int,
    ) -> tuple[NamedPath, ...]:
        name = _last_name(function)
        on = inside(function.value) if isinstance(function, ast.Attribute) else ()
        rest = [self._known(argument, depth) for argument in arguments[1:]]
        if name in _HERE and not arguments:
            return (NamedPath("project", ""),)
        if name in _PATHS:
            return (
                tuple(map(_as_path, _joined(inside(arguments[0]), rest))) if arguments else (NamedPath("project", ""),)
            )
        if name == "joinpath" and on:
            return _joined(on, [self._known(argument, depth) for argument in arguments])
        if name == "join" and arguments and not on:
            return _joined(inside(arguments[0]), rest) if rest else ()
        if name == "dirname" and arguments:
            return _parents(inside(arguments[0]), 1)
        if name in {"glob", "rglob"} and on and arguments:
            deep = [(NamedPath("project", "**"),)] if name == "rglob" else []
            return _joined(on, [*deep, self._known(arguments[0], depth)])
        if name in _SAME:
            return inside(arguments[0]) if arguments else on
        if name in {"get", "getenv"} and len(arguments) == 2:
            return inside(arguments[1])
        return ()

    def _known(self, node: ast.expr, depth: int) -> tuple[NamedPath, ...]:
        """The paths of a part; `*` where it is not known."""
        if isinstance(node, ast.FormattedValue):
            node = node.value
        return self.of(node, depth + 1) or (NamedPath("project", "*", is_path=False),)

    def _any_of(
        self, choices: Iterable[ast.expr], inside: Callable[[ast.expr], tuple[NamedPath, ...]]
    ) -> tuple[NamedPath, ...]:
        return tuple(dict.fromkeys(one for choice in choices for one in inside(choice)))[:_CHOICES]


def _joined(first: tuple[NamedPath, ...], rest: Sequence[tuple[NamedPath, ...]]) -> tuple[NamedPath, ...]:
    """The paths with the others behind them; one that is whole in itself takes the place of what is before it."""
    paths = tuple(map(_as_path, first))
    for parts in rest:
        paths = tuple(
            _as_path(part)
            if part.base == "file" or part.pattern.startswith("/")
            else NamedPath(path.base, posixpath.join(path.pattern, part.pattern))
            for path in paths
            for part in parts
        )[:_CHOICES]
    return paths


def _added(parts: Sequence[tuple[NamedPath, ...]]) -> tuple[NamedPath, ...]:
    """Texts one behind another. None where the first is not known: it could be any path."""
    if not parts or not parts[0] or parts[0][0].pattern == "*":
        return ()
    found: tuple[NamedPath, ...] = parts[0]
    for part in parts[1:]:
        found = tuple(NamedPath(one.base, one.pattern + other.pattern, one.is_path) for one in found for other in part)[
            :_CHOICES
        ]
    return found


def _parents(paths: tuple[NamedPath, ...], above: int) -> tuple[NamedPath, ...]:
    found: list[NamedPath] = []
    for path in paths:
        pattern = path.pattern
        for _ in range(above):
            whole = posixpath.normpath(pattern) if pattern else ""
            folder, last = posixpath.split("" if whole == "." else whole)
            pattern = posixpath.join(folder, last, "..") if last in {"", ".."} else folder
        found.append(NamedPath(path.base, pattern))
    return tuple(found)


def _as_path(path: NamedPath) -> NamedPath:
    return path if path.is_path else NamedPath(path.base, path.pattern)


def _writes(call: ast.Call, function: str) -> bool:
    """True where the call opens a file for writing."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr="connect"), args=[_, *_]):
            return module in _CONNECTS
        case ast.Call(func=ast.Attribute(attr="write_text" | "write_bytes")):
            return True
        case _ if function == "open":
            is_method = isinstance(call.func, ast.Attribute) and _last_name(call.func.value) not in {"io", "aiofiles"}
            given = call.args[0 if is_method else 1 :][:1]
            modes = [*given, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
            return any(_is_writing(mode) for mode in modes)
        case _:
            return False


def _is_writing(mode: ast.expr) -> bool:
    match mode:
        case ast.Constant(value=str(text)):
            return not set("wax+").isdisjoint(text)
        case _:
            return False


def _target(node: ast.expr) -> str:
    """The name that is assigned: `x`, `self.x`, or nothing."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return f"self.{name}"
        case _:
            return ""


def _last_name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
