"""Loads handlers from unpacked zips, each in a fork of its own. Runs as a script on the functions' interpreter.

Reads from stdin {"folder", "runtime": path of `discovery/child.py`, "runtime_packages": {name: folder},
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
from importlib import import_module
from typing import Any

_TICK_SECONDS = 0.002
_PRINTED_BYTES = 4_000


class _Proofs:
    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._folder: str = request["folder"]
        self._layers: dict[str, str] = {}
        self._shared: dict[tuple[str, int, int], str] = {}
        self._running: dict[int, tuple[int, float]] = {}
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
        for number, job in enumerate(jobs):
            for layer in job["layers"]:
                self._unpack_layer(layer)
            while len(self._running) >= self._request["workers"]:
                self._wait()
            if not self._shared:
                self._share(job["zip"])
            pid = os.fork()
            if pid == 0:
                self._child(number, job)
            self._running[pid] = number, time.monotonic() + self._request["seconds"]
        while self._running:
            self._wait()
        return [self._answers[number] for number in range(len(jobs))]

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
                self._shared[entry.filename, entry.CRC, entry.file_size] = os.path.join(folder, entry.filename)

    def _unpack(self, path: str, task: str) -> None:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                shared = self._shared.get((entry.filename, entry.CRC, entry.file_size))
                if shared is None:
                    archive.extract(entry, task)
                    continue
                target = os.path.join(task, entry.filename)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.link(shared, target)

    def _wait(self) -> None:
        """Takes what has ended, and ends what takes too long."""
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in self._running:
            self._ended(pid, status, is_late=False)
            return
        for late in [pid for pid, (_, deadline) in self._running.items() if time.monotonic() > deadline]:
            os.killpg(late, signal.SIGKILL)
            self._ended(late, os.waitpid(late, 0)[1], is_late=True)
        time.sleep(_TICK_SECONDS)

    def _ended(self, pid: int, status: int, *, is_late: bool) -> None:
        number, _ = self._running.pop(pid)
        folder = os.path.join(self._folder, f"job{number}")
        answer: dict[str, Any] | None
        try:
            with open(os.path.join(folder, "answer.json"), encoding="utf-8") as file:
                answer = json.load(file)
        except (OSError, ValueError):
            code = os.waitstatus_to_exitcode(status)
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            late = f"it is still not loaded after {self._request['seconds']:g} s"
            answer = {"message": late if is_late else f"it ends the process ({how})", "module": None}
        if answer is not None:
            answer["printed"] = _end_of(os.path.join(folder, "printed"))
        self._answers[number] = answer
        shutil.rmtree(folder, ignore_errors=True)

    def _child(self, number: int, job: dict[str, Any]) -> None:
        """Never returns."""
        folder = os.path.join(self._folder, f"job{number}")
        dump, leave, end = json.dump, os._exit, os.path.join(folder, "answer.json")  # before anything is patched
        try:
            os.setpgid(0, 0)
            os.mkdir(folder)
            printed = os.open(os.path.join(folder, "printed"), os.O_WRONLY | os.O_CREAT)
            for descriptor in (1, 2):
                os.dup2(printed, descriptor)
            answer = self._load(os.path.join(folder, "task"), job)
            with open(end, "w", encoding="utf-8") as file:
                dump(answer, file)
        finally:
            leave(0)

    def _load(self, task: str, job: dict[str, Any]) -> dict[str, Any] | None:
        self._unpack(job["zip"], task)
        os.environ.clear()
        os.environ.update(job["environment"], LAMBDA_TASK_ROOT=task)
        os.chdir(task)
        sys.path[:0] = [task, *(os.path.join(self._layers[layer], "python") for layer in job["layers"])]
        sys.meta_path.insert(0, self._finder)
        sys.argv[:] = [""]
        module, _, name = job["handler"].rpartition(".")
        try:
            getattr(import_module(module), name)
            _load_own(task)
        except BaseException as error:
            missing = error.name if isinstance(error, ImportError) else None
            return {"message": f"{type(error).__name__}: {error}"[:2000], "module": missing}
        return None


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
        load_module(os.path.join(task, "app"), source)


def _end_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read()[-_PRINTED_BYTES:].decode("utf-8", "replace").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    json.dump(_Proofs(json.load(sys.stdin)).run(), sys.stdout)
