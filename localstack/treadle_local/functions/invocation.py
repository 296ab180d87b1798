"""The operation Invoke: what may be sent, which version runs, and what the caller is told."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Awaitable
from typing import Literal

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.functions.asynchronous import AsynchronousInvocations
from treadle_local.functions.concurrency import Concurrency
from treadle_local.functions.model import FunctionVersion, InvocationType, InvokeRequest
from treadle_local.functions.references import FunctionReference
from treadle_local.functions.refusals import constraint, not_here
from treadle_local.functions.registry import Registry

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAXIMUM_SYNCHRONOUS_BYTES = 6_291_556
MAXIMUM_ASYNCHRONOUS_BYTES = 1_048_576
MAXIMUM_CLIENT_CONTEXT_BYTES = 3_583
_NOT_YET = ("DurableExecutionName", "TenantId")


class Invocation:
    """Runs functions for whoever calls Invoke."""

    def __init__(self, registry: Registry, concurrency: Concurrency, asynchronous: AsynchronousInvocations) -> None:
        self._registry = registry
        self._concurrency = concurrency
        self._asynchronous = asynchronous

    def invoke(self, params: Params) -> Result | Awaitable[Result]:
        for member in _NOT_YET:
            if params.get(member):
                raise not_here(f"{member} of an invocation")
        kind = params.get("InvocationType", "RequestResponse")
        reference = self._registry.reference(params)
        payload = _payload(params)
        match kind:
            case "DryRun":
                self._registry.find_qualified(reference)
                return {"StatusCode": 204, "Payload": b""}
            case "Event":
                self._registry.find_qualified(reference)
                _check_asynchronous_size(payload)
                _check_json(payload)
                self._asynchronous.accept(reference, payload, _request(kind, reference, params))
                return {"StatusCode": 202, "Payload": b""}
            case "RequestResponse":
                version = self._registry.route(reference)
                _check_synchronous_size(payload)
                _check_json(payload)
                return self._run(version, payload, _request(kind, reference, params))
            case _:
                rule = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
                raise constraint(kind, "invocationType", rule)

    async def _run(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> Result:
        outcome = await self._concurrency.run(version, payload, request)
        result: Result = {"StatusCode": 200, "ExecutedVersion": version.version, "Payload": outcome.payload}
        if outcome.function_error is not None:
            result["FunctionError"] = outcome.function_error
        if request.log_type == "Tail":
            result["LogResult"] = base64.b64encode(outcome.log_tail.encode()).decode("ascii")
        return result


def _request(kind: InvocationType, reference: FunctionReference, params: Params) -> InvokeRequest:
    """AWS hands the client context to synchronous invocations only."""
    synchronous = kind == "RequestResponse"
    log_type: Literal["None", "Tail"] = "Tail" if params.get("LogType") == "Tail" and synchronous else "None"
    context = _client_context(params) if synchronous else None
    request_id = str(uuid.uuid4())
    return InvokeRequest(kind, request_id, reference.qualified_arn, reference.qualifier, context, log_type)


def _payload(params: Params) -> bytes:
    """The event as bytes; an event that was not given is an empty object."""
    payload = params.get("Payload") or b"{}"
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise AwsError("InvalidRequestContentException", message, fields={"Type": "User"}) from error


def _check_synchronous_size(payload: bytes) -> None:
    if len(payload) > MAXIMUM_SYNCHRONOUS_BYTES:
        message = f"Request must be smaller than {MAXIMUM_SYNCHRONOUS_BYTES} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", message, status=413, fields={"Type": "User"})


def _check_asynchronous_size(payload: bytes) -> None:
    if len(payload) > MAXIMUM_ASYNCHRONOUS_BYTES:
        message = (
            f"{len(payload)} byte payload is too large for the Event invocation type "
            f"(limit {MAXIMUM_ASYNCHRONOUS_BYTES} bytes)"
        )
        raise AwsError("RequestTooLargeException", message, status=413, fields={"Type": "User"})


def _client_context(params: Params) -> str | None:
    """Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (ClientContext)"""
    encoded = params.get("ClientContext")
    if not encoded:
        return None
    try:
        if len(encoded) > MAXIMUM_CLIENT_CONTEXT_BYTES:
            raise ValueError("too long")
        text = base64.b64decode(encoded, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError) as error:
        message = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", message, fields={"Type": "User"}) from error
    return text
