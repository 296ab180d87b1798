"""Message move tasks: what lies in a dead-letter queue, moved back or elsewhere at a given rate on the clock."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, cast

from treadle_local.aws.service import Caller, Params, Result
from treadle_local.clock import Clock, Timer
from treadle_local.sqs.errors import (
    invalid_parameter,
    invalid_value,
    missing_parameter,
    no_such_task,
    resource_not_found,
    task_not_active,
)
from treadle_local.sqs.keeping import KeptMove
from treadle_local.sqs.message import Message, new_message_id
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.registry import Registry

MOST_MESSAGES_PER_SECOND = 500
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html"""
_TASKS_LISTED = 10
_MESSAGES_AT_ONCE = 500

Status = Literal["RUNNING", "COMPLETED", "CANCELLED", "FAILED"]


class _Task:
    """One move, from the queue `source` to where `move` says; it may have begun in another process."""

    def __init__(self, source: Queue, move: KeptMove, clock: Clock) -> None:
        self.source = source
        self.handle = move.handle
        self.moved = move.moved
        self.status: Status = "RUNNING"
        self.failure_reason: str | None = None
        self._move = move
        self._clock = clock
        self._goes_on_at = clock.now()
        self._timer: Timer | None = None

    def begin(self, resolve: Callable[[str], Queue | None]) -> None:
        """Has it go on from now, as soon as whoever asked for it was answered."""
        self._goes_on_at = self._clock.now()
        self._timer = self._clock.call_at(self._goes_on_at, lambda: self.run(resolve))

    def run(self, resolve: Callable[[str], Queue | None]) -> None:
        """Moves what is due by now and comes back for the rest."""
        self._move_those_due(resolve)
        self.tell()

    def tell(self) -> None:
        """Tells how far it is, so that it outlives the process."""
        if self.source.keeper is not None:
            self.source.keeper.moving(replace(self._move, moved=self.moved) if self.status == "RUNNING" else None)

    def cancel(self) -> None:
        self.status = "CANCELLED"
        if self._timer is not None:
            self._timer.cancel()
        self.tell()

    def _move_those_due(self, resolve: Callable[[str], Queue | None]) -> None:
        now, rate, to_move = self._clock.now(), self._move.rate, self._move.to_move
        moved_here = self.moved - self._move.moved
        # a message is due each `1 / rate` seconds; without a rate, many at a time with turns of the loop between
        due = _MESSAGES_AT_ONCE if rate is None else int((now - self._goes_on_at) * rate + 1e-6) - moved_here
        for _ in range(min(due, to_move - self.moved)):
            if not self._move_one(resolve):
                return
        if self.source.closed:
            self._fail("AWS.SimpleQueueService.NonExistentQueue")
        elif self.moved >= to_move:
            self.status = "COMPLETED"
        else:
            when = now if rate is None else self._goes_on_at + (self.moved - self._move.moved + 1) / rate
            self._timer = self._clock.call_at(when, lambda: self.run(resolve))

    def render(self) -> Result:
        """A `ListMessageMoveTasksResultEntry`; its handle is shown only while the task runs."""
        result: Result = {
            "Status": self.status,
            "SourceArn": self.source.arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self._move.to_move,
            "StartedTimestamp": int(self._move.started_at * 1000),
        }
        optional = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "DestinationArn": self._move.destination_arn,
            "MaxNumberOfMessagesPerSecond": self._move.rate,
            "FailureReason": self.failure_reason,
        }
        return result | {name: value for name, value in optional.items() if value is not None}

    def _move_one(self, resolve: Callable[[str], Queue | None]) -> bool:
        """Moves the next message; False where the task has ended over it."""
        destination: Queue | None = None

        def may_go(died_in: str | None) -> bool:
            nonlocal destination
            arn = self._move.destination_arn or died_in
            destination = resolve(arn) if arn else None
            if destination is None:
                self._fail("AWS.SimpleQueueService.NonExistentQueue" if arn else "CouldNotDetermineMessageSource")
            return destination is not None

        message = self.source.pop(may_go)
        if message is not None and destination is not None:
            destination.send(_anew(message, self._clock.now()))
            self.moved += 1
            return True
        if self.status == "RUNNING":
            self.status = "COMPLETED"
        return False

    def _fail(self, reason: str) -> None:
        self.status = "FAILED"
        self.failure_reason = reason


