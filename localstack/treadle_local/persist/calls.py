"""Tables and queues that were made by hand, not by a stack: the calls that made them, done again at the next start."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.persist.journal import Journal, Notice
from treadle_local.sqs.registry import split_url

Call = Callable[[str, str, Params], Awaitable[Result]]
"""Does an operation of a service."""

_MADE_BY = {"dynamodb": "CreateTable", "sqs": "CreateQueue"}
_DELETED_BY = {"dynamodb": "DeleteTable", "sqs": "DeleteQueue"}
_CHANGED_BY = {
    "dynamodb": ("UpdateTable", "UpdateTimeToLive", "TagResource", "UntagResource"),
    "sqs": ("SetQueueAttributes", "TagQueue", "UntagQueue", "AddPermission", "RemovePermission"),
}


class RememberedCalls:
    """Rows by resource (`sqs work`), in the order of the calls; of a queue only those that make it as it is now.

    `is_of_a_stack` tells of a service's resource whether a stack has made it: that one comes back with its stack.
    """

    def __init__(
        self,
        journal: Journal,
        is_of_a_stack: Callable[[str, str], bool],
        calls_that_make_queue: Callable[[str], Sequence[tuple[str, Params]]],
        notice: Notice,
    ) -> None:
        self._journal = journal
        self._is_of_a_stack = is_of_a_stack
        self._calls_that_make_queue = calls_that_make_queue
        self._notice = notice
        self._numbers = {owner: sum(1 for _ in journal.rows("call", owner)) for owner in journal.owners("call")}

    def after(self, service: str, operation: str, params: Params) -> None:
        """Notes a call from outside that has succeeded, where it made or changed a table or a queue."""
        if service not in _MADE_BY:
            return
        if operation == _MADE_BY[service]:
            name = _name(service, params)
            if f"{service} {name}" not in self._numbers and not self._is_of_a_stack(service, name):
                self._add(service, name, operation, params)
        elif operation in _CHANGED_BY[service]:
            name = _name(service, params)
            if f"{service} {name}" in self._numbers:
                self._add(service, name, operation, params)
        elif operation == _DELETED_BY[service]:
            owner = f"{service} {_name(service, params)}"
            if self._numbers.pop(owner, None) is not None:
                self._journal.drop_all("call", owner)

    def _add(self, service: str, name: str, operation: str, params: Params) -> None:
        owner, calls = f"{service} {name}", [(operation, params)]
        if service == "sqs":
            self._numbers[owner] = 0
            self._journal.drop_all("call", owner)
            calls = [*self._calls_that_make_queue(name)]
        for called, given in calls:
            number = self._numbers[owner] = self._numbers.get(owner, 0) + 1
            self._journal.put("call", owner, f"{number:09}", [called, dict(given)])

    async def replay(self, call: Call) -> None:
        """Makes again what was made by hand. What is refused now is told, and keeps nothing else from coming back.

        What is refused waits for the others first: a queue may name another one for its dead letters, in a circle even.
        """
        left = {
            owner: deque(row for _, row in self._journal.rows("call", owner)) for owner in self._journal.owners("call")
        }
        while left:
            refusals = {owner: await _advance(call, owner, calls) for owner, calls in left.items()}
            advanced = any(done for done, _ in refusals.values())
            left = {owner: calls for owner, calls in left.items() if calls}
            for owner, calls in () if advanced else tuple(left.items()):
                operation, _ = calls.popleft()
                self._notice(owner.partition(" ")[2], f"not made again as it was: {operation}: {refusals[owner][1]}")


async def _advance(call: Call, owner: str, calls: deque[Any]) -> tuple[int, str]:
    """Makes a resource's calls up to the first that is refused, and takes them off; how many, and that refusal."""
    service, done = owner.partition(" ")[0], 0
    while calls:
        operation, params = calls[0]
        try:
            await call(service, operation, params)
        except AwsError as refusal:
            return done, refusal.message
        calls.popleft()
        done += 1
    return done, ""


def _name(service: str, params: Mapping[str, Any]) -> str:
    """The name of the resource that a call is about."""
    if service == "sqs":
        return str(params.get("QueueName") or split_url(str(params["QueueUrl"]))[1])
    return str(params.get("TableName") or params.get("ResourceArn", "")).rsplit("/", 1)[-1]
