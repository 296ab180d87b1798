"""`context.logger` and the one way in which the adapter writes to the log: JSON objects, one a line, on stdout."""

from __future__ import annotations

import json
import os
import sys
import time

from treadle.json_values import to_json_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}
_LEAST_LEVEL = _LEVELS.get(os.environ.get("LOG_LEVEL", "info").lower(), _LEVELS["info"])
_RESERVED = frozenset({"level", "time", "msg", "traceId", "step", "flows", "requestId"})
_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode
"""What contains itself ends in a RecursionError here, and is then written as `to_json_value` has it."""


def write_line(fields: Mapping[str, object]) -> None:
    """Writes one JSON object as one line; what is no JSON is written as its `repr`. Never raises."""
    try:
        text = _encode(fields)
    except (TypeError, ValueError, RecursionError):
        text = _encode({str(key): _loggable(value) for key, value in fields.items()})
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return  # a closed stdout must not fail a step


def _loggable(value: object) -> object:
    if isinstance(value, BaseException):
        return _text(value, repr)
    try:
        return to_json_value(value, "value")
    except Exception:
        return _text(value, repr)


def _text(value: object, convert: Callable[[object], str] = str) -> str:
    try:
        return convert(value)
    except Exception:
        return f"<{type(value).__qualname__}>"


class Logger:
    """Writes `{"level", "time" (ms), "msg", "traceId", "step", "flows", "requestId", **args}` for each call.

    `LOG_LEVEL` (debug, info, warn, error; info unless set) says what is left out.
    """

    __slots__ = ("_fields",)

    def __init__(self, *, trace_id: str, step: str, flows: tuple[str, ...], request_id: str) -> None:
        self._fields = {"traceId": trace_id, "step": step, "flows": flows, "requestId": request_id}

    def debug(self, message: object, args: object = None) -> None:
        self._log("debug", message, args)

    def info(self, message: object, args: object = None) -> None:
        self._log("info", message, args)

    def warn(self, message: object, args: object = None) -> None:
        self._log("warn", message, args)

    def warning(self, message: object, args: object = None) -> None:
        self._log("warn", message, args)

    def error(self, message: object, args: object = None) -> None:
        self._log("error", message, args)

    def exception(self, message: object, args: object = None) -> None:
        """Like `error`, with the stack of the exception that is being handled."""
        error = sys.exception()
        self._log("error", message, args, {} if error is None else error_fields(error))

    def failure(self, message: str, error: BaseException, args: Mapping[str, object] | None = None) -> None:
        """Logs `error` with its stack: the adapter's own word on what a step did."""
        self._log("error", message, args, error_fields(error))

    def _log(self, level: str, message: object, args: object, extra: Mapping[str, object] | None = None) -> None:
        if _LEVELS[level] < _LEAST_LEVEL:
            return
        line: dict[str, object] = {
            "level": level,
            "time": int(time.time() * 1000),
            "msg": _text(message),
            **self._fields,
        }
        if args is not None:
            for key, value in _arguments(args).items():
                line[f"_{key}" if key in _RESERVED else _text(key)] = value
        if extra:
            line.update(extra)
        write_line(line)


def _arguments(args: object) -> Mapping[object, object]:
    if isinstance(args, dict):
        return args  # pyright: ignore[reportUnknownVariableType]
    return {"data": args}


def error_fields(error: BaseException) -> dict[str, object]:
    """Type, message and stack of `error` as log fields; the adapter's own frames above the step's are left out."""
    import traceback

    from treadle.fingerprint import project_traceback

    stack = traceback.format_exception(type(error), error, project_traceback(error))
    return {"errorType": type(error).__name__, "errorMessage": str(error), "stack": "".join(stack)}
