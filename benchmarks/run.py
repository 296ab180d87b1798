"""`make bench`: what a user of `treadle dev` waits for, each figure beside a baseline measured in the same run.

Machines are shared and noisy: figures are medians of several runs and what to compare is the ratio.
`python benchmarks/run.py [ROW …]` measures some rows only.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import cold_start
import fan_out
import overhead
import packaging
from support.dev import TREADLE, Dev, wait_until
from support.projects import api_step, event_step, messaging, write

HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and its baseline, in the same unit; `less_is_better` tells how to read the ratio."""

    name: str
    unit: str
    ours: float
    baseline: float
    baseline_name: str

    def line(self) -> str:
        ratio = self.ours / self.baseline if self.baseline else float("nan")
        return (
            f"{self.name:<44} {self.ours:>9.2f} {self.unit:<5} {self.baseline:>9.2f} {self.unit:<5}"
            f" {ratio:>7.2f} ×  {self.baseline_name}"
        )


class _Bare(http.server.BaseHTTPRequestHandler):
    """The least that a loopback HTTP server in Python can do: the floor under every request."""

    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        return


@contextlib.contextmanager
def bare_server() -> Generator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Bare)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post_times(url: str, path: str, count: int, pause_seconds: float = 0.0) -> list[float]:
    """Milliseconds of each of `count` requests, one after the other on one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    times: list[float] = []
    for number in range(count):
        body = json.dumps({"text": "hi", "userId": f"u{number % 50}"})
        started = time.perf_counter()
        connection.request("POST", path, body, HEADERS)
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - started) * 1000)
        if response.status not in (200, 201):
            raise SystemExit(f"POST {path} -> {response.status}")
        time.sleep(pause_seconds)
    connection.close()
    return times


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def bench_project(folder: Path) -> Path:
    project = messaging(folder)
    write(project, "steps/ping_step.py", api_step("Ping", '    return {"status": 201, "body": {}}'))
    hop = (
        '    import time\n    await context.emit({"topic": "hop", "data": {"t": time.time()}})\n    return {"body": {}}'
    )
    write(project, "steps/hop_step.py", api_step("Hop", hop))
    landed = '    import time\n    context.logger.info("hop", {"ms": (time.time() - data["t"]) * 1000})'
    write(project, "steps/landed_step.py", event_step("Landed", "hop", landed))
    burst = (
        '    for number in range(req["body"]["count"]):\n'
        '        await context.emit({"topic": "burst", "data": {"n": number}})\n    return {"body": {}}'
    )
    write(project, "steps/burst_step.py", api_step("Burst", burst))
    count = '    await context.state.set("burst", str(data["n"]), data)'
    write(project, "steps/count_step.py", event_step("Count", "burst", count))
    return project


def requests(dev: Dev, bare: str) -> Iterator[Row]:
    for path in ("/messages", "/ping"):
        post_times(dev.http_url, path, 30)
    floor = post_times(bare, "/", 300)
    for name, path, pause in (
        ("request, no AWS call", "/ping", 0.0),
        ("request, two writes and an emit, idle", "/messages", 0.08),
        ("request, two writes and an emit, under its load", "/messages", 0.0),
    ):
        times = post_times(dev.http_url, path, 100 if pause else 300, pause)
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            yield Row(f"{name}, {label}", "ms", quantile(times, share), quantile(floor, share), "bare loopback server")


def hops(dev: Dev, bare: str) -> Iterator[Row]:
    post_times(dev.http_url, "/hop", 5)
    wait_until("warm", lambda: len(dev.all("logged", step="Landed")) >= 5)
    before = len(dev.all("logged", step="Landed"))
    post_times(dev.http_url, "/hop", 100, 0.05)
    wait_until("all hops", lambda: len(dev.all("logged", step="Landed")) >= before + 100)
    times = [float(one["fields"]["ms"]) for one in dev.all("logged", step="Landed")][before:]
    floor = post_times(bare, "/", 300)
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        yield Row(
            f"hop: emit to next step's first line, {label}",
            "ms",
            quantile(times, share),
            quantile(floor, share),
            "bare loopback server",
        )


def events(dev: Dev, bare: str) -> Iterator[Row]:
    floor = 1000 / statistics.median(post_times(bare, "/", 300))

    def handled(step: str) -> int:
        return len(dev.all("handled", step=step))

    dev.http("POST", "/burst", {"count": 20})
    wait_until("warm", lambda: handled("Count") >= 20)
    rates: list[float] = []
    for _ in range(3):
        before, started = handled("Count"), time.perf_counter()
        dev.http("POST", "/burst", {"count": 1000})
        wait_until("the burst", lambda: handled("Count") >= before + 1000, 60)  # noqa: B023
        rates.append(1000 / (time.perf_counter() - started))
    yield Row(
        "events/s: emit, one event step, one write", "1/s", statistics.median(rates), floor, "bare server, requests/s"
    )
    before, started = handled("ProcessMessage"), time.perf_counter()
    clients = [threading.Thread(target=post_times, args=(dev.http_url, "/messages", 125)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wait_until("the flow", lambda: handled("ProcessMessage") >= before + 1000, 60)
    rate = 1000 / (time.perf_counter() - started)
    yield Row("messages/s: the whole flow, 8 clients", "1/s", rate, floor, "bare server, requests/s")


def ready(folder: Path) -> Iterator[Row]:
    def seconds(command: Sequence[object]) -> float:
        started = time.perf_counter()
        subprocess.run([str(part) for part in command], capture_output=True, check=True)
        return time.perf_counter() - started

    project = folder / "fifty"
    for number in range(50):
        write(project, f"steps/s{number}_step.py", api_step(f"S{number}", '    return {"body": {}}'))
    once = [TREADLE, "dev", project, "--once", "--port", "0", "--aws-port", "0"]
    floor = statistics.median(seconds([sys.executable, "-c", "import moto.server"]) for _ in range(3))
    yield Row("ready and exit, 50 steps, first time", "s", seconds(once), floor, "python -c 'import moto.server'")
    again = statistics.median(seconds(once) for _ in range(3))
    yield Row("ready and exit, 50 steps, unchanged", "s", again, floor, "python -c 'import moto.server'")


def python_start_ms() -> float:
    started = time.perf_counter()
    for _ in range(5):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - started) / 5 * 1000


def reload(dev: Dev) -> Iterator[Row]:
    """Saves a step again and again; each time is until a request, of one after the other, is answered by the edit."""

    def seconds_to_new_code(version: int) -> float:
        time.sleep(0.2)  # nobody saves a file at the moment that the last edit is there
        source = api_step("Ping", f'    return {{"status": 201, "body": {{"v": {version}}}}}')
        started = time.perf_counter()
        write(dev.project, "steps/ping_step.py", source)
        wait_until("it", lambda: dev.http("POST", "/ping", {}).json() == {"v": version})
        return time.perf_counter() - started

    times = [seconds_to_new_code(version) * 1000 for version in range(1, 31)]
    floor = python_start_ms()
    for label, share in (("p50", 0.5), ("p95", 0.95)):
        name = f"edit to next request on new code, {label}"
        yield Row(name, "ms", quantile(times, share), floor, "starting python -c pass")


def memory(folder: Path) -> Iterator[Row]:
    """What all processes of `treadle dev` hold, shared pages divided among those who share them (PSS)."""
    holding = "import moto.server, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as moto:
        assert moto.stdout is not None
        moto.stdout.readline()
        floor = _megabytes(moto.pid)
        moto.communicate()
    with Dev(messaging(folder / "idle")) as dev:
        time.sleep(1)
        yield Row("memory, idle", "MB", _megabytes(dev.process.pid), floor, "python -c 'import moto.server'")
        resident = resident_mb(dev.process.pid)
        for name, size in {f"{len(resident)} processes": sum(resident.values()), **resident}.items():
            yield Row(f"  resident, shared pages in each: {name}", "MB", size, floor, "python -c 'import moto.server'")
        post_times(dev.http_url, "/messages", 20, 0.05)
        wait_until("the flow", lambda: len(dev.all("handled", step="ProcessMessage")) >= 20)
        yield Row(
            "memory, after 20 messages", "MB", _megabytes(dev.process.pid), floor, "python -c 'import moto.server'"
        )


def _megabytes(process: int) -> float:
    """The PSS of a process and of all that it has started (Linux)."""
    folder = Path(f"/proc/{process}")
    lines = (folder / "smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    children = " ".join((task / "children").read_text() for task in (folder / "task").iterdir())
    return own + sum(_megabytes(int(child)) for child in children.split())


def fanout() -> Iterator[Row]:
    """A thousand sockets in one group; fails where one misses an update, has one twice, or has them out of order."""
    (floor, floor_burst), (ours, ours_burst) = fan_out.bare(1000, 100), fan_out.treadle(1000, 100)
    name = "an update to each of 1,000 sockets"
    yield Row(f"{name}, p50", "ms", ours.p50_ms, floor.p50_ms, "bare server, same sockets")
    yield Row(f"{name}, p99", "ms", ours.p99_ms, floor.p99_ms, "bare server, same sockets")
    yield Row("frames/s to 1,000 sockets, in a burst", "1/s", ours_burst, floor_burst, "bare server, same sockets")


def cold() -> Iterator[Row]:
    found = cold_start.measure()
    spent = {name: found[name] - found["raw"] for name in ("treadle", "fat")}
    name = "CPU of a cold start with three calls, over a raw handler's"
    yield Row(name, "ms", spent["treadle"], spent["fat"], "boto3, Powertools, pydantic, Mangum")
    yield Row("CPU of that cold start in all", "ms", found["treadle"], found["raw"], "a raw handler's")


def warm() -> Iterator[Row]:
    floor = overhead.measure_bare()
    for name, spent in overhead.measure().items():
        yield Row(f"the adapter's CPU an invocation, {name}", "µs", spent, floor, "one json.dumps of the record")


def packages() -> Iterator[Row]:
    found = packaging.measure()
    for name in ("cold", "unchanged", "one edited"):
        yield Row(f"packaging 50 steps, {name}", "s", found[name], found["by hand"], "uv pip install and zip for each")


def resident_mb(process_id: int) -> dict[str, float]:
    """The resident memory of a process and of all below it, by number and name."""
    found: dict[str, float] = {}
    status = Path(f"/proc/{process_id}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    if "VmRSS" in fields:
        found[f"{process_id} {fields['Name'].strip()}"] = int(fields["VmRSS"].split()[0]) / 1024
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        for child in children.read_text().split():
            found |= resident_mb(int(child))
    return found


def starts(dev: Dev) -> Iterator[Row]:
    """What Lambda's log lines call the duration of the init: from the process's birth until it asks for an event."""
    logs = dev.client("logs")
    clients = [threading.Thread(target=post_times, args=(dev.http_url, "/ping", 20)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    def durations() -> list[float]:
        found: list[float] = []
        for group in logs.describe_log_groups()["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                text = "\n".join(event["message"] for event in page["events"])
                found += map(float, re.findall(r'(?:initDurationMs": ?|Init Duration: )([\d.]+)', text))
        return found

    times = wait_until("a start", durations)
    floor = python_start_ms()
    yield Row("an environment's start, median", "ms", statistics.median(times), floor, "starting python -c pass")
    yield Row(f"an environment's start, slowest of {len(times)}", "ms", max(times), floor, "starting python -c pass")


def main() -> None:
    wanted = set(sys.argv[1:])

    def run(name: str, rows: Callable[[], Iterator[Row]]) -> None:
        if not wanted or name in wanted:
            for row in rows():
                print(row.line(), flush=True)

    print(f"{'':<44} {'treadle':>15} {'baseline':>15}")
    with tempfile.TemporaryDirectory() as folder, bare_server() as bare:
        run("ready", lambda: ready(Path(folder)))
        run("memory", lambda: memory(Path(folder)))
        run("cold", cold)
        run("warm", warm)
        run("packaging", packages)
        run("fanout", fanout)
        with Dev(bench_project(Path(folder))) as dev:
            run("requests", lambda: requests(dev, bare))
            run("hops", lambda: hops(dev, bare))
            run("events", lambda: events(dev, bare))
            run("reload", lambda: reload(dev))
            run("starts", lambda: starts(dev))


if __name__ == "__main__":
    main()
