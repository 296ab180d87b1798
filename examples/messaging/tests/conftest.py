"""The app in Treadle's emulator, for all tests: `pytest` in the project's folder runs them."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from websockets.sync.client import connect

PROJECT = Path(__file__).resolve().parents[1]
BESIDE_PYTHON = Path(sys.executable).with_name("treadle")
TREADLE = str(BESIDE_PYTHON) if BESIDE_PYTHON.exists() else shutil.which("treadle")


class App:
    """A running `treadle dev`: `http` and `ws` are its addresses."""

    def __init__(self, folder, ready):
        self.folder = folder
        self.http = ready["http"]
        self.ws = ready["ws"]

    def request(self, method, path, body=None, headers=None):
        """The status of the answer, and its body: parsed where it is JSON."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.http + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, parsed(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, parsed(answer)

    @contextlib.contextmanager
    def follow(self, stream, group="default"):
        """A client that follows a group of a stream, in sync with what is there."""
        with connect(self.ws) as socket:
            join = {"streamName": stream, "groupId": group, "subscriptionId": "test"}
            socket.send(json.dumps({"type": "join", "data": join}))
            yield Follower(socket)

    def wait_until(self, look, seconds=30):
        """The first answer of `look` that is not false: what steps do in the background takes its time."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)
        return found

    def treadle(self, *arguments):
        """Runs a command of Treadle's on the running app."""
        subprocess.run([TREADLE, *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)


class Follower:
    """What a client is told. As Motia's clients do, it drops what is not newer than what it knows of an item."""

    def __init__(self, socket):
        self._socket = socket
        self._newest = {}
        self.items = json.loads(socket.recv(timeout=30))["event"]["data"]

    def next(self, item_id=None):
        """The next event, or the next one of this item: `{"type", "data"}`."""
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            event, told_id = message["event"], message["event"]["data"]["id"]
            is_newer = message["timestamp"] > self._newest.get(told_id, 0)
            self._newest[told_id] = max(message["timestamp"], self._newest.get(told_id, 0))
            if is_newer and item_id in (None, told_id):
                return event


def parsed(answer):
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers.get("content-type", "") else text


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """A copy of the project, so that the tests and a `treadle dev` of yours do not meet."""
    folder = tmp_path_factory.mktemp("copy") / PROJECT.name
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules", "tests"))
    command = [TREADLE, "dev", folder, "--port", "0", "--aws-port", "0", "--no-watch", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in running.stdout:
            happening = json.loads(line)
            if happening["event"] == "ready":
                yield App(folder, happening)
                return
        pytest.exit(f"treadle dev did not start: {running.stderr.read()}", 1)
    finally:
        running.terminate()
        running.communicate(timeout=30)
