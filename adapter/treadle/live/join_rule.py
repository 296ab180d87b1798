"""Asks a stream's `onJoin`, as streams of Motia 1.0 say who may follow them."""

from __future__ import annotations

from treadle.invoke import call_handler
from treadle.json_values import object_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from treadle.logger import Logger
    from treadle.shapes import Json, UserHandler


class JoinedSubscription(dict[str, "Any"]):
    """`{"groupId", "id"}`, the latter for one item only; `group_id` and `id` are attributes too, None where absent."""

    __slots__ = ()

    @property
    def group_id(self) -> Any:
        return self["groupId"]

    groupId = group_id  # noqa: N815 - as the key is spelled

    @property
    def id(self) -> Any:
        return self.get("id")


class JoinContext:
    """What `onJoin` gets beside the subscription: it may log, and writes nothing."""

    __slots__ = ("logger", "traceId", "trace_id")

    def __init__(self, logger: Logger, trace_id: str) -> None:
        self.logger = logger
        self.trace_id = self.traceId = trace_id

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the context of `onJoin` has no `{name}`; it has `logger` and `trace_id`")


def lets_join(rule: UserHandler, subscription: dict[str, Json], context: Json, trace_id: str, logger: Logger) -> bool:
    """False where the rule returns `{"unauthorized": True}`, a dict or an object. Raises what the rule raises."""
    arguments = (JoinedSubscription(subscription), JoinContext(logger, trace_id), context)
    answer = call_handler(rule, arguments, logger)
    fields = object_or_none(answer)
    refuses = getattr(answer, "unauthorized", None) if fields is None else fields.get("unauthorized")
    return not refuses
