"""Types that only a type checker reads; no module imports this one at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]

Event = Mapping[str, Any]
"""The payload of one Lambda invocation, as AWS sends it."""

AttributeValue = dict[str, Any]
"""DynamoDB's wire form of a value: `{"S": "text"}`. Source: DynamoDB API Reference, AttributeValue."""

UserHandler = Callable[..., object]


class LambdaContext(Protocol):
    """What the adapter reads of the object that Lambda passes beside the event.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    @property
    def aws_request_id(self) -> str: ...

    @property
    def invoked_function_arn(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


class LambdaHandler(Protocol):
    def __call__(self, event: Event, lambda_context: LambdaContext) -> dict[str, Any]: ...
