"""Runs uv, which resolves, downloads and installs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from treadle_infra.app.findings import TreadleError

_TIMEOUT_SECONDS = 600


def run_uv(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What uv printed, and its exit status; run in `folder`, never inside another project's virtual environment.

    Raises: TreadleError `packages-not-resolved` where it cannot be run, or takes more than ten minutes.
    """
    command = [sys.executable, "-m", "uv", "--color", "never", "--no-progress", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT")}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as problem:
        raise TreadleError("packages-not-resolved", f"uv cannot be run: {problem}") from problem
