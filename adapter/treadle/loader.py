"""Loads a step's module from its file, wherever it lies in the project and whatever it is called.

The path rules stand here once: discovery reads configs by them on the laptop, the adapter runs handlers by them on
Lambda. Imports at module level only what a Python process has loaded anyway; works on Python 3.9 too.
"""

# ruff: noqa: PTH100, PTH118, PTH119, PTH120, PTH122 - pathlib is not loaded at a cold start

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

PROJECT_PACKAGE = "_treadle_app"
"""Stands for the project's folder in module names: `steps/api_step.py` is `_treadle_app.steps.api_step`."""


def search_folders(relative_path: str) -> tuple[str, ...]:
    """Where absolute imports of a step are looked up, in order, relative to the project; `""` is the project itself.

    The folder of the step, the one above, the project: `steps/orders/a_step.py` -> ("steps/orders", "steps", "").
    """
    folder = os.path.dirname(relative_path)
    return tuple(dict.fromkeys((folder, os.path.dirname(folder), "")))


def load_module(project_root: str, relative_path: str, package: str | None = None) -> ModuleType:
    """The module in the file `relative_path` (with forward slashes) of the project, executed.

    Its folder, the folder above and the project are put on `sys.path`, behind Python's own library (a `json.py` in the
    project hides nothing) and ahead of everything else. Relative imports reach up to the project's folder. Names of
    files and folders need not be identifiers. `package`: the name of the project's folder where the project is at home,
    by which it may be imported too, as in Motia: `from shop.src.orders import place`.
    Raises: whatever the module raises.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    if not any(isinstance(finder, MotiaFinder) for finder in sys.meta_path):
        sys.meta_path.append(MotiaFinder())
    root = os.path.abspath(project_root)
    if package is not None and not any(isinstance(finder, ProjectFinder) for finder in sys.meta_path):
        sys.meta_path.append(ProjectFinder(package, root))
    _extend_path([os.path.join(root, folder) if folder else root for folder in search_folders(relative_path)])
    package = _package(root, os.path.dirname(relative_path))
    stem = os.path.splitext(os.path.basename(relative_path))[0]
    name = f"{package}.{stem.replace('.', '-')}"
    spec = spec_from_file_location(name, os.path.join(root, *relative_path.split("/")))
    if spec is None or spec.loader is None:
        raise ImportError(f"{relative_path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def defined(module: ModuleType, name: str) -> Any:
    """The `config` or `handler` of a step's module, None where it has none.

    One that is not there by its name may be in a step that was put together by a call of Motia's module, `step(...)`.
    """
    content = vars(module)
    found = content.get(name)
    if found is not None and not (name == "config" and _is_definition(found)):
        return found
    definitions = [value for value in content.values() if _is_definition(value)]
    one = definitions[0] if definitions and all(value is definitions[0] for value in definitions) else None
    return getattr(one, name, None)


def _is_definition(value: Any) -> bool:
    kind: Any = value.__class__
    return getattr(kind, "treadle_step", False) is True


class MotiaFinder:
    """Finds Treadle's own `motia`, where nothing else has that name."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in ("motia", "motia.types", "motia.step"):
            return None
        from importlib.machinery import ModuleSpec
        from importlib.util import find_spec

        own: Any = self
        return None if find_spec("treadle.motia") is None else ModuleSpec(name, own, is_package=True)

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        from importlib import import_module

        return import_module("treadle.motia")

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to do: it is loaded."""


class ProjectFinder:
    """Finds the project's folder as a package of its name, where nothing else has that name."""

    def __init__(self, package: str, root: str) -> None:
        self._package = package
        self._root = root

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._package:
            return None
        from importlib.machinery import ModuleSpec
        from importlib.util import spec_from_file_location

        file = os.path.join(self._root, "__init__.py")
        if os.access(file, os.R_OK):
            return spec_from_file_location(name, file, submodule_search_locations=[self._root])
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [self._root]
        return spec


def _extend_path(folders: list[str]) -> None:
    """Puts `folders` between Python's own library and the rest of `sys.path`."""
    library = os.path.dirname(os.__file__)
    own: list[str] = []
    rest: list[str] = []
    for entry in sys.path:
        (own if _is_library(entry, library) else rest).append(entry)
    sys.path[:] = [*own, *folders, *(entry for entry in rest if entry not in folders)]


def _is_library(entry: str, library: str) -> bool:
    if os.path.basename(entry) in ("site-packages", "dist-packages"):
        return False
    archive = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    return entry == library or entry.startswith(library + os.sep) or os.path.basename(entry) == archive


def _package(root: str, folder: str) -> str:
    """The name of the package for `folder`, ready for relative imports.

    Python finds the packages itself, by their folders' names. Only the first stands for no folder's name, and a folder
    with a dot in its name cannot be found by one.
    """
    package, path = PROJECT_PACKAGE, root
    _register(package, path)
    for part in folder.split("/") if folder else ():
        package, path = f"{package}.{part.replace('.', '-')}", os.path.join(path, part)
        if "." in part:
            _register(package, path)
    return package


def _register(package: str, path: str) -> None:
    if package not in sys.modules:
        module = type(sys)(package)
        module.__path__ = [path]
        sys.modules[package] = module
