"""`make demo`: the messaging example in the emulator, seen from outside with plain clients (urllib and boto3)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3

EXAMPLE = Path(__file__).resolve().parent / "messaging"
T = TypeVar("T")


@contextlib.contextmanager
def emulator() -> Iterator[dict[str, Any]]:
    """`treadle dev` on the example, on free ports; gives what it prints when it is ready."""
    command = [Path(sys.executable).with_name("treadle"), "dev", EXAMPLE, "--port", "0", "--aws-port", "0"]
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


def main() -> None:
    title("treadle dev examples/messaging")
    with emulator() as ready:
        print(f"  ready in {ready['seconds']} s   HTTP {ready['http']}   AWS {ready['aws']}")
        aws = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")

        title("1. A request becomes a 201")
        body = json.dumps({"text": "hi", "userId": "u1"}).encode()
        request = urllib.request.Request(
            f"{ready['http']}/messages", body, {"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            status, answer, trace = response.status, json.load(response), response.headers["x-trace-id"]
        print(f"  POST /messages {body.decode()}\n  {status} {json.dumps(answer)}\n  trace {trace}")
        if (status, answer) != (201, {"text": "hi", "userId": "u1", "status": "sent"}):
            raise SystemExit("that is not what the handler returns")

        title("2. Both steps' states, read by boto3 at the AWS endpoint")
        items = aws.client("dynamodb", endpoint_url=ready["aws"])
        for group, expected in (("messages", "sent"), ("processed", "processed")):
            key = {"group": {"S": group}, "key": {"S": "u1"}}

            def look(key: dict[str, Any] = key) -> dict[str, Any] | None:
                found = items.get_item(TableName="messaging--dev--state", Key=key, ConsistentRead=True)
                item: dict[str, Any] | None = found.get("Item")
                return item

            item = wait_for(f"the state of group {group}", look)
            print(f"  {group}/u1 = {json.dumps(item['value'])}")
            if item["value"]["M"]["status"]["S"] != expected:
                raise SystemExit(f"the status in {group} is not {expected}")

        title("3. One trace id across api → topic → queue → step, from CloudWatch Logs")
        logs = aws.client("logs", endpoint_url=ready["aws"])

        def records() -> list[dict[str, Any]] | None:
            groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
            lines = [
                json.loads(event["message"])
                for group in groups
                for event in logs.filter_log_events(logGroupName=group, filterPattern=f'"{trace}"')["events"]
            ]
            found = [line for line in lines if line.get("treadle") == "invocation" and line["traceId"] == trace]
            return found if len(found) >= 2 else None

        for record in sorted(wait_for("two invocation records", records), key=lambda record: record["startMs"]):
            print(f"  {json.dumps(record, ensure_ascii=False)}")
    title("done")


main()
