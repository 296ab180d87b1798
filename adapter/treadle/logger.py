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
_OF_LOGGING = frozenset({"args", "extra", "exc_info", "stack_info", "stacklevel"})
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

    `args` is a dict; what Python's `logging` takes beside the message is taken too.

    `LOG_LEVEL` (debug, info, warn, error; info unless set) says what is left out.
    """

    __slots__ = ("_fields",)

    def __init__(self, *, trace_id: str, step: str, flows: tuple[str, ...], request_id: str) -> None:
        self._fields = {"traceId": trace_id, "step": step, "flows": flows, "requestId": request_id}

    def debug(self, message: object, *args: object, **fields: object) -> None:
        self._log("debug", message, args, fields)

    def info(self, message: object, *args: object, **fields: object) -> None:
        self._log("info", message, args, fields)

    def warn(self, message: object, *args: object, **fields: object) -> None:
        self._log("warn", message, args, fields)

    def warning(self, message: object, *args: object, **fields: object) -> None:
        self._log("warn", message, args, fields)

    def error(self, message: object, *args: object, **fields: object) -> None:
        self._log("error", message, args, fields)

    def exception(self, message: object, *args: object, **fields: object) -> None:
        """Like `error`, with the stack of the exception that is being handled."""
        self._log("error", message, args, {"exc_info": True, **fields})

    def failure(self, message: str, error: BaseException, args: Mapping[str, object] | None = None) -> None:
        """Logs `error` with its stack: the adapter's own word on what a step did."""
        self._log("error", message, () if args is None else (args,), {"exc_info": error})

    def _log(self, level: str, message: object, args: tuple[object, ...], keywords: dict[str, object]) -> None:
        if _LEVELS[level] < _LEAST_LEVEL:
            return
        error = None
        fields = None if keywords else _only_dict(args)
        if fields is None:
            message, fields, error = _as_of_logging(message, args, keywords)
        line: dict[str, object] = {
            "level": level,
            "time": int(time.time() * 1000),
            "msg": _text(message),
            **self._fields,
        }
        for key, value in fields.items():
            line[f"_{key}" if key in _RESERVED else _text(key)] = value
        if error is not None:
            line.update(error_fields(error))
        write_line(line)


def _only_dict(args: tuple[object, ...]) -> Mapping[object, object] | None:
    """The one argument that is Motia's, or none: an empty dict; None where there are others."""
    if not args:
        return {}
    return args[0] if len(args) == 1 and isinstance(args[0], dict) else None  # pyright: ignore[reportUnknownVariableType]


def _as_of_logging(
    message: object, args: tuple[object, ...], keywords: Mapping[str, object]
) -> tuple[object, dict[object, object], BaseException | None]:
    """The text, the fields and the exception of a call as Python's `logging` takes it, which real steps write too.

    `args` fill the message's `%s`, or are fields where they are dicts, and `data` otherwise; `exc_info` is the
    exception; `extra` and all other keywords are fields.
    """
    fields: dict[object, object] = {}
    rest: list[object] = []
    if args and isinstance(message, str) and not isinstance(args[0], dict):
        text = _formatted(message, args)
        message, args = (message, args) if text is None else (text, ())
    for value in (*args, *(keywords[key] for key in ("args", "extra") if key in keywords)):
        if isinstance(value, dict):
            fields.update(value)  # pyright: ignore[reportUnknownArgumentType]
        elif value is not None:
            rest.append(value)
    fields.update((key, value) for key, value in keywords.items() if key not in _OF_LOGGING)
    if rest:
        fields["data"] = rest[0] if len(rest) == 1 else rest
    return message, fields, _exception(keywords.get("exc_info"))


def _formatted(message: str, args: tuple[object, ...]) -> str | None:
    try:
        return message % args
    except Exception:  # no format, or one of other arguments
        return None


def _exception(given: object) -> BaseException | None:
    """What `exc_info` stands for: an exception, what `sys.exc_info()` returned, or true for the one being handled."""
    if isinstance(given, tuple):
        given = next((part for part in given if isinstance(part, BaseException)), None)  # pyright: ignore[reportUnknownVariableType]
    return given if isinstance(given, BaseException) else sys.exception() if given else None


def error_fields(error: BaseException) -> dict[str, object]:
    """Type, message and stack of `error` as log fields; the adapter's own frames above the step's are left out."""
    import traceback

    from treadle.fingerprint import project_traceback

    stack = traceback.format_exception(type(error), error, project_traceback(error))
    return {"errorType": type(error).__name__, "errorMessage": str(error), "stack": "".join(stack)}
