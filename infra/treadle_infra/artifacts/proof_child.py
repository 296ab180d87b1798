"""Loads handlers from unpacked zips, none of which sees what another left behind. Runs on the functions' interpreter.

What does not load in a fork with others is loaded in one of its own, and that is what is told of it. A script that
reads from stdin {"folder", "runtime": path of `discovery/child.py`, "runtime_packages": {name: folder},
"bytecode_folder", "workers", "seconds", "jobs": [{"zip", "layers": [zip], "handler", "environment"}]} and writes to
stdout a JSON list with, for each job in order, null or {"message", "module", "printed"}.
"""

# ruff: noqa: PTH103, PTH118, PTH120, PTH123, PTH102 - pathlib is not what the handlers are to find loaded

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

_ADAPTER = "treadle/"
_GROUP = 50
"""So many handlers are loaded in one process: a process of its own for each takes three times as long."""
_TICK_SECONDS = 0.002
_PRINTED_BYTES = 4_000


class _Proofs:
    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._folder: str = request["folder"]
        self._layers: dict[str, str] = {}
        self._shared: dict[tuple[str, int, int], str] = {}
        self._compiled: dict[str, CodeType] = {}
        self._running: dict[int, tuple[tuple[int, ...], float]] = {}
        self._answers: dict[int, dict[str, Any] | None] = {}
        spec = importlib.util.spec_from_file_location("treadle_runtime_packages", request["runtime"])
        if spec is None or spec.loader is None:
            raise ImportError(request["runtime"])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._finder = module.RuntimePackages(request["runtime_packages"], request["bytecode_folder"])

    def run(self) -> list[dict[str, Any] | None]:
        """What came of each job, in order."""
        jobs = self._request["jobs"]
        for job in jobs:
            for layer in job["layers"]:
                self._unpack_layer(layer)
        if jobs:
            self._share(jobs[0]["zip"])
        waiting = self._groups()
        while waiting or self._running:
            if waiting and len(self._running) < self._request["workers"]:
                self._start(waiting.pop(0))
            else:
                waiting += self._wait()
        return [self._answers[number] for number in range(len(jobs))]

    def _groups(self) -> list[tuple[int, ...]]:
        """Jobs with the same packages, which one process may load one after another."""
        alike: dict[tuple[str, ...], list[int]] = {}
        for number, job in enumerate(self._request["jobs"]):
            alike.setdefault(tuple(job["layers"]), []).append(number)
        return [tuple(each[at : at + _GROUP]) for each in alike.values() for at in range(0, len(each), _GROUP)]

    def _start(self, numbers: tuple[int, ...]) -> None:
        pid = os.fork()
        if pid == 0:
            self._child(numbers)
        self._running[pid] = numbers, time.monotonic() + self._request["seconds"]

    def _unpack_layer(self, path: str) -> None:
        if path not in self._layers:
            folder = self._layers[path] = os.path.join(self._folder, f"layer{len(self._layers)}")
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)

    def _share(self, path: str) -> None:
        """Unpacks one zip for all: nearly everything in them is the same."""
        folder = os.path.join(self._folder, "shared")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
            for entry in archive.infolist():
                name = entry.filename
                self._shared[name, entry.CRC, entry.file_size] = os.path.join(folder, name)
                if name.startswith(_ADAPTER) and name.endswith(".py"):
                    self._compiled[name] = compile(archive.read(name), name, "exec", dont_inherit=True)

    def _unpack(self, path: str, task: str) -> dict[str, CodeType]:
        """Unpacks all but the adapter, of which it returns the modules: they are compiled already."""
        compiled: dict[str, CodeType] = {}
        made: set[str] = set()
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename
                shared = self._shared.get((name, entry.CRC, entry.file_size))
                if shared is not None and name.startswith(_ADAPTER) and name.endswith((".py", ".pyc")):
                    if name in self._compiled:
                        compiled[name] = self._compiled[name]
                    continue
                if shared is None:
                    archive.extract(entry, task)
                    continue
                target = os.path.join(task, name)
                folder = os.path.dirname(target)
                if folder not in made:
                    os.makedirs(folder, exist_ok=True)
                    made.add(folder)
                os.link(shared, target)
        return compiled

    def _wait(self) -> list[tuple[int, ...]]:
        """Takes what has ended, and ends what takes too long. Returns what is still to be loaded of these."""
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in self._running:
            return self._ended(pid, status, is_late=False)
        left: list[tuple[int, ...]] = []
        for late in [pid for pid, (_, deadline) in self._running.items() if time.monotonic() > deadline]:
            os.killpg(late, signal.SIGKILL)
            left += self._ended(late, os.waitpid(late, 0)[1], is_late=True)
        time.sleep(_TICK_SECONDS)
        return left

    def _ended(self, pid: int, status: int, *, is_late: bool) -> list[tuple[int, ...]]:
        """What loaded in company is loaded; what did not is tried once more, alone, and only that is its answer."""
        numbers, _ = self._running.pop(pid)
        folder = os.path.join(self._folder, f"job{numbers[0]}")
        answer: dict[str, Any] | None
        try:
            with open(os.path.join(folder, "answer.json"), encoding="utf-8") as file:
                loaded, answer = json.load(file)
        except (OSError, ValueError):
            code = os.waitstatus_to_exitcode(status)
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            late = f"it is still not loaded after {self._request['seconds']:g} s"
            loaded, answer = 0, {"message": late if is_late else f"it ends the process ({how})", "module": None}
        self._answers.update(dict.fromkeys(numbers[:loaded]))
        left: list[tuple[int, ...]] = []
        if len(numbers) == 1 and answer is not None:
            answer["printed"] = _end_of(os.path.join(folder, "printed"))
            self._answers[numbers[0]] = answer
        elif loaded < len(numbers):
            # without an answer anyone of them can have ended the process: each goes by itself
            tried = 1 if loaded or answer is None else len(numbers)
            left = [(number,) for number in numbers[loaded : loaded + tried]]
            left += [numbers[loaded + tried :]] if numbers[loaded + tried :] else []
        shutil.rmtree(folder, ignore_errors=True)
        return left

    def _child(self, numbers: tuple[int, ...]) -> None:
        """Never returns."""
        folder = os.path.join(self._folder, f"job{numbers[0]}")
        dump, leave, end = json.dump, os._exit, os.path.join(folder, "answer.json")  # before anything is patched
        try:
            os.setpgid(0, 0)
            os.mkdir(folder)
            printed = os.open(os.path.join(folder, "printed"), os.O_WRONLY | os.O_CREAT)
            for descriptor in (1, 2):
                os.dup2(printed, descriptor)
            before = _Before()
            loaded, answer = 0, None
            for number in numbers:
                task = os.path.join(folder, f"task{number}")
                answer = self._load(task, self._request["jobs"][number])
                if answer is not None:
                    break
                loaded += 1
                before.restore(task)
            with open(end, "w", encoding="utf-8") as file:
                dump([loaded, answer], file)
        finally:
            leave(0)

    def _load(self, task: str, job: dict[str, Any]) -> dict[str, Any] | None:
        os.mkdir(task)
        compiled = self._unpack(job["zip"], task)
        os.environ.clear()
        os.environ.update(job["environment"], LAMBDA_TASK_ROOT=task)
        os.chdir(task)
        sys.path[:0] = [task, *(os.path.join(self._layers[layer], "python") for layer in job["layers"])]
        sys.meta_path[:0] = [_Adapter(compiled, task), self._finder]
        sys.argv[:] = [""]
        module, _, name = job["handler"].rpartition(".")
        try:
            getattr(import_module(module), name)
            _load_own(task)
        except BaseException as error:
            missing = error.name if isinstance(error, ImportError) else None
            return {"message": f"{type(error).__name__}: {error}"[:2000], "module": missing}
        return None


