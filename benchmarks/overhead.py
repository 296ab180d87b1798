"""What the adapter adds to a warm invocation that makes no call to AWS, in microseconds of processor time.

    python benchmarks/overhead.py

Its handler is called in process on Lambda's Python, with AWS's documented events and a Lambda context, log lines and
the invocation's record included, which go to /dev/null. The user's handler alone is taken off.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from adapter.step_folder import API, CRON, EVENT, StepFolder, batch, event_file, firing, message, request
from treadle_infra.interpreters import find_interpreter

_METADATA = event_file("sqs_batch.json")["Records"][0]["messageAttributes"]["treadle"]["stringValue"]
_STEP = "async def handler(first, context):\n    return {'status': 201, 'body': {'ok': True}}\n"
_HEADERS: dict[str, str] = event_file("http_api_request.json")["headers"]
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "api": (API, request('{"text": "hi", "userId": "u1"}', headers=_HEADERS)),
    "event, a batch of one": (EVENT, batch(message('{"text": "hi"}', metadata=_METADATA))),
    "event, a batch of ten": (
        EVENT,
        batch(*(message('{"text": "hi"}', message_id=f"m{n}", metadata=_METADATA) for n in range(10))),
    ),
    "cron": (CRON, firing()),
}

_CHILD = """
import importlib, json, sys, time

folder, entry = sys.argv[1:]
sys.path.insert(0, folder)
event = json.load(sys.stdin)

class LambdaContext:
    aws_request_id = "8f5e1a52-0000-4000-8000-000000000001"
    invoked_function_arn = "arn:aws:lambda:us-east-2:123456789012:function:shop--dev--Step:live"
    function_name = "shop--dev--Step"
    def get_remaining_time_in_millis(self):
        return 10_000

handler, context = importlib.import_module(f"treadle.entry.{entry}").handler, LambdaContext()
module = importlib.import_module("treadle.process").current_process()
user = module.handler()

def alone(first, context):
    try:
        user(first, context).send(None)
    except StopIteration as stop:
        return stop.value

def microseconds(function):
    best = []
    for _ in range(30):
        started = time.process_time_ns()
        for _ in range(200):
            function(event, context)
        best.append((time.process_time_ns() - started) / 200_000)
    return sorted(best)[len(best) // 2]

answer = handler(event, context)
assert not (answer or {}).get("batchItemFailures") and (answer or {}).get("statusCode", 201) == 201, answer
users = microseconds(alone) * len(event.get("Records", [0]))
print(microseconds(handler) - users, file=sys.stderr)
"""


def measure(python: str | None = None) -> dict[str, float]:
    """Microseconds by case, medians of thirty."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as base:
        for number, (name, (trigger, event)) in enumerate(CASES.items()):
            folder = Path(base) / str(number)
            folder.mkdir()
            StepFolder(folder).manifest(triggers=[trigger]).step(_STEP)
            done = subprocess.run(
                [python or find_interpreter().path, "-I", "-c", _CHILD, str(folder), str(trigger["kind"])],
                input=json.dumps(event),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env={
                    "TREADLE_APP": "shop",
                    "TREADLE_STAGE": "dev",
                    "AWS_REGION": "us-east-2",
                    "AWS_LAMBDA_FUNCTION_VERSION": "7",
                },
            )
            if done.returncode:
                raise SystemExit(done.stderr)
            found[name] = float(done.stderr)
    return found


def measure_bare(python: str | None = None) -> float:
    """Microseconds of the least that any record of an invocation costs: making its line."""
    record = {
        "requestId": "8f5e1a52-0000-4000-8000-000000000001",
        "trigger": {"kind": "api", "routeKey": "POST /things"},
        **{f"field{number}": number * 1.5 for number in range(14)},
    }
    code = "import json, sys, timeit\nrecord = json.load(sys.stdin)\n"
    code += "print(min(timeit.repeat(lambda: json.dumps(record), number=2000)))"
    done = subprocess.run(
        [python or find_interpreter().path, "-I", "-c", code],
        input=json.dumps(record),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout) / 2000 * 1e6


if __name__ == "__main__":
    for name, spent in measure().items():
        print(f"{name:<24} {spent:7.1f} µs")
