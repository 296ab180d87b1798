"""AWS's runtime client (and the SDK that Lambda brings) for an interpreter, installed once into the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from treadle_infra.app.findings import TreadleError
from treadle_infra.interpreters import Interpreter, user_cache

RUNTIME_PACKAGES = ("awslambdaric==4.2.2", "boto3==1.44.5")
"""What stands for /var/runtime: the runtime interface client, and boto3, which Lambda's Python runtimes include.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""


def runtime_folder(interpreter: Interpreter, on_install: Callable[[str], None]) -> Path:
    """The folder to put on PYTHONPATH, made where it is missing. Safe when two processes ask at once.

    Raises TreadleError `runtime-client-missing` with the installer's words.
    """
    key = "_".join((f"python{interpreter.version}", interpreter.platform, *RUNTIME_PACKAGES)).replace("==", "-")
    folder = user_cache() / "runtime" / key
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            on_install(f"installing AWS's Lambda runtime client for Python {interpreter.version} (once per machine)")
            _install(interpreter, folder)
    return folder


def _install(interpreter: Interpreter, folder: Path) -> None:
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--link-mode", "copy", "--compile-bytecode"]
    command += ["--python", interpreter.path, "--target", str(fresh), *RUNTIME_PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise TreadleError(
            "runtime-client-missing",
            f"AWS's Lambda runtime client cannot be installed for {interpreter.path}: {done.stderr.strip()[-500:]}",
            hint="the first start on a machine needs a Python package index; later ones do not",
        )
    fresh.replace(folder)
