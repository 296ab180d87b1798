"""The npm stream clients that Motia's users have, and the browser that some of them run in, as a test drives them."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from support.dev import wait_until

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class _Process:
    """A Node process that takes JSON lines and gives JSON lines."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(
            command, cwd=CLIENTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[dict[str, Any]] = []
        self._errors = ""
        self._reader = threading.Thread(target=self._read)
        self._error_reader = threading.Thread(target=self._read_errors)
        self._reader.start()
        self._error_reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors = self._process.stderr.read()

    def send(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def alive(self) -> bool:
        if self._process.poll() is not None:
            self._error_reader.join(5)
            raise AssertionError(f"the client ended: {self._errors}")
        return True

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._error_reader.join(5)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class NodeClient(_Process):
    """`@motiadev/stream-client-node`, unmodified."""

    def __init__(self, address: str, *protocols: str) -> None:
        super().__init__("node", "node_client.mjs", address, *protocols)

    def do(self, command: str, **arguments: object) -> None:
        """Sends a command and waits until the client has taken it."""
        before = len(self.lines)
        self.send({"do": command, **arguments})
        wait_until(command, lambda: self.alive() and {"done": command} in self.lines[before:])

    def states(self, name: str) -> list[Any]:
        """Every state that a subscription has had, in order."""
        return [line["state"] for line in list(self.lines) if line.get("name") == name and "state" in line]

    def events(self, name: str) -> list[Any]:
        return [line["data"] for line in list(self.lines) if line.get("name") == name and "event" in line]


class Browser(_Process):
    """Headless Chromium with one page."""

    def __init__(self) -> None:
        found = next(filter(None, map(shutil.which, _BROWSERS)), None)
        if found is None:
            pytest.skip("no Chromium here, and no right to install one")
        super().__init__("node", "browser.mjs", found)

    def do(self, command: str, argument: object = None) -> Any:
        """Runs a command and gives its result."""
        number = len(self.lines)
        self.send({command: argument})
        wait_until(command, lambda: self.alive() and len(self.lines) > number, 60)
        answer = self.lines[number]
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def evaluate(self, expression: str) -> Any:
        return self.do("evaluate", expression)


def build_pages(folder: Path) -> None:
    """Bundles the pages as a user's bundler would."""
    esbuild = CLIENTS / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--jsx=automatic", f"--outdir={folder}", "--log-level=warning"]
    subprocess.run([esbuild, "browser_page.js", "react_page.jsx", *options], cwd=CLIENTS, check=True)
    for name in ("browser_page", "react_page"):
        page = f'<!doctype html><title>{name}</title><body><div id="root"></div><script src="{name}.js"></script>'
        (folder / f"{name}.html").write_text(page)


@contextlib.contextmanager
def served(folder: Path) -> Generator[str]:
    """The address at which the files of a folder are."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base names it
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