class _Before:
    """The interpreter as it was before a handler was loaded, so that the next one finds it like that."""

    def __init__(self) -> None:
        self._modules = set(sys.modules)
        self._path = list(sys.path)
        self._meta_path = list(sys.meta_path)

    def restore(self, task: str) -> None:
        """Packages and what belongs to Python may stay loaded: the next handler has the same."""
        for name in set(sys.modules) - self._modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is None or file.startswith(task):
                del sys.modules[name]
        sys.path[:] = self._path
        sys.meta_path[:] = self._meta_path
        sys.path_importer_cache.clear()


class _Adapter:
    """Finds the adapter's modules, which are the same in all zips: compiling them for each took most of the time."""

    def __init__(self, compiled: dict[str, CodeType], task: str) -> None:
        self._compiled = compiled
        self._task = task

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name.partition(".")[0] != _ADAPTER[:-1]:
            return None
        stem = name.replace(".", "/")
        for file, is_package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            if file in self._compiled:
                return importlib.util.spec_from_file_location(
                    name,
                    os.path.join(self._task, file),
                    loader=_Compiled(self._compiled[file]),
                    submodule_search_locations=[os.path.join(self._task, stem)] if is_package else None,
                )
        return None


class _Compiled(Loader):
    def __init__(self, code: CodeType) -> None:
        self._code = code

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - it is our own code


def _load_own(task: str) -> None:
    """The app's own functions: the adapter puts off what their loading raises until an event comes."""
    system = os.path.join(task, "treadle", "system.json")
    if not os.path.exists(system):  # noqa: PTH110 - it starts quicker without pathlib
        import_module("treadle.process").current_process().handler()
        return
    with open(system, encoding="utf-8") as file:
        manifest = json.load(file)
    load_module = import_module("treadle.loader").load_module
    sources: set[str] = {stream["source"] for stream in manifest["streams"].values() if stream["source"]}
    if manifest.get("authenticate"):
        sources.add(manifest["authenticate"]["source"])
    for source in sorted(sources):
        load_module(os.path.join(task, "app"), source, manifest.get("package"))


def _end_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read()[-_PRINTED_BYTES:].decode("utf-8", "replace").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    json.dump(_Proofs(json.load(sys.stdin)).run(), sys.stdout)
