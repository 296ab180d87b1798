"""A server that speaks the HTTP of DynamoDB, SNS, SQS and @connections as far as the adapter does.

It remembers what it was asked, and an answer can be made to fail. Items are held by the emulator's own store; of the
other services it knows no rules: those are the emulator's, whose own tests hold it to them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import ROOT, Region
from treadle_local.clock import ManualClock
from treadle_local.dynamodb.service import DynamoDbItems

Json = dict[str, Any]

API_ID = "a1b2c3d4e5"
PAGE_ITEMS = 2
_CONNECTIONS = f"/_aws/execute-api/{API_ID}/dev/@connections/"
_KEYS = {"--state": ("group", "key"), "--stream": ("group", "id"), "--connections": ("room", "member")}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on the wire. `close` ends the connection after it; `drop` ends it instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chunked: bool = False
    close: bool = False
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `connection` numbers the connections from 0."""

    operation: str
    payload: Json
    headers: dict[str, str]
    connection: int
    path: str


def failure(code: str, message: str = "no", status: int = 400, headers: dict[str, str] | None = None) -> Reply:
    body = json.dumps({"__type": f"com.amazonaws.service#{code}", "message": message}).encode()
    return Reply(status, body, headers or {})


def xml_failure(code: str, message: str, status: int = 400) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"content-type": "text/xml"})


