"""What acts in the run that is under way: `enqueue`, `stateManager`, `Stream`, `logger`. Calls need no `await`."""

from __future__ import annotations

import sys

from treadle.motia.awaited import is_awaited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any


def _context() -> Any:
    """The context of the run that is under way. Raises: RuntimeError where there is none."""
    process = sys.modules.get("treadle.process")
    context = process.running_context() if process is not None else None
    if context is None:
        raise RuntimeError("no handler runs: `enqueue`, `stateManager` and `Stream` work inside a handler only")
    return context


def _done(call: Any) -> Any:
    """What an awaitable call of the context comes to, now; the call itself where the step awaits it."""
    if is_awaited(2):
        return call
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the call suspended")


class _Nothing:
    """Nothing, which may be awaited."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield

    def __bool__(self) -> bool:
        return False


_NOTHING = _Nothing()


def enqueue(message: dict[str, Any]) -> _Nothing:
    """Sends `{"topic": ..., "data": ...}` to all steps that have a trigger on the topic; it may be awaited."""
    _done(_context().emit(message))
    return _NOTHING


emit = enqueue


class StateManager:
    """The app's state, by scope and key."""

    def get(self, scope: str, key: str) -> Any:
        return _done(_context().state.get(scope, key))

    def set(self, scope: str, key: str, value: Any) -> dict[str, Any]:
        """Returns `{"old_value", "new_value"}`."""
        changed: dict[str, Any] = _done(
            _context().state.update(scope, key, [{"type": "set", "path": "", "value": value}])
        )
        return changed

    def update(self, scope: str, key: str, ops: Any) -> dict[str, Any]:
        changed: dict[str, Any] = _done(_context().state.update(scope, key, ops))
        return changed

    def delete(self, scope: str, key: str) -> Any:
        return _done(_context().state.delete(scope, key))

    def get_group(self, scope: str) -> Any:
        return _done(_context().state.get_group(scope))

    def list_groups(self) -> Any:
        return _done(_context().state.list_groups())

    def clear(self, scope: str) -> _Nothing:
        _done(_context().state.clear(scope))
        return _NOTHING

    list = get_group


stateManager = state_manager = StateManager()  # noqa: N816 - Motia's name


class Stream:
    """A stream of the app by its name: `Stream("todos").set("inbox", "1", {...})`."""

    def __init__(self, name: Any) -> None:
        self.name: str = name if isinstance(name, str) else name["name"]

    def __class_getitem__(cls, _item: object) -> type[Stream]:
        return cls

    def _stream(self) -> Any:
        return _context().streams[self.name]

    def get(self, group_id: str, item_id: str) -> Any:
        return _done(self._stream().get(group_id, item_id))

    def set(self, group_id: str, item_id: str, data: Any) -> Any:
        return _done(self._stream().set(group_id, item_id, data))

    def update(self, group_id: str, item_id: str, ops: Any) -> Any:
        return _done(self._stream().update(group_id, item_id, ops))

    def delete(self, group_id: str, item_id: str) -> Any:
        return _done(self._stream().delete(group_id, item_id))

    def get_group(self, group_id: str) -> Any:
        return _done(self._stream().get_group(group_id))

    def list_groups(self) -> Any:
        return _done(self._stream().list_groups())

    def send(self, channel: Any, event: Any) -> _Nothing:
        _done(self._stream().send(channel, event))
        return _NOTHING

    list = get_group


class Logger:
    """The run's log. What is logged where no handler runs goes out as plain lines."""

    def _log(self, level: str, message: object, args: tuple[object, ...], fields: dict[str, object]) -> None:
        try:
            logger = _context().logger
        except RuntimeError:
            print(message, *args, *([fields] if fields else ()))
        else:
            getattr(logger, level)(message, *args, **fields)

    def info(self, message: object, *args: object, **fields: object) -> None:
        self._log("info", message, args, fields)

    def warn(self, message: object, *args: object, **fields: object) -> None:
        self._log("warn", message, args, fields)

    warning = warn

    def error(self, message: object, *args: object, **fields: object) -> None:
        self._log("error", message, args, fields)

    def exception(self, message: object, *args: object, **fields: object) -> None:
        self._log("exception", message, args, fields)

    def debug(self, message: object, *args: object, **fields: object) -> None:
        self._log("debug", message, args, fields)


logger = Logger()
