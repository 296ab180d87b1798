"""`treadle dev --inspect`: an editor's debugger in a step, by the protocol that editors speak."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.command import treadle
from support.debugger import Debugger
from support.dev import Dev, wait_until
from support.projects import api_step, event_step, write

BODY = '    answer = 42\n    answer += 1\n    return {"body": {"answer": answer}}'


def inspecting(*steps: str) -> list[str]:
    """The options for it, with ports that nobody has, nor is given by the system while the test runs."""
    below_those_of_the_system = range(20_000, 32_000, len(steps))
    begin = os.getpid() % len(below_those_of_the_system)
    port = next(
        first
        for first in (*below_those_of_the_system[begin:], *below_those_of_the_system[:begin])
        if all(is_free(port) for port in range(first, first + len(steps)))
    )
    return [f"--inspect-port={port}", *(f"--inspect={step}" for step in steps)]


def project(folder: Path) -> Path:
    """An API step that counts, one that emits, and an event step."""
    write(folder, "steps/count_step.py", api_step("Count", BODY))
    emitting = '    await context.emit({"topic": "order.placed", "data": {"id": "o1"}})\n    return {"body": {}}'
    write(folder, "steps/place_step.py", api_step("Place", emitting, extra=', "emits": ["order.placed"]'))
    body = '    seen = data["id"]\n    await context.state.set("seen", seen, {"id": seen})'
    ship = event_step("Ship", "order.placed", body, extra=', "infrastructure": {"handler": {"timeout": 1}}')
    return write(folder, "steps/ship_step.py", ship)


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def port_of(dev: Dev, step: str, after: int = 0) -> int:
    """Where a step waits for a debugger, as the terminal says; `after` so many earlier lines about it."""

    def told() -> list[int]:
        return [one["port"] for one in dev.all("inspected") if one["step"] == step][after:]

    return wait_until(f"{step} waiting for a debugger", told)[0]


def test_a_request_stops_at_a_breakpoint_in_the_projects_file_for_longer_than_its_timeout(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    path = app / "steps/count_step.py"
    quick = ', "infrastructure": {"handler": {"timeout": 1}}'
    write(app, "steps/count_step.py", api_step("Count", BODY, extra=quick))
    with Dev(app, *inspecting("Count")) as dev, ThreadPoolExecutor(1) as thread:
        with Debugger(port_of(dev, "Count"), {path: [line_of(path, "answer += 1")]}) as debugger:
            request = thread.submit(dev.http, "POST", "/count", {})
            standing, frames = debugger.stopped()
            assert (frames[0]["name"], frames[0]["source"]["path"]) == ("handler", str(path))
            assert debugger.local(frames[0], "answer") == "42"
            with pytest.raises(TimeoutError):
                request.result(1.5)
            debugger.ask("continue", threadId=standing)
            assert request.result(20).json() == {"answer": 43}
        assert dev.http("POST", "/count", {}).json() == {"answer": 43}


def test_an_edit_lets_the_debugger_in_again_at_the_same_port(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    path = app / "steps/count_step.py"
    with Dev(app, *inspecting("Count")) as dev, ThreadPoolExecutor(1) as thread:
        port = port_of(dev, "Count")
        write(app, "steps/count_step.py", path.read_text().replace("answer = 42", "answer = 1\n    answer = 7"))
        assert port_of(dev, "Count", after=1) == port
        with Debugger(port, {path: [line_of(path, "answer += 1")]}) as debugger:
            request = thread.submit(dev.http, "POST", "/count", {})
            standing, frames = debugger.stopped()
            assert debugger.local(frames[0], "answer") == "7"
            debugger.ask("continue", threadId=standing)
            assert request.result(20).json() == {"answer": 8}
        write(app, ".env", "COLOUR=green")
        assert port_of(dev, "Count", after=2) == port
        assert is_listening(port)


def test_a_process_that_ends_is_followed_by_one_that_waits(tmp_path: Path) -> None:
    app = write(tmp_path / "app", "steps/die_step.py", api_step("Die", "    import os\n    os._exit(3)"))
    with Dev(app, *inspecting("Die")) as dev:
        port = port_of(dev, "Die")
        assert dev.http("POST", "/die", {}).status == 500
        wait_until("the next process", lambda: is_listening(port))


def test_an_edit_ends_what_stands_at_a_breakpoint(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    path = app / "steps/count_step.py"
    with Dev(app, *inspecting("Count")) as dev, ThreadPoolExecutor(1) as thread:
        with Debugger(port_of(dev, "Count"), {path: [line_of(path, "answer += 1")]}, leaves=False) as debugger:
            request = thread.submit(dev.http, "POST", "/count", {})
            debugger.stopped()
        write(app, "steps/count_step.py", path.read_text().replace("answer = 42", "answer = 7"))
        assert request.result(20).status == 500
        port_of(dev, "Count", after=1)
        assert dev.http("POST", "/count", {}).json() == {"answer": 8}


def test_an_event_stops_at_a_breakpoint_and_each_step_has_a_port(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    path = app / "steps/ship_step.py"
    with Dev(app, *inspecting("Count", "Ship")) as dev:
        assert port_of(dev, "Count") != port_of(dev, "Ship")
        with Debugger(port_of(dev, "Ship"), {path: [line_of(path, "state.set")]}) as debugger:
            assert dev.http("POST", "/place", {}).status == 200
            standing, frames = debugger.stopped()
            assert debugger.local(frames[0], "seen") == "'o1'"
            begun = time.monotonic()
            wait_until("more than its timeout", lambda: time.monotonic() > begun + 1.5)
            debugger.ask("continue", threadId=standing)
        handled = wait_until("the event", lambda: [one for one in dev.all("handled") if one["step"] == "Ship"])
        assert [one["record"]["result"] for one in handled] == ["ok"]


def test_a_step_that_is_not_there_and_a_port_that_is_taken_are_named(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    usual = ("dev", app, "--once", "--port", "0", "--aws-port", "0")
    done = treadle(*usual, "--inspect", "Cuont")
    assert done.code != 0
    assert "error[no-such-step]: --inspect Cuont: the project has no such step" in done.err
    assert "did you mean Count?" in done.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = treadle(*usual, "--inspect", "Count", "--inspect-port", str(port))
    assert done.code != 0
    assert f"error[port-busy]: port {port} is in use, and a debugger was to find a step there" in done.err
