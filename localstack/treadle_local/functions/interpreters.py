"""The Python that each runtime means on this machine, with AWS's runtime client for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from treadle_infra.app.findings import TreadleError
from treadle_infra.interpreters import LAMBDA_PYTHON, Interpreter, find_python
from treadle_local.functions.runtime_client import runtime_folder

_log = logging.getLogger("treadle.functions")


class Interpreters:
    """Looks for a runtime's interpreter when the first function needs it, and remembers what came of it."""

    def __init__(self, interpreter: Interpreter, folder: Callable[[], Path]) -> None:
        """`interpreter` is the one for the runtime of Treadle's own functions, `folder` where its client is."""
        self._interpreter = interpreter
        self._folder = folder
        self._others: dict[str, asyncio.Future[tuple[str, Path]]] = {}

    def default(self) -> tuple[str, Path]:
        """The path of the interpreter for Treadle's own functions, and the folder of its client."""
        return self._interpreter.path, self._folder()

    async def of(self, runtime: str) -> tuple[str, Path]:
        """The path of a runtime's interpreter, and the folder of its client.

        Raises TreadleError `runtime-not-supported`, `interpreter-missing`, `runtime-client-missing`.
        """
        if runtime in (f"python{self._interpreter.wanted}", f"python{self._interpreter.version}"):
            return self.default()
        if not runtime.startswith("python"):
            message = f"the runtime {runtime} is not supported by Treadle's emulator yet"
            raise TreadleError("runtime-not-supported", message)
        if runtime not in self._others:
            self._others[runtime] = asyncio.ensure_future(asyncio.to_thread(_find, runtime.removeprefix("python")))
        finding = self._others[runtime]
        try:
            return await asyncio.shield(finding)
        except TreadleError:
            self._others.pop(runtime, None)  # it may be installed meanwhile
            raise


def _find(version: str) -> tuple[str, Path]:
    interpreter = find_python(version)
    if interpreter is None:
        raise TreadleError(
            "interpreter-missing",
            f"the runtime python{version} needs Python {version}, and this machine has none",
            hint=f"install it (uv python install {version}), or give the function the runtime python{LAMBDA_PYTHON}",
        )
    return interpreter.path, runtime_folder(interpreter, _log.info)
