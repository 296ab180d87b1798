"""Names that annotations use, and the response that handlers make. The real objects are the adapter's."""

from __future__ import annotations

from treadle.motia.configs import Members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Shape:
    """An annotation, with or without parameters: `FlowContext`, `FlowContext[Any]`."""

    def __class_getitem__(cls, _item: object) -> type[_Shape]:
        return cls


class FlowContext(_Shape):
    """What a handler gets beside its input."""


class MotiaHttpArgs(_Shape):
    """What a handler gets for a request: `request` and `response`."""


class MotiaHttpRequest(_Shape):
    """A request."""


class MotiaHttpResponse(_Shape):
    """A response that is written bit by bit."""


class ApiRequest(_Shape):
    """A request."""


class ApiMiddleware(_Shape):
    """A function around a handler."""


class Enqueuer(_Shape):
    """A function that sends a message."""


class TriggerInfo(_Shape):
    """What has started a run."""


class TriggerConfig(_Shape):
    """Any trigger."""


class StateTriggerInput(_Shape):
    """What a handler gets for a change of state."""


class StreamTriggerInput(_Shape):
    """What a handler gets for a change of a stream."""


class StreamEvent(_Shape):
    """What has happened to a stream's item: its `type` and its `data`."""


class StepHandler(_Shape):
    """A handler."""


class StreamSubscription(_Shape):
    """What a client wants to follow."""


class StreamAuthInput(_Shape):
    """What is known of a client that connects."""


class StreamAuthResult(Members):
    """`{"authorized": bool, "context": ...}`"""


class ApiResponse(Members):
    """`ApiResponse(status=201, body={...}, headers={...})`: the dict that a handler returns."""

    def __init__(self, status: int = 200, body: Any = None, headers: Any = None) -> None:
        super().__init__(status=status, body=body, headers=headers)
