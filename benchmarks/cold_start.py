"""Processor time of a cold start: from the process's birth to its answer to the first request, under AWS's own runtime.

    python benchmarks/cold_start.py [runs]

The source document's api step (a state write, a stream write, an emit) from its built zip, against a handler that does
nothing and against one that does the same with boto3, Powertools, pydantic and Mangum. AWS is a TLS endpoint on this
machine with recorded answers, whose certificate is verified against the system's authorities and one more.
The figure is the scheduler's account of the process, all its threads together: no other load moves it much.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.certificates import Authority
from support.dev import TREADLE
from support.projects import messaging
from treadle_infra.interpreters import Interpreter, find_interpreter, user_cache
from treadle_local.functions.runtime_client import runtime_folder

FAT_PACKAGES = ("boto3==1.44.5", "aws-lambda-powertools==3.37.0", "pydantic==2.14.3", "mangum==0.22.0")
EVENTS = Path(__file__).resolve().parents[1] / "tests" / "events"
VARIANTS = ("raw", "treadle", "fat")

_RAW = "def handler(event, context):\n    return {'statusCode': 201}\n"
_FAT = """
import json, os
import boto3
from aws_lambda_powertools import Logger, Metrics
from mangum import Mangum
from pydantic import BaseModel

logger = Logger(service="messaging")
metrics = Metrics(namespace="messaging", service="messaging")
dynamodb, sns = boto3.client("dynamodb"), boto3.client("sns")

class Message(BaseModel):
    text: str
    userId: str
    status: str = "sent"

async def app(scope, receive, send):
    message = Message.model_validate_json((await receive())["body"])
    item = {name: {"S": value} for name, value in message.model_dump().items()}
    for table in ("state", "messages"):
        dynamodb.put_item(TableName=table, Item={"group": {"S": "messages"}, "id": {"S": message.userId}, **item})
    logger.info("Message sent", extra={"userId": message.userId})
    sns.publish(TopicArn="arn:aws:sns:us-east-1:123456789012:topic", Message=message.model_dump_json())
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": message.model_dump_json().encode()})

handler = Mangum(app, lifespan="off")
"""
_PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>'
    b"94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult><ResponseMetadata><RequestId>"
    b"f187a3c1-376f-11df-8963-01868b7c937a</RequestId></ResponseMetadata></PublishResponse>"
)
_WRITTEN = json.dumps({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}).encode()


@dataclass(frozen=True, slots=True)
class Function:
    """An unpacked artifact and its handler."""

    folder: Path
    handler: str
    packages: tuple[Path, ...] = ()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        return


class _Aws(_Handler):
    def do_POST(self) -> None:
        self.read()
        json_protocol = "x-amz-target" in self.headers
        kind = "application/x-amz-json-1.0" if json_protocol else "text/xml"
        self.reply(200, _WRITTEN if json_protocol else _PUBLISHED, {"content-type": kind})


@dataclass
class Runtime:
    """The Runtime API for one process at a time, which gets `event` once."""

    event: bytes
    process_id: int = 0
    answered: threading.Event = field(default_factory=threading.Event)
    cpu_ms: float = 0.0
    answer: Any = None

    def handler(self) -> type[_Handler]:
        runtime = self

        class RuntimeApi(_Handler):
            def do_GET(self) -> None:
                if runtime.answered.is_set():  # nothing more comes: it is killed while it waits
                    time.sleep(0.2)
                    return
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 30) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
                    "content-type": "application/json",
                }
                self.reply(200, runtime.event, headers)

            def do_POST(self) -> None:
                body = self.read()
                runtime.cpu_ms = cpu_ms(runtime.process_id)
                runtime.answer = json.loads(body)
                self.reply(202, b"{}", {})
                runtime.answered.set()

        return RuntimeApi


def cpu_ms(process_id: int) -> float:
    """Milliseconds that all threads of a process have run, those that have ended too."""
    return time.clock_gettime_ns((~process_id << 3) | 2) / 1e6


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # the processes are killed while they are connected


@contextlib.contextmanager
def serve(handler: type[_Handler], tls: ssl.SSLContext | None = None) -> Generator[int]:
    """A server's port."""
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def functions(folder: Path, interpreter: Interpreter) -> dict[str, Function]:
    """The three artifacts, with bytecode."""
    out = folder / "out"
    synth = [TREADLE, "synth", messaging(folder), "--stage", "dev", "--out", out]
    subprocess.run([str(part) for part in synth], check=True, capture_output=True)
    built = folder / "treadle"
    for path in out.rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            if "app/steps/api_step.py" in archive.namelist():
                archive.extractall(built)
    if not list(built.rglob("api_step.cpython-313.pyc")):
        raise SystemExit("the api step's zip has no bytecode")
    return {
        "raw": Function(_plain(folder / "raw", _RAW, interpreter), "main.handler"),
        "treadle": Function(built, "treadle.entry.api.handler"),
        "fat": Function(_plain(folder / "fat", _FAT, interpreter), "main.handler", (_fat_packages(interpreter),)),
    }


