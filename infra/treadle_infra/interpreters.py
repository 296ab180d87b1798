"""Finds the Python that matches the Lambda runtime on this machine. Never downloads one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

LAMBDA_PYTHON = "3.13"
"""The version behind the runtime `python3.13` that Python steps get unless the project says otherwise."""

_PROBE = """
import json, sys, sysconfig
print(json.dumps([sys.executable, "%d.%d" % sys.version_info[:2], sysconfig.get_platform()]))
"""
_PROBE_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that runs here. `matches` is set when its version is the Lambda runtime's, which is `wanted`."""

    path: str
    version: str
    platform: str
    wanted: str = LAMBDA_PYTHON

    @property
    def matches(self) -> bool:
        return self.version == self.wanted


def user_cache() -> Path:
    """The folder for what every project on this machine shares."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "treadle"


def find_interpreter(version: str = LAMBDA_PYTHON) -> Interpreter:
    """The interpreter of the Lambda runtime's version, else the one that runs Treadle.

    Tried by running them, since a `python3.13` on PATH may be a shim that fails: PATH, pyenv's versions, what uv knows.
    The answer is kept in the user's cache and used for as long as that file still runs as the same version.
    """
    found = find_python(version)
    if found is not None:
        return replace(found, wanted=version)
    own = _probe(sys.executable)
    if own is None:  # what runs this line runs
        raise RuntimeError(f"{sys.executable} does not run")
    return replace(own, wanted=version)


def find_python(version: str) -> Interpreter | None:
    """An interpreter of the version, as "3.13"; None where this machine has none."""
    memory = user_cache() / ("interpreter.json" if version == LAMBDA_PYTHON else f"interpreter-{version}.json")
    remembered = _remembered(memory, version)
    if remembered is not None:
        return remembered
    for candidate in _candidates(version):
        found = _probe(candidate)
        if found is not None and found.version == version:
            _remember(memory, found)
            return found
    return None


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == version:
        yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and (Path(folder) / name).is_file():
            yield str(Path(folder) / name)
    for installed in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*"), reverse=True):
        yield str(installed / "bin" / name)
    yield from _known_to_uv(version)


def _known_to_uv(version: str) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "uv",
        "python",
        "list",
        "--only-installed",
        "--output-format",
        "json",
        version,
    ]
    try:
        listed = subprocess.run(command, capture_output=True, timeout=_PROBE_TIMEOUT_SECONDS, check=True)
        return [str(entry["path"]) for entry in json.loads(listed.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return []


def _probe(path: str) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE], capture_output=True, timeout=_PROBE_TIMEOUT_SECONDS, check=True
        )
        executable, version, platform = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(str(executable), str(version), str(platform))


def _remembered(memory: Path, version: str) -> Interpreter | None:
    try:
        entry = json.loads(memory.read_text())
        found = Interpreter(entry["path"], entry["version"], entry["platform"])
        status = Path(found.path).stat()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    unchanged = [status.st_mtime_ns, status.st_size] == entry.get("file")
    return found if unchanged and found.version == version else None


def _remember(memory: Path, found: Interpreter) -> None:
    status = Path(found.path).stat()
    entry = {
        "path": found.path,
        "version": found.version,
        "platform": found.platform,
        "file": [status.st_mtime_ns, status.st_size],
    }
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(entry))
        fresh.replace(memory)
    except OSError:
        return  # a cache that cannot be written only costs the next start a few probes
