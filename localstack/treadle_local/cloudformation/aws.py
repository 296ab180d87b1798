"""The way out of the engine: every AWS service is reached through one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Aws(Protocol):
    """The account in which stacks are made, with the rights of its root."""

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Does one operation and returns its response shape.

        `service` is botocore's name of it (`sqs`, `apigatewayv2`), `operation` AWS's (`CreateQueue`), parameters and
        result are in AWS's shapes; a streamed body comes as bytes. Raises: AwsError.
        """
        ...
