"""A server that speaks the HTTP of DynamoDB, SNS and SQS as far as the adapter does, and remembers what it was asked.

It knows no rules of AWS: those are the emulator's, whose own tests hold it to them. Here an answer can be made to fail.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

Json = dict[str, Any]


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


def failure(code: str, message: str = "no", status: int = 400, headers: dict[str, str] | None = None) -> Reply:
    body = json.dumps({"__type": f"com.amazonaws.service#{code}", "message": message}).encode()
    return Reply(status, body, headers or {})


def xml_failure(code: str, message: str, status: int = 400) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"content-type": "text/xml"})


class FakeAws:
    """Answers every operation with success, unless `replies[operation]` has replies left; those go first."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: dict[str, list[Reply]] = {}
        self.items: dict[str, dict[str, Json]] = {}
        self._connections = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_address[1]}"}

    def of(self, operation: str) -> list[Json]:
        """The payloads of one operation, in order."""
        return [asked.payload for asked in self.asked if asked.operation == operation]

    def _answer(self, operation: str, payload: Json) -> Reply:
        replies = self.replies.get(operation)
        if replies:
            return replies.pop(0)
        if operation == "Publish":
            return Reply(
                body=b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
            )
        answer: Callable[[Json], Json] | None = getattr(self, f"_{operation}", None)
        return Reply(body=json.dumps({} if answer is None else answer(payload)).encode())

    def _table(self, payload: Json) -> dict[str, Json]:
        return self.items.setdefault(payload["TableName"], {})

    def _UpdateItem(self, payload: Json) -> Json:  # noqa: N802 - AWS's names
        item = {**payload["Key"], "value": payload["ExpressionAttributeValues"][":value"]}
        self._table(payload)[json.dumps(payload["Key"])] = item
        return {"ConsumedCapacity": {"TableName": payload["TableName"], "CapacityUnits": 1.0}}

    def _GetItem(self, payload: Json) -> Json:  # noqa: N802
        item = self._table(payload).get(json.dumps(payload["Key"]))
        return {"ConsumedCapacity": {"CapacityUnits": 0.5}, **({} if item is None else {"Item": item})}

    def _DeleteItem(self, payload: Json) -> Json:  # noqa: N802
        item = self._table(payload).pop(json.dumps(payload["Key"]), None)
        return {"ConsumedCapacity": {"CapacityUnits": 1.0}, **({} if item is None else {"Attributes": item})}

    def _Query(self, payload: Json) -> Json:  # noqa: N802
        """Pages of two items."""
        (group,) = payload["ExpressionAttributeValues"].values()
        items = [item for item in self._table(payload).values() if item["group"] == group]
        if "ProjectionExpression" in payload:
            wanted = [payload["ExpressionAttributeNames"][name] for name in payload["ProjectionExpression"].split(", ")]
            items = [{name: item[name] for name in wanted} for item in items]
        start = int(payload.get("ExclusiveStartKey", {"at": 0})["at"])
        more = {"LastEvaluatedKey": {"at": start + 2}} if len(items) > start + 2 else {}
        return {"Items": items[start : start + 2], "ConsumedCapacity": {"CapacityUnits": 1.0}, **more}

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
                raw = self.rfile.read(int(self.headers["content-length"]))
                target = self.headers.get("x-amz-target")
                if target is None:
                    payload: Json = {key: values[0] for key, values in parse_qs(raw.decode(), True).items()}
                    operation = payload["Action"]
                else:
                    payload, operation = json.loads(raw), target.rpartition(".")[2]
                headers = {name.lower(): value for name, value in self.headers.items()}
                with fake._lock:
                    fake.asked.append(Asked(operation, payload, headers, self.number))
                    reply = fake._answer(operation, payload)
                self._reply(reply)

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
                else:
                    self.send_header("content-length", str(len(reply.body)))
                    body = reply.body
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
