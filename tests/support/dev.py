"""`treadle dev` as its users run it: a process, seen through HTTP, boto3 and what it prints."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import boto3
from botocore.config import Config

T = TypeVar("T")
TREADLE = Path(sys.executable).with_name("treadle")
DEADLINE_SECONDS = 30.0


def wait_until(what: str, look: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
    """The first truthy answer of `look`; fails the test when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not seen in {seconds:.0f} s: {what}")
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


_making_clients = threading.Lock()


@cache
def _session() -> Any:
    """One for all: it parses the model of a service once, which takes longer than most tests."""
    return boto3.session.Session(region_name="us-east-1")


class Dev:
    """A running `treadle dev`; `happenings` are the objects that `--json` prints, in order."""

    def __init__(self, project: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.project = project
        self.happenings: list[dict[str, Any]] = []
        self._clients: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        self.process = subprocess.Popen(
            [TREADLE, "dev", project, "--port", "0", "--aws-port", "0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._errors: list[str] = []
        self._error_reader = threading.Thread(target=self._read_errors)
        self._error_reader.start()
        try:
            ready = wait_until("ready", self._ready_or_ended, 60)
        except AssertionError as problem:
            self.stop()
            raise AssertionError(f"{problem}; it says: {self.text()}") from None
        self.http_url: str = ready["http"]
        self.endpoint: str = ready["aws"]
        self.ready = ready

    def _ready_or_ended(self) -> dict[str, Any] | None:
        if self.process.poll() is not None:
            raise AssertionError(f"treadle dev ended with {self.process.returncode}")
        return self.first("ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.happenings.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)

    def text(self) -> str:
        """All that it has printed."""
        return "\n".join(json.dumps(happening) for happening in list(self.happenings)) + "".join(self._errors)

    def all(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The happenings of a kind whose fields have the given values."""
        return [
            happening
            for happening in list(self.happenings)
            if happening["event"] == event and all(happening.get(name) == value for name, value in fields.items())
        ]

    def first(self, event: str, **fields: object) -> dict[str, Any] | None:
        return next(iter(self.all(event, **fields)), None)

    def http(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request to the app's port; a body that is not bytes goes as JSON."""
        return self.request(self.http_url, method, path, body, headers)

    def request(self, url: str, method: str, path: str, body: object, headers: Mapping[str, str] | None) -> Answer:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=40)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        default = {"content-type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, data, {**default, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    def advance(self, seconds: float) -> None:
        """Turns the manual clock."""
        answer = self.request(self.endpoint, "POST", "/__treadle/clock", {"advance_seconds": seconds}, None)
        assert answer.status == 200, answer.body

    def now(self) -> float:
        """What the emulator's clock shows, in seconds since the epoch."""
        return float(self.request(self.endpoint, "GET", "/__treadle/clock", None, None).json()["now"])

    def client(self, service: str, credentials: Mapping[str, str] | None = None) -> Any:
        """A plain boto3 client at the endpoint; root's unless credentials are given."""
        keys = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        cached = (service, tuple(sorted(keys.items())))
        if cached not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
            with _making_clients:
                self._clients[cached] = _session().client(service, endpoint_url=self.endpoint, config=config, **keys)
        return self._clients[cached]

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(5)
            self._error_reader.join(5)
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()
            for client in self._clients.values():
                client.close()
        return self.process.returncode

    def __enter__(self) -> Dev:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if kind is None:
            assert code == 0, f"treadle dev ended with {code}: {self.text()[-2000:]}"
