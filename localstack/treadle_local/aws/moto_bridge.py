"""The only module that touches moto (pinned, since we lean on its internals): control planes behind one lock.

moto holds what AWS would hold of S3, CloudWatch Logs and the rest. It is no server
but a mock and loses writes when threads meet in it: every contact happens on one worker thread, under one lock. Two
ways in: `forward` hands on a client's HTTP request, `call` is the same for the emulator's own use (an operation by
AWS's names). Internals leaned on: the WSGI dispatcher of server mode, and `get_service_model` with its
loader.

Importing moto takes half a second and tens of megabytes, which most projects never need: the first call does it. What a
deployment uploads before that waits in `deposit`, and is an object in S3 from the moment that moto is there; `later`
does the same for operations.
"""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlencode

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Region, Result
from treadle_local.aws.service_models import service_folders
from treadle_local.http.messages import Request, Response

T = TypeVar("T")
_log = logging.getLogger("treadle.moto")
_HOP_BY_HOP = frozenset({"content-length", "connection", "transfer-encoding", "server", "date"})


class Moto:
    """moto on its own thread, imported when it is first called."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._backends: Any = None
        self._wsgi: Callable[[dict[str, Any], Callable[..., Any]], Any] | None = None
        self._is_called = False
        self._deposits: dict[tuple[str, str], bytes] = {}
        self._postponed: list[tuple[str, str, Params]] = []

    @property
    def is_asleep(self) -> bool:
        """Whether nobody has called it yet."""
        return not self._is_called

    def later(self, service: str, operation: str, params: Params) -> bool:
        """Keeps an operation, whose result the caller knows, until moto is called; False where that was before."""
        if not self._is_called:
            self._postponed.append((service, operation, dict(params)))
        return not self._is_called

    def deposit(self, bucket: str, key: str, content: bytes) -> bool:
        """Keeps an object for the time until moto is called; False where that was before: then it is for S3 to keep."""
        if not self._is_called:
            self._deposits[bucket, key] = content
        return not self._is_called

    def deposited(self, bucket: str, key: str) -> bytes | None:
        """The object that was deposited; None where there is none, or where S3 has it by now."""
        return None if self._is_called else self._deposits.get((bucket, key))

    def close(self) -> None:
        """Ends the worker thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _load(self) -> None:
        import moto.backends as backends
        import moto.core.utils
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        loader = _model_loader()
        cast("Any", moto.core.utils).create_loader = lambda: loader
        self._backends = backends
        self._wsgi = DomainDispatcherApplication(create_backend_app)
        for bucket in {bucket for bucket, _ in self._deposits}:
            self._call("s3", "CreateBucket", {"Bucket": bucket})
        for (bucket, key), content in self._deposits.items():
            self._call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": content})
        self._deposits.clear()
        for service, operation, params in self._postponed:
            self._call(service, operation, params)
        self._postponed.clear()

    async def _run(self, work: Callable[[], T]) -> T:
        self._is_called = True

        def locked() -> T:
            with self._lock:
                if self._wsgi is None:
                    self._load()
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._worker, locked)

    # as a server

    async def forward(self, request: Request) -> Response:
        """Answers a client's request to a service that moto keeps."""
        return await self._run(lambda: self._serve(request))

    def _serve(self, request: Request) -> Response:
        assert self._wsgi is not None  # noqa: S101 - loading comes before the first call
        captured: list[Any] = []

        def start_response(status: str, headers: Sequence[tuple[str, str]], _info: object = None) -> None:
            captured[:] = [int(status.split(" ", 1)[0]), headers]

        try:
            chunks = self._wsgi(_environ(request, self._region), start_response)
        except NotImplementedError as error:
            raise AwsError("UnknownOperationException", f"{error}: it is not in Treadle's emulator yet") from error
        body = b"".join(cast("Sequence[bytes]", chunks))
        status, headers = captured
        dropped = _HOP_BY_HOP - {"content-length"} if request.method == "HEAD" else _HOP_BY_HOP
        kept = tuple((name, value) for name, value in headers if name.lower() not in dropped)
        return Response(status, body, kept)

    # for the emulator itself

    async def call(self, service: str, operation: str, params: Params) -> Result:
        """Does one operation of AWS by botocore's names and shapes. Raises AwsError with AWS's code and message."""
        return await self._run(lambda: self._call(service, operation, params))

    def _call(self, service: str, operation: str, params: Params) -> Result:
        from botocore.parsers import create_parser
        from botocore.serialize import create_serializer
        from moto.core.utils import get_service_model

        model = get_service_model(service)
        shape = model.operation_model(operation)
        serializer: Any = create_serializer(model.resolved_protocol, include_validation=False)
        wire: dict[str, Any] = serializer.serialize_to_request(dict(params), shape)
        response = self._serve(_wire_request(wire, service, str(model.signing_name), self._region, params))
        parser: Any = create_parser(model.resolved_protocol)
        answer = {
            "status_code": response.status,
            "headers": {name.lower(): value for name, value in response.headers},
            "body": response.body if not shape.has_streaming_output else _Stream(response.body),
            "context": {"operation_name": operation},
        }
        if response.status >= 300 and shape.has_streaming_output:
            answer["body"] = response.body
        parsed: Result = parser.parse(answer, shape.output_shape)
        if response.status >= 300:
            error = parsed.get("Error", {})
            raise AwsError(
                str(error.get("Code", "InternalFailure")), str(error.get("Message", "")), status=response.status
            )
        parsed.pop("ResponseMetadata", None)
        if shape.has_streaming_output:
            for name, value in parsed.items():
                if isinstance(value, _Stream):
                    parsed[name] = value.read()
        return parsed


def _model_loader() -> Any:
    """moto's loader of botocore's models, which does not search all folders for each of them."""
    from moto.core.loaders import Loader, moto_root

    class Quick(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return service_folders(self)

    return Quick(extra_search_paths=[moto_root])


class _Stream(io.BytesIO):
    """A response body that botocore's parser leaves unread."""


def _environ(request: Request, region: Region) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path).encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "REQUEST_URI": request.path + (f"?{request.query}" if request.query else ""),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding", "expect"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ["CONTENT_LENGTH"] = str(len(request.body))
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = region.account
    return environ


def _wire_request(wire: Mapping[str, Any], service: str, signing_name: str, region: Region, params: Params) -> Request:
    path = str(wire["url_path"])
    if service == "s3" and "Bucket" in params and not path.startswith(f"/{params['Bucket']}"):
        path = f"/{params['Bucket']}{path if path != '/' else ''}"
    path, _, query = path.partition("?")
    extra = urlencode(cast("Mapping[str, str]", wire.get("query_string") or {}), doseq=True)
    body = wire["body"]
    headers = [(name.lower(), str(value)) for name, value in cast("Mapping[str, str]", wire["headers"]).items()]
    if isinstance(body, Mapping):
        body = urlencode(cast("Mapping[str, str]", body))
        headers = [header for header in headers if header[0] != "content-type"]
        headers.append(("content-type", "application/x-www-form-urlencoded; charset=utf-8"))
    payload = body.encode() if isinstance(body, str) else bytes(body or b"")
    credential = f"root/20260101/{region.name}/{signing_name}/aws4_request"
    headers += [
        ("host", "127.0.0.1"),
        ("authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
    ]
    return Request(str(wire["method"]), path, "&".join(filter(None, (query, extra))), headers, payload)
