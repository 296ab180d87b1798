"""Has step files imported by a process on the project's interpreter, which may hang, crash or print as it likes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import treadle
from treadle_infra.app.findings import TreadleError
from treadle_infra.discovery.child import DESCRIPTORS_CLOSED
from treadle_infra.discovery.environment import import_environment

CHILD = Path(__file__).with_name("child.py")
LOADER = Path(treadle.__file__).with_name("loader.py")

RUNTIME_PACKAGES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "six",
    "snapshot_restore_py",
    "treadle",
    "urllib3",
)
"""What Lambda's Python runtime has installed.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""

Answer = Mapping[str, Any]
"""One line of the child's, as its module docstring says."""

Request = tuple[str, str]
"""A file, relative to the project, and the function in it to tell of."""

CRASHED_CODE = "import-crashed"
TIMED_OUT_CODE = "import-timed-out"
FAILED_CODE = "import-failed"
"""Findings about a file that does not come back, comes back too late, or raises."""

_START_SECONDS = 20.0
_PRINTED_BYTES = 4_000
_PRINTED_LINES = 10
_PRINTED_WIDTH = 200
_ANSWER_BYTES = 16_000_000
_TICK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`extra_paths`: folders with the project's third-party packages, for `sys.path`; `packages` what is in them.

    `variables`: what the project's settings say that functions have in their environment.
    """

    interpreter: str
    timeout_seconds: float
    extra_paths: tuple[str, ...] = ()
    bytecode_folder: Path | None = None
    spare: SpareChild | None = field(default=None, compare=False)
    packages: frozenset[str] = frozenset()
    variables: tuple[tuple[str, str], ...] = ()


def import_files(project: Path, requests: Sequence[Request], options: ImportOptions) -> dict[Request, Answer]:
    """What the child tells of each file; `project` is absolute.

    All files go through one process, one after another. A file that does not come back has an `error` as its answer and
    the next ones a new process. What an earlier file may have caused (a thread left behind, a library patched) counts
    only if it happens in a new process too.
    Raises: TreadleError `interpreter-not-usable`.
    """
    answers: dict[Request, Answer] = {}
    pending = list(requests)
    while pending:
        spare = options.spare
        with _Child(project, options) if spare is None else spare.take(project, options) as child:
            child.start()
            served = 0
            while pending:
                try:
                    answer = child.ask(pending[0])
                except _GoneError as gone:
                    if served == 0 or gone.is_certain:
                        answers[pending.pop(0)] = _gone(gone)
                    break
                if served and _may_be_anothers_fault(answer):
                    break
                answers[pending.pop(0)] = answer
                served += 1
    return answers


def _may_be_anothers_fault(answer: Answer) -> bool:
    failure: Mapping[str, Any] | None = answer.get("error")
    return failure is not None and failure.get("module") is None


def _gone(gone: _GoneError) -> Answer:
    return {"error": {"code": gone.code, "message": str(gone), "line": 1, "printed": gone.printed}}


class _GoneError(Exception):
    """The child will not answer. `is_certain`: the file asked for last is why."""

    def __init__(self, message: str, printed: str, *, is_certain: bool, code: str = CRASHED_CODE) -> None:
        super().__init__(message)
        self.code = code
        self.printed = printed
        self.is_certain = is_certain


class SpareChild:
    """A process for the next import, as its start takes longer than most imports. It imports once and is gone."""

    def __init__(self) -> None:
        self._wanted: tuple[Path, ImportOptions] | None = None
        self._child: _Child | None = None

    def take(self, project: Path, options: ImportOptions) -> _Child:
        """A process for an import as these options say; the `with` starts it where it does not run already."""
        child, self._child = self._child, None
        self._wanted = project, options
        if child is None or child.is_for(project, options):
            return child or _Child(project, options)
        child.stop()
        return _Child(project, options)

    def prepare(self) -> None:
        """Starts the process that will be wanted if the next import is like the last one."""
        if self._wanted is not None and self._child is None:
            child = _Child(*self._wanted)
            with contextlib.suppress(TreadleError):  # who takes one then is told
                self._child = child.__enter__()

    def close(self) -> None:
        """Ends the process."""
        if self._child is not None:
            self._child.stop()
            self._child = None


class _Child:
    """A process of `child.py` with its pipes, in a process group of its own; gone when the `with` ends."""

    def __init__(self, project: Path, options: ImportOptions) -> None:
        self._project = project
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._answer = bytearray()
        self._printed = bytearray()
        self._open: list[int] = []
        self._environment = import_environment(project, dict(options.variables))

    def is_for(self, project: Path, options: ImportOptions) -> bool:
        """Whether it runs, and as one would run that is started now."""
        same = (self._project, self._options) == (project, options)
        return (
            same
            and self._environment == import_environment(project, dict(options.variables))
            and self._process.poll() is None
        )

    def __enter__(self) -> _Child:
        if self._open:
            return self
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._output, output = os.pipe()
        self._open = [self._requests, self._answers, self._output]
        theirs = (requests, answers, output)
        try:
            self._process = subprocess.Popen(
                [self._options.interpreter, "-I", "-S", "-B", str(CHILD), str(requests), str(answers)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(requests, answers),
                env=self._environment,
                cwd=self._project,
                start_new_session=True,
            )
        except OSError as problem:
            self._close()
            raise _not_usable(self._options.interpreter, str(problem.strerror)) from problem
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        for descriptor in (self._answers, self._output):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._send(self._setup())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the process."""
        self._kill()
        self._close()

    def start(self) -> None:
        """Returns once the child runs. Raises: TreadleError `interpreter-not-usable`."""
        try:
            self._receive(_START_SECONDS)
        except _GoneError as gone:
            reason = gone.printed.strip().splitlines()[-1:] or [str(gone)]
            raise _not_usable(self._options.interpreter, reason[0]) from gone

    def _setup(self) -> object:
        options = self._options
        return {
            "root": str(self._project),
            "loader": str(LOADER),
            "extra_paths": [os.path.abspath(path) for path in options.extra_paths],  # noqa: PTH100 - links stay links
            "runtime_packages": runtime_packages(),
            "bytecode_folder": str(options.bytecode_folder) if options.bytecode_folder else None,
        }

    def ask(self, request: Request) -> Answer:
        """What the child tells of the file, with what it printed if the import failed. Raises: _GoneError."""
        self._printed.clear()
        self._send(request)
        answer = self._receive(self._options.timeout_seconds)
        failure: object = answer.get("error")
        if isinstance(failure, dict):
            failure["printed"] = self._tail()
        return answer

    def _send(self, request: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # the reading end tells what happened
            os.write(self._requests, json.dumps(request).encode() + b"\n")

    def _receive(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        self._answer.clear()
        while not self._answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or len(self._answer) > _ANSWER_BYTES:
                self._kill()
                self._read(self._output)
                if left > 0:
                    raise _GoneError("its config is far too large", self._tail(), is_certain=True)
                late = f"it is still not imported after {seconds:g} s"
                raise _GoneError(late, self._tail(), is_certain=True, code=TIMED_OUT_CODE)
            ready = self._selector.select(min(left, _TICK_SECONDS))
            closed = [key.fd for key, _ in ready if not self._read(key.fd)]
            if self._answers in closed or (not ready and self._process.poll() is not None):
                raise self._ended()
            for descriptor in closed:
                self._selector.unregister(descriptor)
        self._read(self._output)
        try:
            answer: object = json.loads(self._answer)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise _GoneError("it writes to a file descriptor that is not its own", self._tail(), is_certain=True)
        return answer  # pyright: ignore[reportUnknownVariableType]

    def _ended(self) -> _GoneError:
        try:
            status = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            status = DESCRIPTORS_CLOSED
        self._read(self._output)
        if status == DESCRIPTORS_CLOSED:
            return _GoneError("it closes file descriptors that are not its own", self._tail(), is_certain=False)
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return _GoneError(f"it ends the process that imports it ({how})", self._tail(), is_certain=False)

    def _read(self, descriptor: int) -> bool:
        """Takes what a pipe has in it; False where it is closed. Only the end of what was printed is kept."""
        for _ in range(64):
            try:
                content = os.read(descriptor, 65_536)
            except BlockingIOError:
                return True
            if not content:
                return False
            if descriptor == self._answers:
                self._answer += content
                return True
            self._printed += content
            del self._printed[:-_PRINTED_BYTES]
        return True

    def _tail(self) -> str:
        lines = self._printed.decode("utf-8", "replace").splitlines()
        return "\n".join(line[:_PRINTED_WIDTH] for line in lines[-_PRINTED_LINES:])

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _close(self) -> None:
        self._selector.close()
        for descriptor in self._open:
            os.close(descriptor)


@cache
def runtime_packages() -> dict[str, str]:
    """Folders with the packages that Lambda's runtime brings: Treadle's own copies, which are pure Python."""
    return dict(_locate_runtime_packages())


def _locate_runtime_packages() -> Iterator[tuple[str, str]]:
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        yield name, str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)


def _not_usable(interpreter: str, reason: str) -> TreadleError:
    return TreadleError(
        "interpreter-not-usable",
        f"{interpreter} cannot import the project's steps: {reason}",
        hint="Treadle needs a Python of version 3.9 or newer, the Lambda runtime's version for choice",
    )
