"""What is installed in a folder: which distribution brings which module, and which others each one needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """`path` is relative to the folder of packages, with forward slashes."""

    path: str
    size: int
    sha256: str

    @property
    def is_bytecode(self) -> bool:
        return self.path.endswith(".pyc")


@dataclass(frozen=True, slots=True)
class Distribution:
    """`requires` are normal names, whatever their markers; `problems` say what Lambda cannot load, and why."""

    name: str
    version: str
    requires: tuple[str, ...]
    files: tuple[InstalledFile, ...]
    problems: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def modules(self) -> Iterator[str]:
        """The dotted names of its modules and packages, folders without `__init__` too."""
        for file in self.files:
            if file.is_bytecode:
                continue
            folders = file.path.split("/")
            stem = folders.pop()
            if not all(map(str.isidentifier, folders)):
                continue
            if stem.endswith((".py", ".so", ".pyd")):
                name = stem.partition(".")[0]
                yield ".".join([*folders, *([name] if name != "__init__" else [])])
            for depth in range(1, len(folders) + 1):
                yield ".".join(folders[:depth])


class Distributions:
    """All that is installed in one folder, by normal name."""

    def __init__(self, every: Iterable[Distribution]) -> None:
        self._by_name = {normal_name(one.name): one for one in every}

    def __iter__(self) -> Iterator[Distribution]:
        return iter(self._by_name.values())

    @cached_property
    def _owners(self) -> Mapping[str, frozenset[str]]:
        owners: dict[str, set[str]] = {}
        for name, distribution in self._by_name.items():
            for module in distribution.modules():
                owners.setdefault(module, set()).add(name)
        return {module: frozenset(names) for module, names in owners.items()}

    @cached_property
    def roots(self) -> frozenset[str]:
        """The names that can stand first in an import."""
        return frozenset(module for module in self._owners if "." not in module and module)

    def closure(self, imports: Iterable[str]) -> tuple[Distribution, ...]:
        """The distributions that bring these dotted names, with all that they need, by name.

        A requirement counts whenever it is installed, whatever its marker or extra: that keeps a driver that a library
        loads by name (`sqlalchemy[postgresql]`), and what an extra has asked for.
        """
        found: set[str] = set()
        pending = [owner for name in imports for owner in self._bringing(name)]
        while pending:
            name = pending.pop()
            if name not in found and name in self._by_name:
                found.add(name)
                pending += self._by_name[name].requires
        return tuple(self._by_name[name] for name in sorted(found))

    def _bringing(self, dotted: str) -> frozenset[str]:
        """The owners of the longest beginning of the name that is a module: in a namespace, not of the whole of it."""
        parts = dotted.split(".")
        beginnings = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._owners[name] for name in beginnings if name in self._owners), frozenset[str]())


def normal_name(name: str) -> str:
    """The one spelling under which an index knows a distribution.

    Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()