def _asked(method: str, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[str, Json]:
    """The operation and its parameters."""
    if path.startswith(_CONNECTIONS):
        connection = {"ConnectionId": unquote(path.removeprefix(_CONNECTIONS))}
        if method == "DELETE":
            return "DeleteConnection", connection
        return "PostToConnection", {**connection, "Data": json.loads(raw)}
    target = headers.get("x-amz-target")
    if target is not None:
        return target.rpartition(".")[2], json.loads(raw)
    fields: Json = {key: values[0] for key, values in parse_qs(raw.decode(), True).items()}
    return fields["Action"], fields


class FakeAws:
    """Answers every operation with success, unless `replies[operation]` has replies left; those go first.

    `items` has the rows, under any names, that a table holds when it is first used; tables are known by their names.
    `sockets` are the open WebSocket connections with the frames that each has been sent. One in `faults` gets that
    reply to each of its frames, one in `held` none before its event is set, one in `seconds` after so long. Reading a
    room in `room_faults` gets that reply.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: dict[str, list[Reply]] = {}
        self.items: dict[str, Mapping[str, Json]] = {}
        self.page_items: int | None = PAGE_ITEMS
        self.sockets: dict[str, list[Json]] = {}
        self.faults: dict[str, Reply] = {}
        self.held: dict[str, threading.Event] = {}
        self.seconds: dict[str, float] = {}
        self.room_faults: dict[str, Reply] = {}
        self.store = DynamoDbItems(Region(), ManualClock(), self._describe)
        self._connections = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket.listen(128)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for event in self.held.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
            "TREADLE_WS_ENDPOINT": f"https://{API_ID}.execute-api.us-east-2.amazonaws.com/dev",
        }

    def of(self, operation: str) -> list[Json]:
        """The payloads of one operation, in order."""
        return [asked.payload for asked in self.asked if asked.operation == operation]

    def request(self, method: str, path: str, headers: Mapping[str, str], raw: bytes, connection: int = 0) -> Reply:
        """The answer to one request; header names are in lower case."""
        operation, payload = _asked(method, path, headers, raw)
        held = self.held.get(payload.get("ConnectionId", ""))
        with self._lock:
            self.asked.append(Asked(operation, payload, dict(headers), connection, path))
        if held is not None:
            held.wait()
        if operation == "PostToConnection" and payload["ConnectionId"] in self.seconds:
            time.sleep(self.seconds[payload["ConnectionId"]])
        with self._lock:
            return self._answer(operation, payload)

    def clear(self) -> None:
        """Forgets all that it holds and was asked."""
        self.asked = []
        self.sockets = {}
        self.store = DynamoDbItems(Region(), ManualClock(), self._describe)

    def put(self, table: str, item: Json) -> None:
        """Stores an item, unasked."""
        with self._lock:
            self._store("PutItem", {"TableName": table, "Item": item})

    def remove(self, table: str, key: Json) -> None:
        """Deletes an item, unasked."""
        with self._lock:
            self._store("DeleteItem", {"TableName": table, "Key": key})

    def rows(self, table: str) -> list[Json]:
        """All items of a table, in the order of their keys."""
        with self._lock:
            found: list[Json] = self._store("Scan", {"TableName": table})["Items"]
            return found

    def _answer(self, operation: str, payload: Json) -> Reply:
        replies = self.replies.get(operation)
        if replies:
            return replies.pop(0)
        if operation == "Publish":
            return Reply(
                body=b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
            )
        if operation in self.store.operations:
            return self._item_operation(operation, payload)
        answer: Callable[[Json], Reply] | None = getattr(self, f"_{operation}", None)
        return Reply() if answer is None else answer(payload)

    def _item_operation(self, operation: str, payload: Json) -> Reply:
        room = payload.get("ExpressionAttributeValues", {}).get(":room", {}).get("S")
        if room in self.room_faults:
            return self.room_faults[room]
        if operation in ("Query", "Scan") and self.page_items is not None:
            payload = {"Limit": self.page_items, **payload}
        try:
            return Reply(body=json.dumps(self._store(operation, payload)).encode())
        except AwsError as error:
            fields = {"__type": f"com.amazonaws.dynamodb.v20120810#{error.code}", "message": error.message}
            return Reply(error.status, json.dumps({**fields, **error.fields}).encode())

    def _store(self, operation: str, payload: Json) -> Json:
        """Raises AwsError."""
        table = payload.get("TableName", "")
        for item in self.items.pop(table, {}).values():
            self.store.handle("PutItem", {"TableName": table, "Item": item}, ROOT)
        return self.store.handle(operation, payload, ROOT)

    def _describe(self, table: str) -> Json | None:
        """The description of a table of the app's."""
        keys = next((keys for suffix, keys in _KEYS.items() if table.endswith(suffix)), None)
        if keys is None:
            return None
        return {
            "TableName": table,
            "TableArn": Region().arn("dynamodb", f"table/{table}"),
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
        }

    def _PostToConnection(self, payload: Json) -> Reply:  # noqa: N802 - AWS's names
        frames = self.sockets.get(payload["ConnectionId"])
        if frames is None:
            return Reply(410, b"", {"x-amzn-ErrorType": "GoneException"})
        fault = self.faults.get(payload["ConnectionId"])
        if fault is None:
            frames.append(payload["Data"])
        return fault or Reply(body=b"")

    def _DeleteConnection(self, payload: Json) -> Reply:  # noqa: N802
        if self.sockets.pop(payload["ConnectionId"], None) is None:
            return Reply(410, b"", {"x-amzn-ErrorType": "GoneException"})
        return Reply(204, b"")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                super().setup()
                with fake._lock:
                    self.number = fake._connections
                    fake._connections += 1

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                raw = self.rfile.read(int(headers["content-length"]))
                self._reply(fake.request(self.command, self.path, headers, raw, self.number))

            do_DELETE = do_POST  # noqa: N815 - http.server's name

            def _reply(self, reply: Reply) -> None:
                self.close_connection = reply.close or reply.drop
                if reply.drop:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.chunked:
                    self.send_header("transfer-encoding", "chunked")
                    body = b"".join(b"%x\r\n%b\r\n" % (1, reply.body[i : i + 1]) for i in range(len(reply.body)))
                    body += b"0\r\n\r\n"
                elif reply.status == 204:
                    body = b""
                else:
                    if "content-length" not in reply.headers:
                        self.send_header("content-length", str(len(reply.body)))
                    body = reply.body
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
