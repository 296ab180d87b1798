"""Serves a request: API Gateway's event in, its response out, one run of the handler between."""

from __future__ import annotations

from treadle.errors import InvalidResponse, InvalidValue
from treadle.http.request import BadRequest, headers_from_event, request_from_event
from treadle.http.response import error_response, response_from_result
from treadle.invocation import Invocation
from treadle.message import Origin
from treadle.trace import trace_of_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.process import StepProcess
    from treadle.shapes import Event, LambdaContext

_FAILURE = "Internal server error"


_NOT_MET = {"status": 422, "body": {"error": "Request condition not met", "skipped": True}}
"""Where the condition of a trigger does not hold, as Motia 1.0 has it."""


def serve_request(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """The response to a payload 2.0 event. A failing handler is a 500 without details: those stand in the log."""
    headers = headers_from_event(event)
    trigger: dict[str, object] = {"kind": "api", "routeKey": event["routeKey"]}
    invocation = Invocation(process, lambda_context, trigger, Origin(trace_of_headers(headers)))
    response = _response(process, invocation, event, headers)
    record = invocation.record
    record.status = response["statusCode"]
    record.write("skipped" if invocation.skipped else "ok" if record.error is None else "error")
    return response


def _response(process: StepProcess, invocation: Invocation, event: Event, headers: dict[str, str]) -> dict[str, Any]:
    trace = invocation.origin.trace
    try:
        request = request_from_event(event, headers, process.manifest.patterns.get(event["routeKey"]))
    except BadRequest as refused:
        invocation.logger.warn(f"{event['routeKey']} was refused: {refused}", {"status": refused.status})
        return error_response(refused.status, str(refused), trace)
    try:
        result = invocation.run(request, route_key=event["routeKey"])
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        invocation.logger.failure(f"{process.manifest.step} failed on {event['routeKey']}", error)
        return error_response(500, _FAILURE, trace)
    try:
        return response_from_result(_NOT_MET if invocation.skipped else result, trace)
    except (InvalidResponse, InvalidValue) as error:
        invocation.logger.error(
            f"{process.manifest.step} gave no valid response: {error}", {"errorType": type(error).__name__}
        )
        invocation.record.fail(error, process.project_root)
    except Exception as error:
        invocation.logger.failure(f"{process.manifest.step}: the response's body cannot be made JSON", error)
        invocation.record.fail(error, process.project_root)
    return error_response(500, _FAILURE, trace)
