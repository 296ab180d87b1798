"""Queues whose messages outlive the emulator: written down as they come, are received and go."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeAlias

from treadle_local.persist.journal import Journal
from treadle_local.persist.rollbacks import QUEUE, Rollbacks
from treadle_local.sqs.admission import DeduplicationKey
from treadle_local.sqs.keeping import KeptMessage, KeptMove
from treadle_local.sqs.message import Message, MessageAttribute, Sent
from treadle_local.sqs.queue import Queue
from treadle_local.sqs.remembered import WINDOW_SECONDS

RestoreMove: TypeAlias = Callable[[Queue, KeptMove], None]
"""Is given a move task that ran out of a queue when the emulator ended."""

_ANSWERS_BETWEEN_SWEEPS = 1_000


class KeptQueues:
    """Watches queues. Messages are rows by queue and serial number; a queue that is deleted takes its rows along.

    What was in flight when the emulator ended is visible after the restart: whoever had it is gone too, or will be
    told that its receipt is an old one; the receive counts. Messages whose queue does not come back stay,
    and so do those of one that a deployment had made again before it failed.
    """

    def __init__(self, journal: Journal, rollbacks: Rollbacks, restore_move: RestoreMove) -> None:
        self._journal = journal
        self._rollbacks = rollbacks
        self._restore_move = restore_move

    def opened(self, queue: Queue) -> None:
        """Fills a new queue with what was kept of it, and keeps what comes from now on."""
        name = queue.name
        token: str | None = next((row["token"] for _, row in self._journal.rows("queue", name)), None)
        answers = [(_key_of(row), Sent(*row["sent"]), row["at"]) for _, row in self._journal.rows("seen message", name)]
        messages = {int(key): _message_of(row) for key, row in self._journal.rows("message", name)}
        queue.restore(token, messages, answers)
        if token is None:
            self._journal.put("queue", name, "", {"token": queue.token})
        queue.keeper = _KeptQueue(self._journal, name, self._rollbacks if token is not None else None)
        for _, row in self._journal.rows("move task", name):
            self._restore_move(queue, KeptMove(**row))


class _KeptQueue:
    """What one queue tells; see `Keeper`. `rollbacks` are those that must not forget it: it had been kept before."""

    def __init__(self, journal: Journal, name: str, rollbacks: Rollbacks | None) -> None:
        self._journal = journal
        self._name = name
        self._rollbacks = rollbacks
        self._answers = 0

    def kept(self, serial: int, kept: KeptMessage) -> None:
        self._journal.put("message", self._name, f"{serial:020}", _row_of(kept))

    def gone(self, serial: int) -> None:
        self._journal.drop("message", self._name, f"{serial:020}")

    def emptied(self) -> None:
        self._journal.drop_all("message", self._name)

    def answered(self, key: DeduplicationKey, sent: Sent, at: float) -> None:
        self._answers += 1
        if self._answers % _ANSWERS_BETWEEN_SWEEPS == 0:
            self._journal.drop_older("seen message", self._name, at - WINDOW_SECONDS)
        row = {"group": key[0], "id": key[1], "sent": list(sent), "at": at}
        self._journal.put("seen message", self._name, f"{key[0] or ''} {key[1]}", row)

    def moving(self, move: KeptMove | None) -> None:
        if move is None:
            self._journal.drop("move task", self._name, "")
        else:
            self._journal.put("move task", self._name, "", asdict(move))

    def closed(self) -> None:
        if self._rollbacks is not None and self._rollbacks.delete(QUEUE, self._name):
            return
        for kind in ("message", "seen message", "move task", "queue"):
            self._journal.drop_all(kind, self._name)


def _key_of(row: dict[str, Any]) -> DeduplicationKey:
    return row["group"], row["id"]


def _row_of(kept: KeptMessage) -> dict[str, Any]:
    message = kept.message
    return {
        "id": message.message_id,
        "body": message.body,
        "md5": message.body_md5,
        "sentAt": message.sent_at,
        "sender": message.sender_id,
        "attributes": {name: _attribute_row(attribute) for name, attribute in message.attributes.items()},
        "attributesMd5": message.attributes_md5,
        "trace": message.trace_header,
        "group": message.group_id,
        "deduplicationId": message.deduplication_id,
        "enqueuedAt": kept.enqueued_at,
        "visibleAt": kept.visible_at,
        "receives": kept.receive_count,
        "receivesHere": kept.receives_here,
        "firstReceivedAt": kept.first_received_at,
        "deadLetterSource": kept.dead_letter_source_arn,
    }


def _message_of(row: dict[str, Any]) -> KeptMessage:
    message = Message(
        message_id=row["id"],
        body=row["body"],
        body_md5=row["md5"],
        sent_at=row["sentAt"],
        sender_id=row["sender"],
        attributes={name: _attribute_of(attribute) for name, attribute in row["attributes"].items()},
        attributes_md5=row["attributesMd5"],
        trace_header=row["trace"],
        group_id=row["group"],
        deduplication_id=row["deduplicationId"],
    )
    return KeptMessage(
        message,
        enqueued_at=row["enqueuedAt"],
        visible_at=row["visibleAt"],
        receive_count=row["receives"],
        receives_here=row["receivesHere"],
        first_received_at=row["firstReceivedAt"],
        dead_letter_source_arn=row["deadLetterSource"],
    )


def _attribute_row(attribute: MessageAttribute) -> list[str]:
    """The type and the value, which is base64 text where it is binary: its type says so."""
    value = attribute.value if isinstance(attribute.value, str) else base64.b64encode(attribute.value).decode()
    return [attribute.data_type, value]


def _attribute_of(row: list[str]) -> MessageAttribute:
    data_type, value = row
    is_binary = data_type.partition(".")[0] == "Binary"
    return MessageAttribute(data_type, base64.b64decode(value) if is_binary else value)
