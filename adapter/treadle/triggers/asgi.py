"""Serves a request by a step that is an ASGI application."""

from __future__ import annotations

from treadle.errors import InvalidResponse
from treadle.http.request import headers_from_event
from treadle.http.response import check_size, error_response, set_trace
from treadle.invocation import Invocation
from treadle.message import Origin
from treadle.trace import trace_of_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.process import StepProcess
    from treadle.shapes import Event, LambdaContext


def serve_application(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """The application's response to a payload 2.0 event. One that raises without one is a 500 without details."""
    origin = Origin(trace_of_headers(headers_from_event(event)))
    invocation = Invocation(process, lambda_context, {"kind": "api", "routeKey": event["routeKey"]}, origin)
    response = _response(process, invocation, event)
    set_trace(response["headers"], origin.trace)
    record = invocation.record
    record.status = response["statusCode"]
    record.write("ok" if record.error is None else "error")
    return response


def _response(process: StepProcess, invocation: Invocation, event: Event) -> dict[str, Any]:
    from treadle.asgi import Served

    try:
        served = invocation.run(event)
        assert isinstance(served, Served)  # noqa: S101 - as the handler makes it
        check_size(served.response)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message = f"{process.manifest.step} failed on {event['requestContext']['http']['path']}"
        invocation.logger.failure(message, error)
        if isinstance(error, InvalidResponse):
            invocation.record.fail(error, process.project_root)
        return error_response(500, "Internal server error", invocation.origin.trace)
    if served.error is not None:
        invocation.logger.failure(f"{process.manifest.step} raised when it had answered", served.error)
        invocation.record.fail(served.error, process.project_root)
    return served.response
