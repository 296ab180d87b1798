"""Runs a step once for `treadle invoke`: the event is `{"treadle.invoke": {"data": ..., "traceId"?: ...}}`."""

from __future__ import annotations

import json

from treadle.errors import HandlerStopped, UnroutableEvent
from treadle.http.request import Request, make_request
from treadle.invocation import Invocation
from treadle.json_values import object_or_none, to_json_value
from treadle.message import Origin
from treadle.trace import trace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.process import StepProcess
    from treadle.shapes import Event, LambdaContext

KEY = "treadle.invoke"
REQUEST_KEY = "treadle.request"
_REQUEST_PARTS = frozenset({"body", "headers", "pathParams", "queryParams"})


def serve_direct(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """`{"result": what the handler returned, "traceId"}`. A failing handler's error is raised as it is.

    `data` is the event's data for a step with an event trigger, else the request's body; a step that has schedules and
    nothing else is run as by one of them, with `data` as its input. A whole request is
    `{"treadle.request": {"body", "headers", "pathParams", "queryParams"}}`; only a step with an api trigger takes one.
    """
    given = object_or_none(event[KEY])
    if given is None or not given.keys() <= {"data", "traceId"}:
        raise UnroutableEvent(f'"{KEY}" must be {{"data": ..., "traceId": ...}}')
    argument = _argument(process, given.get("data"))
    origin = Origin(trace_of(given.get("traceId"), None))
    invocation = Invocation(process, lambda_context, {"kind": "invoke"}, origin)
    try:
        result = to_json_value(_run(process, invocation, argument), "result")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if invocation.record.error is None:
            invocation.record.fail(error, process.project_root)
        invocation.logger.failure(f"{process.manifest.step} failed", error)
        invocation.record.write("error")
        if isinstance(error, Exception):
            raise
        raise HandlerStopped(f"{type(error).__name__}: {error}") from error
    invocation.record.write("ok")
    return {"result": result, "traceId": origin.trace_id}


def _run(process: StepProcess, invocation: Invocation, argument: object) -> object:
    """What the handler returns; a request goes through the middleware of the step's first route."""
    routes = process.manifest.api_triggers if isinstance(argument, Request) else ()
    route_key = routes[0].route_key if routes else None
    return invocation.run(argument, scheduled=_is_cron(process), route_key=route_key)


def _is_cron(process: StepProcess) -> bool:
    manifest = process.manifest
    return bool(manifest.cron_triggers) and not manifest.topics and not manifest.route_keys


def _argument(process: StepProcess, data: object) -> object:
    fields = object_or_none(data)
    if fields is not None and fields.keys() == {REQUEST_KEY}:
        if not process.manifest.route_keys:
            raise UnroutableEvent(f"step {process.manifest.step} has no api trigger: it takes no request")
        return _request(fields[REQUEST_KEY])
    if process.manifest.topics or _is_cron(process):
        return data
    return _request({"body": data})


def _request(parts: object) -> Request:
    given = object_or_none(parts)
    if given is None or not given.keys() <= _REQUEST_PARTS:
        raise UnroutableEvent(f'"{REQUEST_KEY}" may have {", ".join(sorted(_REQUEST_PARTS))} and nothing else')
    given_headers: dict[str, object] = given.get("headers") or {}
    body = given.get("body")
    headers = {str(name).lower(): str(value) for name, value in given_headers.items()}
    if body is not None and not isinstance(body, str):
        headers.setdefault("content-type", "application/json")
    return make_request(
        body={} if body is None else body,
        raw_body="" if body is None else body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
        headers=headers,
        path=dict(given.get("pathParams") or {}),
        query=dict(given.get("queryParams") or {}),
    )
