"""Runs as a script, in a process of its own on the project's interpreter: imports step files and tells what they hold.

Nothing of Treadle is imported here but `loader.py`, by its path, so that a module is found as it is on Lambda. Works on
Python 3.9 and newer. Usage: `python -I -S -B child.py REQUESTS_FD ANSWERS_FD`; both speak lines of JSON. The first
request is the set-up, the first answer says that the process runs; then each request is a path and the name of a
function, `["steps/a_step.py", "handler"]`, and gets one answer:

    {"config": {...}, "function": {"callable": true, "required": 2, "most": 2, ...}, "folders": ["steps", "src", ""],
     "modules": {"helper": "src/helper.py"}, "opened": ["steps/prompt.txt"]}
    {"error": {"message": "ValueError: no", "path": "steps/a_step.py", "line": 7, "module": null}, "folders": [...]}
"""

# ruff: noqa: PTH100 - a link to a file stays what it is

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

MESSAGE_LIMIT = 1_000
DEPTH_LIMIT = 64
DESCRIPTORS_CLOSED = 97
"""Exit status of a process that cannot answer any more."""

FUNCTION = "treadle.function"
"""Stands for a function in a config: `{"treadle.function": {"callable": true, "required": 2, ...}}`."""

_CALLABLES = ("canAccess", "can_access", "factory", "onJoin", "on_join", "onLeave", "on_leave")
"""Keys whose value is a function."""


_IN_STEP_OR_TRIGGER = re.compile(r"(triggers\.\d+)?\Z")
"""Where `middleware` is middleware, and no property of a schema that has this name."""


class NotJson(Exception):  # noqa: N818 - it never leaves this module
    """A value in a config that JSON has no form for; `path` is where: `input.properties.x`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def plain(value: Any, path: str = "", above: tuple[int, ...] = ()) -> Any:
    """`value` as JSON knows it: pydantic classes as their schema, instances and dataclasses as objects.

    Middleware, and the functions that stand under `_CALLABLES`, are told as what they take.
    Raises: NotJson.
    """
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value.__class__, "__members__") and hasattr(value, "_value_"):
        return plain(value._value_, path, above)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return _finite(value, path)
    if id(value) in above:
        raise NotJson(path, "contains itself")
    if len(above) >= DEPTH_LIMIT:
        raise NotJson(path, f"is nested deeper than {DEPTH_LIMIT} levels")
    inside = (*above, id(value))
    if _is_list(value):
        return [plain(item, f"{path}.{at}" if path else str(at), inside) for at, item in enumerate(value)]
    return _object(value, path, inside)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _finite(value: float, path: str) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise NotJson(path, f"is {value!r}, which JSON has no form for")
    return float.__float__(value)


def _object(value: Any, path: str, inside: tuple[int, ...]) -> Any:
    if isinstance(value, type):
        schema = getattr(value, "model_json_schema", None)
        if callable(schema):
            return plain(schema(), path, inside)
        raise NotJson(path, f"is the class `{value.__name__}`; only a pydantic model can stand for a schema")
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        value = dump(by_alias=True, exclude_none=True)
    elif hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if not (hasattr(value, "keys") and hasattr(value, "__getitem__")):
        raise NotJson(path, f"is a {type(value).__name__}, which JSON has no form for")
    return {name: _member(value[key], name, path, inside) for key in value.keys() for name in (_key(key, path),)}  # noqa: SIM118


def _key(key: Any, path: str) -> str:
    if key is type:
        return "type"  # a key without its quotes, as Motia's own page has it
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise NotJson(path, f"has the key {key!r}, which is no text")
    return str.__str__(key) if isinstance(key, str) else str(int(key))


def _member(value: Any, name: str, path: str, inside: tuple[int, ...]) -> Any:
    if name == "condition" and callable(value):
        return {FUNCTION: middleware_facts(value)}
    if name in _CALLABLES and callable(value):
        return {FUNCTION: handler_facts(value)}
    if name == "middleware" and value is not None and _IN_STEP_OR_TRIGGER.match(path):
        return [middleware_facts(one) for one in (value if _is_list(value) else [value])]
    return plain(value, f"{path}.{name}" if path else name, inside)


def handler_facts(handler: Any) -> dict[str, Any]:
    """Whether a function can be called, and with how many positional arguments; `most` is None for any number."""
    if not callable(handler) or isinstance(handler, type):
        return {"callable": False, "type": type(handler).__name__}
    function = handler if hasattr(handler, "__code__") else getattr(handler, "__call__", None)  # noqa: B004
    code = getattr(function, "__code__", None)
    if code is None:
        return {"callable": True, "async": False, "generator": False, "keywords": [], **_signature_facts(handler)}
    bound = 1 if hasattr(function, "__self__") else 0
    defaults = getattr(function, "__defaults__", None) or ()
    keyword_defaults: dict[str, Any] = getattr(function, "__kwdefaults__", None) or {}
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return {
        "callable": True,
        "async": bool(code.co_flags & 0x80),
        "generator": bool(code.co_flags & (0x20 | 0x200)),
        "keywords": [name for name in keywords if name not in keyword_defaults],
        "required": max(0, code.co_argcount - bound - len(defaults)),
        "most": None if code.co_flags & 0x04 else code.co_argcount - bound,
    }


def middleware_facts(value: Any) -> dict[str, Any]:
    """A function of a middleware list: what `handler_facts` tells of it, and `functions`, what it may be made of.

    Example: {"callable": true, ..., "functions": [["auth", 1]]}; the number is the position of the context.
    """
    functions: dict[tuple[str, int], None] = {}
    if callable(value) and not isinstance(value, type):
        _collect_functions(value, 1, functions, set())
    return {**handler_facts(value), "functions": [list(function) for function in functions]}


def _collect_functions(value: Any, position: int, found: dict[tuple[str, int], None], seen: set[int]) -> None:
    """The names of a function and of those that it wraps: decorated, bound, partial, kept in a closure."""
    if id(value) in seen or len(seen) >= DEPTH_LIMIT:
        return
    seen.add(id(value))
    if isinstance(value, partial):
        _collect_functions(value.func, position + len(value.args), found, seen)
        return
    function = value if hasattr(value, "__code__") else getattr(value, "__call__", None)  # noqa: B004
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    found[code.co_name, position] = None
    inner = [getattr(function, "__wrapped__", None)]
    inner += [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_filled(cell)]
    for one in inner:
        if hasattr(one, "__code__") or isinstance(one, partial):
            _collect_functions(one, position, found, seen)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _signature_facts(handler: Any) -> dict[str, Any]:
    """For callables that are no functions, such as `functools.partial`."""
    import inspect

    try:
        parameters = inspect.signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return {"required": 0, "most": None}
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    any_number = any(one.kind == one.VAR_POSITIONAL for one in parameters)
    required = sum(1 for one in positional if one.default is one.empty)
    return {"required": required, "most": None if any_number else len(positional)}


class RuntimePackages:
    """Finds what Lambda's runtime brings (boto3 ...) in the folders given, where nothing else has it.

    Its bytecode is kept in a folder of ours: compiling botocore takes more than a second.
    """

    def __init__(self, folders: dict[str, str], bytecode_folder: str | None) -> None:
        self._folders = folders
        self._bytecode_folder = bytecode_folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = self._folders.get(name.partition(".")[0])
        if folder is None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None and path is None:
            spec = PathFinder.find_spec(name, [folder])
        if spec is not None and type(spec.loader) is SourceFileLoader and self._bytecode_folder is not None:
            spec.loader = _KeepingLoader(spec.loader.name, spec.loader.path)
            spec.loader.bytecode_folder = self._bytecode_folder
        return spec


def _is_own(path: str) -> bool:
    """Whether a file of the project is none of the user's: bytecode, or what Treadle keeps in `.treadle`."""
    return "__pycache__" in path or path.split("/", 1)[0] == ".treadle"


