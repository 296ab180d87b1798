"""The one AWS endpoint: from an HTTP request to the caller, the service, the decision, the operation, and back."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from typing import Protocol
from urllib.parse import parse_qs, unquote

from treadle_local.aws import s3_requests
from treadle_local.aws.authorization import actions
from treadle_local.aws.authorization.request_context import request_keys
from treadle_local.aws.errors import AwsError
from treadle_local.aws.identity import Identity
from treadle_local.aws.operations import (
    Operation,
    Wire,
    find_operation,
    protocol_of_refusal,
    render,
    render_error,
)
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.aws.services import Services
from treadle_local.http.messages import Answer, Request, Response

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_PRESIGNED = re.compile(r"(?:^|&)(?:X-Amz-)?Signature=")
_LOOPBACK_HOST = re.compile(
    r"(?:127(?:\.\d+){3}|\[::1\]|(?:[\w.-]+\.)?localhost|(?:[\w.-]+\.)?localhost\.localstack\.cloud)(?::\d+)?"
)

_CANCELLABLE = frozenset({("sqs", "ReceiveMessage")})
"""What ends with its caller, so that no message goes to nobody; all else is done to its end, as on AWS."""

Internal = Callable[[Request], Answer | Awaitable[Answer] | None]
FindTargets = Callable[[str, Params], Sequence[Target]]
ExecuteApi = Callable[[Request, Caller], Response]


class Keeping(Protocol):
    """Who keeps what is done here beyond the process."""

    def after(self, service: str, operation: str, params: Params) -> None:
        """An operation has succeeded."""
        ...

    def settle(self) -> None:
        """Returns when all that was done is written. Raises: AwsError InternalFailure."""
        ...


class Endpoint:
    """Handles every request on the AWS port.

    `internal` answers paths that are not AWS's (`/__treadle/…`), or gives None; `execute_api` what is signed for the
    data plane of API Gateway.
    """

    def __init__(
        self,
        region: Region,
        services: Services,
        identity: Identity,
        internal: Internal,
        execute_api: ExecuteApi,
        keeping: Keeping | None = None,
    ) -> None:
        self._region = region
        self._services = services
        self._identity = identity
        self._internal = internal
        self._execute_api = execute_api
        self._keeping = keeping

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        if not _is_loopback(request.header("host", "localhost")):
            # A page on the web can make a browser send requests here under a name that it has pointed at 127.0.0.1.
            return _plain(403, "this endpoint answers to loopback host names only")
        origin = request.header("origin")
        if origin and not _is_loopback(origin.partition("://")[2]):
            # or send them outright: a form needs nobody's leave
            return _plain(403, "this endpoint answers to pages from loopback host names only")
        if request.path.startswith("/_"):
            answer = self._internal(request)
            if answer is not None:
                return answer
        signer = _signer(request.header("authorization").partition(",")[0])
        if signer is None:
            return self._unsigned(request)
        access_key, service = signer
        return self._signed(request, access_key, service, request.header("x-amz-security-token"))

    def _unsigned(self, request: Request) -> Response | Awaitable[Response]:
        presigner = _presigner(request.query)
        if presigner is not None:
            access_key, token = presigner
            if s3_requests.has_expired(request.query):
                refusal = AwsError("AccessDenied", "Request has expired", status=403)
                return _rendered(render_error("s3", "", refusal))
            # moto picks the service by this header; without it a body or a target header would
            scope = f"{access_key}/20260101/{self._region.name}/s3/aws4_request"
            request.headers.append(("authorization", f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0"))
            return self._signed(request, access_key, "s3", token)
        if s3_requests.is_for_s3(request):
            head = "Head" if request.method == "HEAD" else ""
            return _rendered(render_error("s3", head, AwsError("AccessDenied", "Access Denied", status=403)))
        body = b'{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}'
        return Response(
            403, body, (("content-type", "application/json"), ("x-amzn-errortype", "MissingAuthenticationToken"))
        )

    def _signed(self, request: Request, access_key: str, service: str, token: str) -> Response | Awaitable[Response]:
        if service == "execute-api":
            return self._managed(request, access_key, token)
        try:
            operation = find_operation(
                service, request.method, request.path, request.query, request.headers, request.body
            )
        except AwsError as refusal:
            protocol = protocol_of_refusal(service, request.headers)
            return _rendered(render_error(service, "", refusal, protocol))
        try:
            caller = self._identity.caller(access_key, token)
            own = self._services.find(operation.service, operation.name)
            if own is None:
                return self._forward(request, operation, caller)
            self._authorize(request, operation, caller, own.targets)
            result = own.handle(operation.name, operation.params, caller)
            if inspect.isawaitable(result):
                return self._finish(result, operation)
            self._keep(operation)
        except AwsError as refusal:
            return _rendered(render_error(operation.service, operation.name, refusal, operation.protocol))
        except RecursionError as problem:
            return _rendered(render_error(operation.service, operation.name, _too_deep(problem), operation.protocol))
        return _rendered(render(operation.service, operation.name, result, operation.protocol))

    def _authorize(self, request: Request, operation: Operation, caller: Caller, targets: FindTargets) -> None:
        """Returns when policies allow the call. Of root's calls those only matter that a resource may have denied.

        Raises: AwsError AccessDeniedException.
        """
        if caller.role is None:
            if not self._identity.concerns_root(operation.service):
                return
            try:
                wanted = targets(operation.name, operation.params)
            except (AwsError, AttributeError, KeyError, TypeError, ValueError):
                return  # it names nothing that could have a policy: the service refuses it in its own words
        else:
            wanted = targets(operation.name, operation.params)
        self._identity.authorize(caller, wanted, partial(request_keys, request, operation.params))

    def _keep(self, operation: Operation) -> None:
        """Has written down what the operation did, before its caller learns that it is done."""
        if self._keeping is not None:
            self._keeping.after(operation.service, operation.name, operation.params)
            self._keeping.settle()

    def _managed(self, request: Request, access_key: str, token: str) -> Response:
        try:
            caller = self._identity.caller(access_key, token)
        except AwsError as refusal:
            return _rendered(render_error("execute-api", "", refusal))
        return self._execute_api(request, caller)

    async def _finish(self, result: Awaitable[Result], operation: Operation) -> Response:
        if (operation.service, operation.name) not in _CANCELLABLE:
            result = asyncio.shield(asyncio.ensure_future(result))
        try:
            done = await result
            self._keep(operation)
            return _rendered(render(operation.service, operation.name, done, operation.protocol))
        except AwsError as refusal:
            return _rendered(render_error(operation.service, operation.name, refusal, operation.protocol))
        except RecursionError as problem:
            return _rendered(render_error(operation.service, operation.name, _too_deep(problem), operation.protocol))

    async def _forward(self, request: Request, operation: Operation, caller: Caller) -> Response:
        service, name = operation.service, operation.name
        try:
            self._authorize(request, operation, caller, partial(actions.targets, self._region, service))
            if unquote(request.path).startswith("/moto-api"):  # moto would take it for its own, and may reset itself
                raise AwsError("InvalidRequest", "a bucket of this name is not possible in Treadle's emulator")
            if service == "s3":
                s3_requests.prepare(name, operation.params, request)
        except AwsError as refusal:
            return _rendered(render_error(service, name, refusal, operation.protocol))
        return await asyncio.shield(self._forwarded(request, operation, caller))

    async def _forwarded(self, request: Request, operation: Operation, caller: Caller) -> Response:
        try:
            response = await self._services.moto.forward(request)
            if response.status == 404 and caller.role is not None and await self._lacks_object(operation, response):
                self._identity.authorize(caller, s3_requests.wanted_to_know_of(operation.name, operation.params))
        except AwsError as refusal:
            return _rendered(render_error(operation.service, operation.name, refusal, operation.protocol))
        if response.status < 300:
            self._services.after(operation.service, operation.name, operation.params)
        return response

    async def _lacks_object(self, operation: Operation, response: Response) -> bool:
        """Whether it is an object of S3 that is not there: of a bucket that is not there everyone may know."""
        if operation.name != "HeadObject":
            return b"<Code>NoSuchKey<" in response.body
        try:
            await self._services.moto.call("s3", "HeadBucket", {"Bucket": operation.params["Bucket"]})
        except AwsError:
            return False
        return True


@lru_cache(1024)
def _is_loopback(host: str) -> bool:
    return _LOOPBACK_HOST.fullmatch(host) is not None


@lru_cache(4096)
def _signer(authorization: str) -> tuple[str, str] | None:
    """The access key and the service in what an Authorization header begins with; the signature is not looked at."""
    found = _CREDENTIAL.search(authorization)
    return None if found is None else (found[1], found[3])


def _presigner(query: str) -> tuple[str, str] | None:
    """The access key and session token of a presigned S3 address (signature version 4 or 2); None where it is none."""
    if not _PRESIGNED.search(query):
        return None
    fields = parse_qs(query)
    token = fields.get("X-Amz-Security-Token", fields.get("x-amz-security-token", [""]))[0]
    if "X-Amz-Credential" in fields:
        access_key, *scope = fields["X-Amz-Credential"][0].split("/")
        return (access_key, token) if scope[-2:] == ["s3", "aws4_request"] else None
    return (fields["AWSAccessKeyId"][0], token) if "AWSAccessKeyId" in fields else None


def _too_deep(problem: RecursionError) -> AwsError:
    """The refusal of a document in a parameter (a policy, a template, an event) that is nested beyond reading."""
    return AwsError("ValidationException", f"A document in the request is nested too deep: {problem}")


def _rendered(wire: Wire) -> Response:
    status, headers, body = wire
    return Response(status, body, headers)


def _plain(status: int, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), (("content-type", "text/plain; charset=utf-8"),))
