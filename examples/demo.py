"""`make demo`: the messaging example in the emulator, seen from outside: urllib, a WebSocket client, boto3, `treadle`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

EXAMPLE = Path(__file__).resolve().parent / "messaging"
TREADLE = Path(sys.executable).with_name("treadle")
T = TypeVar("T")


@contextlib.contextmanager
def emulator() -> Iterator[dict[str, Any]]:
    """`treadle dev` on the example, on free ports; gives what it prints when it is ready."""
    command = [TREADLE, "dev", EXAMPLE, "--port", "0", "--aws-port", "0", "--clock", "manual"]
    log = tempfile.TemporaryFile("w+")
    process = subprocess.Popen([*command, "--json", "--no-watch"], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            happening = json.loads(line)
            if happening["event"] == "ready":
                yield happening
                return
        log.seek(0)
        raise SystemExit(f"treadle dev ended before it was ready:\n{log.read()}")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 20.0) -> T:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"not seen in {seconds:.0f} s: {what}")


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else f"\n{text}")


class Follower:
    """A WebSocket client that follows groups, and prints what it is told."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.messages: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def join(self, stream: str) -> None:
        subscription = {"streamName": stream, "groupId": "default", "subscriptionId": f"demo-{stream}"}
        self._socket.send(json.dumps({"type": "join", "data": subscription}))

    def told(self, stream: str, kind: str) -> bool:
        return any(one["streamName"] == stream and one["event"]["type"] == kind for one in self.messages)

    def _read(self) -> None:
        try:
            for text in self._socket:
                message = json.loads(text)
                name, event = f"{message['streamName']}/{message['groupId']}", message["event"]
                print(f"  {name:<18} {event['type']:<7} {json.dumps(event['data'])}")
                self.messages.append(message)
        except ConnectionClosed:
            return

    def close(self) -> None:
        self._socket.close()
        self._reader.join()


def post(url: str, path: str, body: object) -> tuple[int, Any, str | None]:
    """Status, answer and trace id."""
    request = urllib.request.Request(
        f"{url}{path}", json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, json.load(response), response.headers["x-trace-id"]


def state(items: Any, group: str, key: str) -> dict[str, Any] | None:
    """A value of the state table as DynamoDB has it."""
    keys = {"group": {"S": group}, "key": {"S": key}}
    item = items.get_item(TableName="messaging--dev--state", Key=keys, ConsistentRead=True).get("Item")
    return item["value"]["M"] if item else None


def main() -> None:
    title("treadle dev examples/messaging")
    with emulator() as ready:
        print(f"  ready in {ready['seconds']} s   HTTP {ready['http']}   WebSocket {ready['ws']}   AWS {ready['aws']}")
        aws = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
        items = aws.client("dynamodb", endpoint_url=ready["aws"])

        title("1. A client follows three streams over one WebSocket")
        with connect(ready["ws"]) as socket:
            follower = Follower(socket)
            for stream in ("messages", "processed", "summary"):
                follower.join(stream)
                wait_for(f"the sync of {stream}", lambda stream=stream: follower.told(stream, "sync"))

            title("2. A request becomes a 201, an event, two states, and an update for whoever follows")
            body = {"text": "hi", "userId": "u1"}
            status, answer, trace = post(ready["http"], "/messages", body)
            print(f"  POST /messages {json.dumps(body)}\n  {status} {json.dumps(answer)}")
            if (status, answer) != (201, {"text": "hi", "userId": "u1", "status": "sent"}) or trace is None:
                raise SystemExit("that is not what the handler returns")
            for stream in ("messages", "processed"):
                wait_for(f"the create on {stream}", lambda stream=stream: follower.told(stream, "create"))
            post(ready["http"], "/messages", {"text": "hi again", "userId": "u1"})
            wait_for("the update", lambda: follower.told("processed", "update"))

            title("3. The states, read by boto3 at the AWS endpoint")
            for group, expected in (("messages", "sent"), ("processed", "processed")):
                value = wait_for(f"the state of {group}", lambda group=group: state(items, group, "u1"))
                print(f"  {group}/u1 = {json.dumps(value)}")
                if value["status"]["S"] != expected:
                    raise SystemExit(f"the status in {group} is not {expected}")

            title("4. A day passes on the manual clock, and the cron step runs at nine")
            post(ready["aws"], "/__treadle/clock", {"advance_seconds": 86_400})
            wait_for("the summary", lambda: follower.told("summary", "create"))
            print(f"  summaries/daily = {json.dumps(wait_for('it', lambda: state(items, 'summaries', 'daily')))}")
            follower.close()

        title(f"5. One trace through all of it: treadle trace {trace}")
        print(treadle("trace", str(trace)))
    title("done")


def treadle(*arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run([TREADLE, *arguments, "-C", EXAMPLE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"treadle {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.rstrip()


main()