class _KeepingLoader(SourceFileLoader):
    bytecode_folder: str

    def get_code(self, fullname: str) -> CodeType | None:
        before = sys.pycache_prefix, sys.dont_write_bytecode
        sys.pycache_prefix, sys.dont_write_bytecode = self.bytecode_folder, False
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix, sys.dont_write_bytecode = before


class Project:
    """The project's modules, imported one after another, none of which sees what another has left behind."""

    def __init__(self, setup: dict[str, Any], loader: Any) -> None:
        self._root: str = setup["root"]
        brought = (f"{folder}{os.sep}{name}" for name, folder in setup["runtime_packages"].items())
        self._elsewhere: tuple[str, ...] = tuple(folder + os.sep for folder in (*setup["extra_paths"], *brought))
        self._load_module: Callable[[str, str, str], ModuleType] = loader.load_module
        self._defined: Callable[[ModuleType, str], Any] = loader.defined
        self._path = [*sys.path, *setup["extra_paths"]]
        self._environment = dict(os.environ)
        self._finders = [RuntimePackages(setup["runtime_packages"], setup["bytecode_folder"]), *sys.meta_path]
        self._hooks = list(sys.path_hooks)
        self._recursion_limit = sys.getrecursionlimit()
        self._streams = sys.stdout, sys.stderr
        self._opened: list[str] | None = None
        self._places: dict[str, str | None] = {}
        sys.addaudithook(self._on_audit)

    def examine(self, relative_path: str, function: str) -> dict[str, Any]:
        """What is in the module, this function among it; afterwards nothing of it is left in this process."""
        self._start_afresh()
        opened: list[str] = []
        self._opened = opened
        answer: dict[str, Any]
        try:
            module = self._load_module(self._root, relative_path, self._root.rpartition(os.sep)[2])
            answer = self._facts(module, function)
        except BaseException as error:
            answer = {"error": self._failure(error, relative_path)}
        self._opened = None
        self._flush()
        answer["folders"] = self._folders()
        answer["opened"] = sorted({path for name in opened if (path := self._inside(name)) and not _is_own(path)})
        answer["modules"] = self._forget_modules()
        self._keep_finders(answer["modules"])
        return answer

    def _facts(self, module: ModuleType, function: str) -> dict[str, Any]:
        content = vars(module)
        facts: dict[str, Any] = {}
        config = self._defined(module, "config")
        if config is not None or "config" in content:
            try:
                facts["config"] = plain(config)
            except NotJson as problem:
                facts["config_problem"] = {"path": problem.path, "message": str(problem)}
        found = content.get(function) if function != "handler" else self._defined(module, function)
        if found is not None or function in content:
            facts["function"] = handler_facts(found)
        elif function == "handler" and callable(content.get("app")):
            facts["function"] = {**handler_facts(content["app"]), "app": True}
        return facts

    def _failure(self, error: BaseException, relative_path: str) -> dict[str, Any]:
        path, line = relative_path, 1
        traceback = error.__traceback__
        while traceback is not None:
            inside = self._inside(traceback.tb_frame.f_code.co_filename)
            if inside is not None:
                path, line = inside, traceback.tb_lineno
            traceback = traceback.tb_next
        if isinstance(error, SyntaxError) and error.filename:
            inside = self._inside(error.filename)
            path, line = (inside, error.lineno or 1) if inside is not None else (path, line)
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        return {"message": _describe(error), "path": path, "line": line, "module": missing}

    def _inside(self, filename: object) -> str | None:
        """The file relative to the project, with forward slashes; None for one that lies elsewhere."""
        if not isinstance(filename, str) or filename.startswith("<"):
            return None
        if filename not in self._places:
            self._places[os.path.abspath(filename)] = found = self._place(filename)
            return found
        return self._places[filename]

    def _place(self, filename: str) -> str | None:
        for path in (os.path.abspath(filename), os.path.realpath(filename)):
            if path == self._root:
                return ""
            if path.startswith(self._root + os.sep) and not f"{path}{os.sep}".startswith(self._elsewhere):
                return path[len(self._root) + 1 :].replace(os.sep, "/")
        return None

    def _folders(self) -> list[str]:
        """The project's folders on `sys.path`, in order: those of the path rules and those the module has added."""
        os.chdir(self._root)
        inside = [self._inside(entry) for entry in sys.path]
        return list(dict.fromkeys(folder for folder in inside if folder is not None))

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and self._opened is not None and len(self._opened) < 1_000:
            path, mode = arguments[0], arguments[1]
            if isinstance(path, str) and (mode is None or mode.startswith("r")):
                self._opened.append(os.path.abspath(path))

    def _start_afresh(self) -> None:
        sys.path[:] = self._path
        sys.meta_path[:] = self._finders
        sys.path_hooks[:] = self._hooks
        sys.argv[:] = [""]
        sys.setrecursionlimit(self._recursion_limit)
        os.chdir(self._root)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)

    def _forget_modules(self) -> dict[str, str]:
        """Drops the project's modules; returns the file of each, by its name."""
        files: dict[str, str] = {}
        for name, module in list(sys.modules.items()):
            content: dict[str, Any] = getattr(module, "__dict__", {})
            filename = self._inside(content.get("__file__"))
            if filename is not None:
                files[name] = filename
            elif content.get("__file__") is None and "__path__" in content:
                filename = self._first_folder(content["__path__"])
            if filename is not None:
                sys.modules.pop(name, None)
        return files

    def _keep_finders(self, forgotten: dict[str, str]) -> None:
        """Keeps the finders that a package has added, which stays loaded (`six.moves`); the project's own go."""
        for finder in sys.meta_path:
            if finder not in self._finders and getattr(finder, "__module__", None) not in forgotten:
                self._finders.append(finder)

    def _first_folder(self, folders: Any) -> str | None:
        try:
            return next((inside for folder in folders if (inside := self._inside(folder)) is not None), None)
        except Exception:
            return None

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr, *self._streams):
            try:
                stream.flush()
            except Exception:  # noqa: S112 - the module may have put anything there
                continue
        sys.stdout, sys.stderr = self._streams


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it ends the process: sys.exit({error.code!r})"[:MESSAGE_LIMIT]
    try:
        text = str(error)
    except Exception:
        text = ""
    if isinstance(error, SyntaxError):
        text = str(error.msg)
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:MESSAGE_LIMIT]


def _loader(path: str) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("treadle_loader", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    requests = os.fdopen(int(sys.argv[1]), encoding="utf-8")
    answers = int(sys.argv[2])
    for descriptor in (requests.fileno(), answers):
        os.set_inheritable(descriptor, False)
    setup = json.loads(requests.readline())
    project = Project(setup, _loader(setup["loader"]))

    def tell(
        answer: dict[str, Any], dumps: Callable[[Any], str] = json.dumps, write: Callable[..., int] = os.write
    ) -> None:
        rest = memoryview(dumps(answer).encode() + b"\n")
        try:
            while rest:
                rest = rest[write(answers, rest) :]
        except OSError:
            os._exit(DESCRIPTORS_CLOSED)

    tell({"running": sys.version_info[:3]})
    try:
        for request in requests:
            tell(project.examine(*json.loads(request)))
    except OSError:
        os._exit(DESCRIPTORS_CLOSED)
    os._exit(0)


if __name__ == "__main__":
    main()
