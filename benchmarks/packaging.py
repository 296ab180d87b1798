"""Seconds to package 50 steps that share two requirements: step by step as one would by hand, and by Treadle.

    python benchmarks/packaging.py [steps]

By hand means `uv pip install --target` and a zip for each step; it is measured on a tenth of the steps. Treadle's is
the time of the phases that package (requirements, layers, zips), each in a process of its own: with empty caches, with
nothing changed, with one step edited. uv's own download cache is the same for all.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.projects import write

REQUIREMENTS = ("pydantic==2.14.3", "aws-lambda-powertools==3.37.0")
TARGET = ("--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13", "--only-binary", ":all:")
_SHARE = 10

_CHILD = """
import json, sys
from pathlib import Path
from treadle_infra.compile import compile_project
from treadle_infra.options import usual_options

project = Path(sys.argv[1])
done = compile_project(project, "dev", usual_options(project))
problems = [finding.message for finding in done.findings if finding.severity == "error"]
print(json.dumps([problems, len(done.app.steps), dict(done.phase_seconds)]))
"""
_PACKAGING = ("install", "layers", "bundle")


def project_of(folder: Path, steps: int) -> Path:
    project = folder / "project"
    (folder / "home").mkdir()
    write(project, "requirements.txt", "\n".join(REQUIREMENTS) + "\n")
    for number in range(steps):
        write(project, f"steps/s{number}_step.py", _step(number, "ok"))
    return project


def _step(number: int, answer: str) -> str:
    return (
        "from aws_lambda_powertools import Logger\nfrom pydantic import BaseModel\n\n"
        f'config = {{"name": "S{number}", "type": "api", "path": "/s{number}", "method": "POST", "emits": []}}\n\n\n'
        "class Body(BaseModel):\n    text: str\n\n\n"
        f'async def handler(req, context):\n    return {{"body": {{"is": "{answer}"}}}}\n'
    )


def by_hand(project: Path, folder: Path, steps: int) -> float:
    """Seconds for all steps, judged by a tenth of them."""
    measured = max(1, steps // _SHARE)
    started = time.perf_counter()
    for number in range(measured):
        target = folder / f"step{number}"
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(target), *TARGET]
        subprocess.run([*install, *REQUIREMENTS], check=True)
        (target / f"s{number}_step.py").write_bytes((project / f"steps/s{number}_step.py").read_bytes())
        subprocess.run([sys.executable, "-m", "zipfile", "-c", f"{target}.zip", f"{target}/"], check=True)
    return (time.perf_counter() - started) * steps / measured


def treadles(project: Path, folder: Path, steps: int) -> float:
    """Seconds of one run, on the caches in `folder`."""
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "home"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
    }
    command = [sys.executable, "-c", _CHILD, str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    problems, packaged, seconds = json.loads(done.stdout)
    if problems or packaged != steps:
        raise SystemExit(f"{packaged} of {steps} steps were packaged: {problems[:2]}")
    return float(sum(seconds.get(phase, 0.0) for phase in _PACKAGING))


def measure(steps: int = 50) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = project_of(folder, steps)
        (folder / "hand").mkdir()
        naive = by_hand(project, folder / "hand", steps)
        cold = treadles(project, folder, steps)
        warm = statistics.median(treadles(project, folder, steps) for _ in range(3))
        edited: list[float] = []
        for number in range(3):
            write(project, f"steps/s{number}_step.py", _step(number, f"edited {number}"))
            edited.append(treadles(project, folder, steps))
        return {"by hand": naive, "cold": cold, "unchanged": warm, "one edited": statistics.median(edited)}


if __name__ == "__main__":
    for name, seconds in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 50).items():
        print(f"{name:<12} {seconds:8.2f} s")
