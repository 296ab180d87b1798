"""Says which errors are the same error: by type and place in the project's own code, not by line or message."""

# ruff: noqa: PTH100, PTH120 - pathlib is not loaded at a cold start
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_ADAPTER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAMES = 3


def project_traceback(error: BaseException) -> TracebackType | None:
    """The error's traceback from the first frame that is not the adapter's; all of it where every frame is."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_ADAPTER):
        trace = trace.tb_next
    return trace or error.__traceback__


def fingerprint(error: BaseException, project_root: str) -> str:
    """Twelve hex digits that stay the same while a step is edited around the error's place.

    Made of the error's type and the last three frames inside the project, each as file and function.
    """
    import hashlib

    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(project_root + os.sep):
            frames.append(f"{code.co_filename[len(project_root) + 1 :]}:{code.co_qualname}")
        trace = trace.tb_next
    text = "\n".join([f"{type(error).__module__}.{type(error).__qualname__}", *frames[-_FRAMES:]])
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]
