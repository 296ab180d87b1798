"""A process of its own for each environment, where there is no preloaded parent to fork it from."""

from __future__ import annotations

import os
import sys

from treadle_local.functions.guest.client import run, search_path
from treadle_local.functions.guest.sandbox import end_with_parent


def main() -> None:
    """argv: handler, layers' folder or "", the folder that this was found in."""
    handler, layers, found_in = sys.argv[1], sys.argv[2] or None, sys.argv[3]
    end_with_parent()
    runtime_folder = os.environ["LAMBDA_RUNTIME_DIR"]
    standard = [entry for entry in sys.path if entry not in (found_in, runtime_folder)]
    sys.path[:] = [*search_path(os.environ["LAMBDA_TASK_ROOT"], layers, runtime_folder), *standard]
    run(handler)
