"""All queues of the account and region: found by URL, name or ARN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from treadle_local.aws.service import Region
from treadle_local.sqs.errors import invalid_address, queue_does_not_exist
from treadle_local.sqs.queue import Queue

REST_SECONDS = 60
"""How long the name of a deleted queue cannot be used again.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
"""


class RegisteredQueue:
    """A queue with what only its owner asks about."""

    __slots__ = ("created_at", "modified_at", "purged_at", "queue", "tags")

    def __init__(self, queue: Queue, tags: dict[str, str], now: float) -> None:
        self.queue = queue
        self.tags = tags
        self.created_at = now
        self.modified_at = now
        self.purged_at: float | None = None


class Registry:
    """The queues by name and by ARN. `base_url` is where the emulator's AWS endpoint answers."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.base_url = "http://127.0.0.1:4566"
        self._by_name: dict[str, RegisteredQueue] = {}
        self._by_arn: dict[str, Queue] = {}
        self.on_queue: list[Callable[[Queue], None]] = []
        self._deleted_at: dict[str, float] = {}

    def __iter__(self) -> Iterator[RegisteredQueue]:
        """All queues in order of their names."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def arn(self, name: str) -> str:
        return self.region.arn("sqs", name)

    def url(self, name: str) -> str:
        return f"{self.base_url}/{self.region.account}/{name}"

    def add(self, registered: RegisteredQueue) -> None:
        self._by_name[registered.queue.name] = registered
        self._by_arn[registered.queue.arn] = registered.queue
        for callback in self.on_queue:
            callback(registered.queue)

    def remove(self, registered: RegisteredQueue, now: float) -> None:
        del self._by_name[registered.queue.name]
        del self._by_arn[registered.queue.arn]
        self._deleted_at = {name: at for name, at in self._deleted_at.items() if now - at < REST_SECONDS}
        self._deleted_at[registered.queue.name] = now

    def rests(self, name: str, now: float) -> bool:
        """Whether a queue of this name was deleted so lately that none can be created."""
        deleted_at = self._deleted_at.get(name)
        return deleted_at is not None and now - deleted_at < REST_SECONDS

    def named(self, name: str) -> RegisteredQueue | None:
        return self._by_name.get(name)

    def resolve(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it is there."""
        return self._by_arn.get(arn)

    def at(self, url: str) -> RegisteredQueue:
        """The queue that a `QueueUrl` names. Raises: `QueueDoesNotExist`, `InvalidAddress`."""
        account, name = split_url(url)
        registered = self._by_name.get(name)
        if registered is None or account != self.region.account:
            raise queue_does_not_exist()
        return registered


@lru_cache(maxsize=4096)
def split_url(url: str) -> tuple[str, str]:
    """Account and queue name of a queue URL, whatever its host; a slash may end it. Raises: `InvalidAddress`."""
    rest, _, name = url.removesuffix("/").rpartition("/")
    account = rest.rpartition("/")[2]
    if not name or not account.isdigit():
        raise invalid_address(url)
    return account, name
