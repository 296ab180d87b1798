"""Where the step's app has its topics, queues and tables: computed from names, never looked up."""

from __future__ import annotations

import os

from treadle.errors import ConfigurationError
from treadle.names import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.aws.client import AwsClient


class Resources:
    """The physical names of one app on one stage in one account and region, and the client that reaches them."""

    __slots__ = ("_client", "_seconds_left", "_topics", "account", "names", "partition", "region")

    def __init__(
        self, partition: str, region: str, account: str, names: Names, seconds_left: Callable[[], float]
    ) -> None:
        self.partition = partition
        self.region = region
        self.account = account
        self.names = names
        self._topics: dict[str, str] = {}
        self._client: AwsClient | None = None
        self._seconds_left = seconds_left

    @classmethod
    def of_function(cls, function_arn: str, seconds_left: Callable[[], float]) -> Resources:
        """Those of the function with this ARN: `arn:<partition>:lambda:<region>:<account>:function:<name>[:<alias>]`.

        `seconds_left` tells how long the running invocation may still take.
        Raises: ConfigurationError.
        """
        parts = function_arn.split(":")
        if len(parts) < 7 or parts[0] != "arn":
            raise ConfigurationError(f"`{function_arn}` is not the ARN of a function")
        return cls(
            parts[1], parts[3], parts[4], Names(_variable("TREADLE_APP"), _variable("TREADLE_STAGE")), seconds_left
        )

    @property
    def client(self) -> AwsClient:
        """The client for AWS, made on first use: its imports cost more than the rest of the adapter."""
        if self._client is None:
            from treadle.aws.client import AwsClient

            self._client = AwsClient(self.region, self.partition, self._seconds_left)
        return self._client

    def topic_arn(self, topic: str, *, fifo: bool = False) -> str:
        arn = self._topics.get(topic)
        if arn is None:
            name = self.names.topic(topic, fifo=fifo)
            arn = self._topics[topic] = f"arn:{self.partition}:sns:{self.region}:{self.account}:{name}"
        return arn

    def queue_arn(self, queue: str) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{queue}"

    def queue_url(self, queue: str) -> str:
        return f"{self.client.endpoint('sqs').url}/{self.account}/{queue}"


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set")
    return value