def _plain(folder: Path, source: str, interpreter: Interpreter) -> Path:
    folder.mkdir()
    (folder / "main.py").write_text(textwrap.dedent(source))
    subprocess.run([interpreter.path, "-m", "py_compile", str(folder / "main.py")], check=True)
    return folder


def _fat_packages(interpreter: Interpreter) -> Path:
    """Installed once on this machine."""
    folder = user_cache() / "benchmarks" / "_".join((f"python{interpreter.version}", *FAT_PACKAGES))
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--link-mode", "copy", "--compile-bytecode"]
        subprocess.run([*command, "--python", interpreter.path, "--target", str(fresh), *FAT_PACKAGES], check=True)
        fresh.replace(folder)
    return folder


def authorities(folder: Path, authority: Authority) -> Path:
    """A bundle as Lambda has it: what this system trusts, and the benchmark's own among Amazon's."""
    file = ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile
    bundle = folder / "authorities.pem"
    bundle.write_bytes(Path(file).read_bytes() + authority.pem)
    return bundle


def environment(function: Function, runtime: Path, runtime_port: int, aws_port: int, bundle: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin/:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(map(str, (function.folder, *function.packages, runtime))),
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_port}",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": f"https://localhost:{aws_port}",
        "AWS_CA_BUNDLE": str(bundle),
        "TREADLE_APP": "messaging",
        "TREADLE_STAGE": "dev",
    }


def once(command: list[str], folder: Path, variables: Mapping[str, str], runtime: Runtime) -> float:
    """Milliseconds of one cold start."""
    runtime.answered.clear()
    process = subprocess.Popen(
        command, cwd=folder, env=dict(variables), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    runtime.process_id = process.pid
    try:
        if not runtime.answered.wait(30):
            process.kill()
            raise SystemExit(f"no answer: {process.communicate()[1].decode()[-2000:]}")
    finally:
        process.kill()
        process.communicate()
    if '"statusCode": 201' not in json.dumps(runtime.answer):
        raise SystemExit(f"{folder.name} answered {runtime.answer}")
    return runtime.cpu_ms


def _event() -> bytes:
    event = json.loads((EVENTS / "http_api_request.json").read_text())
    body = json.dumps({"text": "hi", "userId": "u1"})
    event.update(routeKey="POST /messages", rawPath="/messages", body=body, isBase64Encoded=False)
    event["headers"] = {"content-type": "application/json"}
    event["requestContext"]["http"].update(method="POST", path="/messages")
    return json.dumps(event).encode()


def measure(runs: int = 10) -> dict[str, float]:
    """The median of each variant, in milliseconds of processor time; the variants take turns."""
    interpreter = find_interpreter()
    if not interpreter.matches:
        raise SystemExit("there is no Python 3.13 on this machine")
    runtime_packages = runtime_folder(interpreter, print)
    runtime = Runtime(_event())
    authority = Authority.named("Amazon", "Amazon Root CA of this benchmark")
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws_port = stack.enter_context(serve(_Aws, authority.server(folder, "localhost")))
        runtime_port = stack.enter_context(serve(runtime.handler()))
        bundle = authorities(folder, authority)
        built = functions(folder, interpreter)
        command = [interpreter.path, "-m", "awslambdaric"]
        for turn in range(runs + 1):
            for name, function in built.items():
                variables = environment(function, runtime_packages, runtime_port, aws_port, bundle)
                spent = once([*command, function.handler], function.folder, variables, runtime)
                if turn:  # the first one reads files from the disk
                    times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


def lines(found: Mapping[str, float]) -> Iterator[str]:
    for name, spent in found.items():
        yield f"{name:<10} {spent:7.1f} ms of CPU  {spent - found['raw']:+7.1f} over raw"


if __name__ == "__main__":
    for line in lines(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10)):
        print(line)
