"""Serves the events of the WebSocket API: connections come and go, join and leave.

API Gateway sends the events of one connection without waiting for one to be served before the next.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
"""

from __future__ import annotations

import json

from treadle.aws.errors import is_gone
from treadle.errors import UnroutableEvent
from treadle.json_values import object_or_none
from treadle.live.access import Access, AuthenticationFailed, offers_authorization
from treadle.live.connections import SUBSCRIPTIONS_LIMIT, Connection, TooManySubscriptions, UnknownConnection
from treadle.live.join import join
from treadle.live.messages import BadMessage, other_message, subscription_in
from treadle.live.process import SystemProcess, handler_of
from treadle.live.session import Session
from treadle.trace import new_trace, trace_of_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.live.frames import Place
    from treadle.live.messages import Subscription
    from treadle.shapes import Event, Json, LambdaContext, LambdaHandler

SYSTEM = "websocket"
_ROUTE_KEYS = frozenset({"$connect", "$disconnect", "$default", "join", "leave"})
_DONE: dict[str, Any] = {"statusCode": 200}


def start(process: SystemProcess | None = None) -> LambdaHandler:
    """The handler that Lambda calls for each event; the app's own functions are loaded.

    Raises: ManifestError.
    """
    started = process or SystemProcess(SYSTEM)
    access = Access(started.slice, started.project_root)

    def serve(event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
        return _serve(started, access, event, lambda_context)

    return handler_of(started, serve)


def _serve(process: SystemProcess, access: Access, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """`{"statusCode": 200}`, which API Gateway makes a difference of for `$connect` only."""
    request = object_or_none(event.get("requestContext")) or {}
    route_key, connection_id = request.get("routeKey"), request.get("connectionId")
    if route_key not in _ROUTE_KEYS or not isinstance(connection_id, str):
        raise UnroutableEvent(f"an event with keys {', '.join(sorted(map(str, event)))} is none of the WebSocket API's")
    headers: dict[str, str] = event.get("headers") or {}
    trace = trace_of_headers({name.lower(): value for name, value in headers.items()}) if headers else new_trace()
    session = Session(process, lambda_context, connection_id, str(route_key), trace)
    try:
        answer = _answer(session, access, event)
    except Exception as error:
        session.record.fail(error, process.project_root)
        session.logger.failure(f"{route_key} of a connection failed", error)
        answer = {"statusCode": 500}
    session.record.status = answer["statusCode"]
    refused: dict[str, object] = {} if session.refused is None else {"refused": session.refused}
    session.record.write("ok" if session.record.error is None else "error", **refused)
    return answer


def _answer(session: Session, access: Access, event: Event) -> dict[str, Any]:
    request = event["requestContext"]
    if request["routeKey"] == "$connect":
        return _connect(session, access, event, int(request["connectedAt"]))
    if request["routeKey"] == "$disconnect":
        session.table.remove(session.connection_id)
        return _DONE
    try:
        _serve_message(session, access, request, event.get("body"))
    except UnknownConnection:
        session.logger.warn("A connection without a row is closed", {"connectionId": session.connection_id})
        session.sockets.close(session.connection_id, session.logger)
        session.table.remove(session.connection_id)
    except Exception as error:
        if not is_gone(error):
            session.record.fail(error, access.project_root)
        session.sockets.part(session.connection_id, error, session.logger)
    return _DONE


def _connect(session: Session, access: Access, event: Event, connected_ms: int) -> dict[str, Any]:
    """Accepts a connection where the app does, and keeps the context that it gives."""
    try:
        context = access.context_of(event, session.logger)
    except AuthenticationFailed:
        session.refused = "AUTHENTICATION_FAILED"
        return {"statusCode": 401, "body": "Authentication failed"}
    session.table.connect(Connection(session.connection_id, context, connected_ms))
    if offers_authorization(event):
        return {**_DONE, "headers": {"Sec-WebSocket-Protocol": "Authorization"}}
    return _DONE


def _serve_message(session: Session, access: Access, request: dict[str, Any], body: object) -> None:
    """Raises: UnknownConnection, AwsCallError."""
    at_ms = int(request["requestTimeEpoch"])
    try:
        match request["routeKey"]:
            case "join":
                _join(session, access, subscription_in(body), at_ms)
            case "leave":
                _leave(session, subscription_in(body), at_ms)
            case _:
                raise other_message(body)
    except BadMessage as bad:
        if not session.table.is_connected(session.connection_id):
            raise UnknownConnection from None
        session.refuse(bad.place, "BAD_MESSAGE", str(bad))


def _join(session: Session, access: Access, subscription: Subscription, at_ms: int) -> None:
    place = subscription.place
    try:
        connection = session.table.admit(session.connection_id)
    except TooManySubscriptions:
        message = f"A connection may have {SUBSCRIPTIONS_LIMIT} subscriptions"
        session.refuse(place, "TOO_MANY_SUBSCRIPTIONS", message)
        return
    refusal = _refusal(session, access, connection, place)
    if refusal is None:
        join(session, connection, subscription, at_ms)
    else:
        session.table.dismiss(connection.id)
        session.refuse(place, "STREAM_ACCESS_DENIED", refusal)


def _refusal(session: Session, access: Access, connection: Connection, place: Place) -> str | None:
    """Why the connection may not follow what is at `place`, None where it may."""
    if not access.knows(place.stream):
        return f"Stream {place.stream} not found"
    asked: dict[str, Json] = {"groupId": place.group}
    if place.item_id is not None:
        asked["id"] = place.item_id
    context: Json = json.loads(connection.context)
    may_join = access.allows(place.stream, asked, context, session)
    return None if may_join else "Access denied"


def _leave(session: Session, subscription: Subscription, at_ms: int) -> None:
    table = session.table
    if table.unsubscribe(session.connection_id, subscription.id, at_ms):
        table.dismiss(session.connection_id)
    elif not table.is_connected(session.connection_id):
        raise UnknownConnection