class MessageMoves:
    """The operations on message move tasks; each takes and returns AWS's shapes.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._tasks: dict[str, deque[_Task]] = {}
        self._restored: list[_Task] = []
        self._all_queues_are_there = False

    def restore(self, source: Queue, move: KeptMove) -> None:
        """Takes over a task that ran when the process before this one ended; it goes on when all queues are there."""
        self._restored.append(self._add(source, move))
        if self._all_queues_are_there:
            self.go_on()

    def go_on(self) -> None:
        """Has the tasks go on that were restored: where their messages go to is there again, if it ever will be."""
        self._all_queues_are_there = True
        for task in self._restored:
            if task.status == "RUNNING":
                task.begin(self._registry.resolve)
        self._restored.clear()

    def start_message_move_task(self, params: Params, caller: Caller) -> Result:
        source = self._queue(params, "SourceArn")
        destination_arn: str | None = params.get("DestinationArn") or None
        rate = _between(params, "MaxNumberOfMessagesPerSecond", None, MOST_MESSAGES_PER_SECOND)
        if not any(self._sources_of(source)):
            raise invalid_value("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn is not None:
            _check_destination(source, self._queue(params, "DestinationArn"))
        if any(task.status == "RUNNING" for task in self._of(source)):
            raise invalid_value(
                "There is already a task running. Only one active task is allowed for a source queue arn "
                "at a given time."
            )
        handle = _new_handle(source.arn)
        move = KeptMove(handle, destination_arn, rate, self._clock.now(), source.counts().visible, 0)
        task = self._add(source, move)
        task.tell()
        task.begin(self._registry.resolve)
        return {"TaskHandle": task.handle}

    def list_message_move_tasks(self, params: Params, caller: Caller) -> Result:
        source = self._queue(params, "SourceArn")
        most = _between(params, "MaxResults", 1, _TASKS_LISTED)
        return {"Results": [task.render() for task in itertools.islice(self._of(source), most)]}

    def cancel_message_move_task(self, params: Params, caller: Caller) -> Result:
        handle: str = params.get("TaskHandle") or ""
        if not handle:
            raise missing_parameter("TaskHandle")
        arn = source_of_handle(handle)
        source = self._registry.resolve(arn) if arn else None
        if arn is None:
            raise invalid_value("Value for parameter TaskHandle is invalid.")
        if source is None:
            raise resource_not_found("SourceArn")
        task = next((task for task in self._of(source) if task.handle == handle), None)
        if task is None:
            raise no_such_task()
        if task.status != "RUNNING":
            raise task_not_active()
        task.cancel()
        return {"ApproximateNumberOfMessagesMoved": task.moved}

    def _add(self, source: Queue, move: KeptMove) -> _Task:
        task = _Task(source, move, self._clock)
        self._tasks.setdefault(source.arn, deque(maxlen=_TASKS_LISTED)).appendleft(task)
        return task

    def _queue(self, params: Params, parameter: str) -> Queue:
        arn: str = params.get(parameter) or ""
        if not arn:
            raise missing_parameter(parameter)
        queue = self._registry.resolve(arn)
        if queue is None:
            raise resource_not_found(parameter)
        return queue

    def _of(self, source: Queue) -> list[_Task]:
        """The tasks of this very queue, the latest first; not those of one that had its name before."""
        return [task for task in self._tasks.get(source.arn, ()) if task.source is source]

    def _sources_of(self, dead_letter_queue: Queue) -> list[str]:
        return [
            registered.queue.arn
            for registered in self._registry
            if (redrive := registered.queue.settings.redrive) and redrive.dead_letter_arn == dead_letter_queue.arn
        ]


def _new_handle(source_arn: str) -> str:
    handle = {"taskId": str(uuid.uuid4()), "sourceArn": source_arn}
    return base64.b64encode(json.dumps(handle).encode()).decode()


def source_of_handle(handle: str) -> str | None:
    """The ARN of the source queue that a task handle names; None for what is no handle."""
    try:
        document: object = json.loads(base64.b64decode(handle, validate=True))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    arn = cast("dict[str, object]", document).get("sourceArn")
    return arn if isinstance(arn, str) else None


def _anew(message: Message, now: float) -> Message:
    """The message as its destination gets it: a new one, by id and time."""
    return replace(message, message_id=new_message_id(), sent_at=now)


def _check_destination(source: Queue, destination: Queue) -> None:
    if destination is source:
        raise invalid_value("Source queue arn and destination queue arn cannot be the same.")
    if destination.settings.fifo != source.settings.fifo:
        raise invalid_value("Source queue and destination queue must be of the same type.")


def _between(params: Params, name: str, default: int | None, most: int) -> int | None:
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or not 1 <= value <= most:
        raise invalid_parameter(value, name, f"Must be between 1 and {most}, if provided.")
    return value
