"""What every module of types begins with: the context of a step, as editors should know it."""

from __future__ import annotations

import re

PRELUDE = '''\
"""Types of this project for editors and type checkers, written by `treadle types`: write it anew, do not edit it."""

# ruff: noqa
# pyright: reportUnusedClass=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, Never, NotRequired, TypeAlias, TypedDict, TypeVar, overload

if not TYPE_CHECKING:

    def __getattr__(name):
        """Stands for the types of a step that is newer than this module, until it is written anew."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Any


EventT = TypeVar("EventT")
DataT = TypeVar("DataT")
ItemT = TypeVar("ItemT")
Key: TypeAlias = "str | int"


class AnyEvent(TypedDict):
    topic: str
    data: Any
    messageGroupId: NotRequired[str | int]


class Response(TypedDict):
    status: NotRequired[int]
    body: NotRequired[Any]
    headers: NotRequired[dict[str, Any]]


class Logger:
    def debug(self, message: object, *args: object, **fields: object) -> None: ...
    def info(self, message: object, *args: object, **fields: object) -> None: ...
    def warn(self, message: object, *args: object, **fields: object) -> None: ...
    def warning(self, message: object, *args: object, **fields: object) -> None: ...
    def error(self, message: object, *args: object, **fields: object) -> None: ...
    def exception(self, message: object, *args: object, **fields: object) -> None: ...


class State:
    """Values by group and key; the group may be left out."""

    async def get(self, group: Key, key: Key = "") -> Any: ...
    async def get_with_version(self, group: Key, key: Key = "") -> tuple[Any, int]:
        raise NotImplementedError

    @overload
    async def set(
        self, group: Key, key: Key, value: Any, *, ttl_seconds: float | None = None, expected_version: int | None = None
    ) -> Any: ...
    @overload
    async def set(
        self, key: Key, value: Any, /, *, ttl_seconds: float | None = None, expected_version: int | None = None
    ) -> Any: ...
    async def set(self, *arguments: Any, **keywords: Any) -> Any: ...
    async def update(self, group: Key, key: Any, ops: list[dict[str, Any]] = []) -> dict[str, Any]:
        raise NotImplementedError

    async def delete(self, group: Key, key: Key = "", *, expected_version: int | None = None) -> Any: ...
    async def get_group(self, group: Key = "default") -> list[Any]:
        raise NotImplementedError

    async def list_groups(self) -> list[str]:
        raise NotImplementedError

    async def clear(self, group: Key = "default") -> None: ...


class Stream(Generic[DataT, ItemT]):
    """Items by group and id; the group may be left out."""

    async def get(self, group_id: Key, id: Key = "") -> ItemT | None: ...
    @overload
    async def set(self, group_id: Key, id: Key, data: DataT, *, ttl_seconds: float | None = None) -> ItemT: ...
    @overload
    async def set(self, id: Key, data: DataT, /, *, ttl_seconds: float | None = None) -> ItemT: ...
    async def set(self, *arguments: Any, **keywords: Any) -> Any: ...
    async def update(self, group_id: Key, id: Any, ops: list[dict[str, Any]] = []) -> dict[str, ItemT | None]:
        raise NotImplementedError

    async def delete(self, group_id: Key, id: Key = "") -> ItemT | None: ...
    async def get_group(self, group_id: Key = "default") -> list[ItemT]:
        raise NotImplementedError

    async def list_groups(self) -> list[str]:
        raise NotImplementedError

    async def clear(self, group_id: Key = "default") -> None: ...
    async def send(self, channel: Any, event: dict[str, Any]) -> None: ...


class Context(Generic[EventT]):
    """What a handler may use; `EventT` is what it may emit."""

    trace_id: str
    traceId: str
    traceparent: str
    flows: list[str]
    logger: Logger
    state: State
    streams: Streams
    metrics: Any
    tracer: Any

    async def emit(self, event: EventT) -> None: ...


class FlowContext(Context[EventT]):
    """The context in the dialect of Motia 1.0."""

    trigger: Any
    input_value: Any

    async def enqueue(self, event: EventT) -> None: ...
    async def match(self, handlers: dict[str, Any]) -> Any: ...
    def is_api(self) -> bool:
        raise NotImplementedError

    def is_queue(self) -> bool:
        raise NotImplementedError

    def is_cron(self) -> bool:
        raise NotImplementedError

    def get_data(self) -> Any: ...
'''

PRELUDE_NAMES = frozenset(
    re.findall(r"^(?:class )?(\w+)(?:\(|:| = )", PRELUDE, re.MULTILINE)
    + re.findall(r"\w+", PRELUDE.split("from typing import")[1].split("\n")[0])
    + ["Streams"]
)
"""The names that no type of the project can have."""
