"""An app's two system functions over a fake AWS: their events, their tables, and handlers that run in this process."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.live import broadcast, websocket
from treadle.live.process import SystemProcess
from treadle.names import Names
from treadle.shapes import LambdaHandler

from .fake_aws import FakeAws
from .step_folder import event_file

Json = dict[str, Any]

NAMES = Names("shop", "dev")
CONNECTIONS = NAMES.connections_table()
STREAM = "messages"
CREDENTIALS = {
    "TREADLE_APP": "shop",
    "TREADLE_STAGE": "dev",
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
_REGION_AND_ACCOUNT = "us-east-2:123456789012"


def system_slice(system: str, *streams: str, **changes: Any) -> Json:
    """The manifest slice of one of the system functions."""
    named = {name: {"source": None, "checksAccess": False, "isOpen": True} for name in streams or (STREAM,)}
    return {"manifest": 1, "system": system, "streams": named, "telemetry": None, "authenticate": None, **changes}


def system_folder(folder: Path, system: str, *streams: str) -> Path:
    """A folder as of the unpacked zip of a system function, without the adapter."""
    (folder / system / "treadle").mkdir(parents=True)
    (folder / system / "treadle" / "system.json").write_text(json.dumps(system_slice(system, *streams)))
    return folder / system


def connecting(
    connection: str, headers: Mapping[str, str] | None = None, query: Mapping[str, list[str]] | None = None
) -> Json:
    event = _of(connection, "websocket_connect.json")
    for name, value in (headers or {}).items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    if query:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["multiValueQueryStringParameters"] = dict(query)
    return event


def disconnecting(connection: str) -> Json:
    return _of(connection, "websocket_disconnect.json")


def saying(connection: str, body: object, route_key: str = "$default") -> Json:
    """The event of a message; a text is its body as it stands."""
    event = _of(connection, "websocket_message.json")
    event["requestContext"]["routeKey"] = route_key
    event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


_request_times = itertools.count(int(time.time() * 1000))


def connected(aws: FakeAws) -> list[Json]:
    """The rows of connections and followers, without the notes that items of a group have had followers."""
    return [row for row in aws.rows(CONNECTIONS) if row["member"]["S"] != "items"]


def joining(connection: str, group: Any, item_id: Any = None, subscription: Any = "s1", **data: Any) -> Json:
    return _about("join", connection, group, item_id, subscription, data)


def leaving(connection: str, group: Any, item_id: Any = None, subscription: Any = "s1", **data: Any) -> Json:
    return _about("leave", connection, group, item_id, subscription, data)


def _about(kind: str, connection: str, group: Any, item_id: Any, subscription: Any, data: Json) -> Json:
    whole = {"streamName": STREAM, "groupId": group, "id": item_id, "subscriptionId": subscription, **data}
    given = {name: value for name, value in whole.items() if value is not None}
    return saying(connection, {"type": kind, "data": given}, kind)


def _of(connection: str, name: str) -> Json:
    event = event_file(name)
    event["requestContext"]["connectionId"] = connection
    event["requestContext"]["connectedAt"] = int(time.time() * 1000)
    event["requestContext"]["requestTimeEpoch"] = next(_request_times)
    return event


class StreamRows:
    """Writes the rows of a stream's table as a step does, and tells what its change stream says of it.

    Time stands still but for the writes: each is ten milliseconds after the one before.
    """

    def __init__(self, aws: FakeAws, stream: str = STREAM, group: str = "inbox") -> None:
        self.table = NAMES.stream_table(stream)
        self._aws = aws
        self._group = group
        self._now_ms = (int(time.time()) - 5) * 1000  # a whole second, of which records have no parts
        self._serial = 0
        self._rows: dict[str, Json] = {}

    def items(self) -> dict[str, Json]:
        """What clients should see."""
        return {
            item_id: {**{name: field["S"] for name, field in row["value"]["M"].items()}, "id": item_id}
            for item_id, row in self._rows.items()
        }

    def set(self, item_id: str, text: str = "hi", **changes: Any) -> Json:
        self._now_ms += 10
        row = {
            **self._key(item_id),
            "value": {"M": {"text": {"S": text}}},
            "version": {"N": "1"},
            "timestamp": {"N": str(self._now_ms)},
            **changes,
        }
        self._aws.put(self.table, row)
        old = self._rows.get(item_id)
        self._rows[item_id] = row
        return self.record("INSERT" if old is None else "MODIFY", item_id, old, row)

    def delete(self, item_id: str) -> Json:
        self._now_ms += 10
        old = self._rows.pop(item_id)
        self._aws.remove(self.table, self._key(item_id))
        return self.record("REMOVE", item_id, old, None)

    def send(self, event_type: str, data: Json, item_id: str | None = None) -> Json:
        """The record of an event that is sent to the group, or to one item."""
        row_id = "\x00" + "0" * 32
        row = {
            **self._key(row_id),
            "value": {"M": {"type": {"S": event_type}, "data": data}},
            "timestamp": {"N": str(self._now_ms)},
            **({} if item_id is None else {"item": {"S": item_id}}),
        }
        return self.record("INSERT", row_id, None, row)

    def record(self, name: str, item_id: str, old: Json | None, new: Json | None) -> Json:
        record: Json = event_file("dynamodb_stream.json")["Records"][0]
        self._serial += 1
        change = record["dynamodb"]
        change.update(Keys=self._key(item_id), SequenceNumber=f"{self._serial:021d}")
        change["ApproximateCreationDateTime"] = float(self._now_ms // 1000)
        change.pop("NewImage")
        images = {"OldImage": old, "NewImage": new}
        change.update({image: copy.deepcopy(row) for image, row in images.items() if row is not None})
        arn = f"arn:aws:dynamodb:{_REGION_AND_ACCOUNT}:table/{self.table}/stream/2026-05-30T10:11:12.013"
        return record | {"eventName": name, "eventSourceARN": arn}

    def _key(self, item_id: str) -> Json:
        return {"group": {"S": self._group}, "id": {"S": item_id}}


class Context:
    """What Lambda passes beside the event."""

    aws_request_id = "8f5e1a52-0000-4000-8000-000000000002"

    def __init__(self, remaining_ms: int = 30_000, function: str = "shop--dev--_treadle-broadcast") -> None:
        self.invoked_function_arn = f"arn:aws:lambda:{_REGION_AND_ACCOUNT}:function:{function}:live"
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


class LiveApp:
    """Both system functions in this process, over one fake AWS."""

    def __init__(self, aws: FakeAws, websocket_process: SystemProcess, broadcast_process: SystemProcess) -> None:
        self.aws = aws
        self.rows = StreamRows(aws)
        self._processes = (websocket_process, broadcast_process)
        self._websocket: LambdaHandler = websocket.start(websocket_process)
        self._broadcast: LambdaHandler = broadcast.start(broadcast_process)

    @classmethod
    def over_http(cls, aws: FakeAws, folder: Path, *streams: str) -> LiveApp:
        folders = [str(system_folder(folder, system, *streams)) for system in ("websocket", "broadcast")]
        return cls(aws, SystemProcess("websocket", folders[0]), SystemProcess("broadcast", folders[1]))

    def close(self) -> None:
        """Ends the connections to the fake AWS."""
        for process in self._processes:
            process.close()

    def connect(self, *connections: str) -> None:
        for connection in connections:
            assert self.send(connecting(connection)) == {"statusCode": 200}
            self.aws.sockets[connection] = []

    def send(self, event: Json, remaining_ms: int = 30_000) -> Json:
        """What the websocket function answers to an event."""
        return self._websocket(event, Context(remaining_ms))

    def announce(self, *records: Json, remaining_ms: int = 30_000) -> list[str]:
        """The sequence numbers that the broadcast function wants again of a batch."""
        answer = self._broadcast({"Records": list(records)}, Context(remaining_ms))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def frames(self, connection: str) -> list[Json]:
        """What a connection has been sent since the last call."""
        frames, self.aws.sockets[connection] = self.aws.sockets[connection], []
        return frames
