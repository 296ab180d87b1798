"""Runs what the app says about who may connect and who may follow what. Whatever fails there is a refusal."""

from __future__ import annotations

import os

from treadle.errors import ConfigurationError
from treadle.invoke import call_handler
from treadle.json_values import dump_json, object_or_none
from treadle.loader import load_module
from treadle.logger import write_line
from treadle.names import LETS_ALL_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.live.session import Session
    from treadle.live.slice import SystemSlice
    from treadle.logger import Logger
    from treadle.shapes import Event, Json, UserHandler

ANONYMOUS = "null"
"""The context, as JSON text, of a connection that nothing is known of."""
_ACCESS_KEY = "canAccess"
_ACCESS_KEYS = (_ACCESS_KEY, "can_access")
_JOIN_KEY = "onJoin"
_JOIN_KEYS = (_JOIN_KEY, "on_join")


class AuthenticationFailed(Exception):  # noqa: N818 - an answer that callers expect
    """The app does not accept a connection."""


class Access:
    """The app's own functions, loaded when the process starts: then Lambda gives it a whole CPU."""

    __slots__ = ("_authenticate", "_rules", "_slice", "project_root")

    def __init__(self, system_slice: SystemSlice, project_root: str) -> None:
        """What cannot be loaded is logged, and refuses whoever asks for it."""
        self._slice = system_slice
        self.project_root = project_root
        self._authenticate: UserHandler | None = None
        self._rules: dict[str, dict[str, UserHandler]] = {}
        if os.path.isdir(project_root):  # noqa: PTH112 - pathlib is not loaded at a cold start
            os.chdir(project_root)
        if system_slice.secrets:  # what fails here ends the process, and is tried again by the next one
            from treadle.secrets import fetch_secrets

            fetch_secrets(system_slice.secrets)
        if system_slice.authenticate is not None:
            loaded = self._loaded(system_slice.authenticate.source, system_slice.authenticate.function)
            self._authenticate = loaded.get(system_slice.authenticate.function)
        for stream, source in system_slice.streams.items():
            if source is not None:
                self._rules[stream] = self._loaded(source, None)

    def context_of(self, event: Event, logger: Logger) -> str:
        """The JSON text of the context that the app gives a new connection.

        Raises: AuthenticationFailed.
        """
        if self._slice.authenticate is None:
            return ANONYMOUS
        if self._authenticate is None:
            logger.error("A connection is refused: the app's authenticate function could not be loaded")
            raise AuthenticationFailed
        try:
            return dump_json(call_handler(self._authenticate, (_request(event),), logger), "context")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            logger.warn("A connection is refused: the app's authenticate function raised", _without_message(error))
            raise AuthenticationFailed from None

    def knows(self, stream: str) -> bool:
        """True where the app has a stream of that name."""
        return stream in self._slice.streams

    def allows(self, stream: str, subscription: dict[str, Json], context: Json, session: Session) -> bool:
        """True where a connection with this context may follow the group, or the item in it, that is named."""
        logger = session.logger
        if self._slice.streams[stream] is None:
            if stream in self._slice.open_streams or os.environ.get(LETS_ALL_IN) == "1":
                return True
            logger.warn(f"A join is refused: stream {stream} has neither `{_ACCESS_KEY}` nor `access: open`")
            return False
        rules = self._rules[stream]
        if not rules:
            logger.error(f"A join is refused: {_ACCESS_KEY} of stream {stream} could not be loaded")
            return False
        asked = ""
        try:
            for asked, rule in rules.items():
                if not _agrees(asked, rule, subscription, context, session):
                    return False
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            logger.failure(f"A join is refused: {asked} of stream {stream} raised", error)
            return False
        return True

    def _loaded(self, source: str, function: str | None) -> dict[str, UserHandler]:
        """The function of that name in a file, or where none is named the rules in its stream's definition, by key.

        Empty where any of it cannot be had.
        """
        try:
            module = load_module(self.project_root, source, self._slice.package)
            if function is not None:
                found: dict[str, Any] = {function: getattr(module, function, None)}
                name = f"function `{function}`"
            else:
                found = _access_rules(getattr(module, "config", None))
                name = f"function at `{_ACCESS_KEY}` of its `config`"
            if not found or not all(map(callable, found.values())):
                raise ConfigurationError(f"{source} has no {name}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            from treadle.logger import error_fields

            write_line({"level": "error", "msg": f"{source} cannot be loaded", **error_fields(error)})
            return {}
        return found


def _agrees(key: str, rule: UserHandler, subscription: dict[str, Json], context: Json, session: Session) -> bool:
    if key == _ACCESS_KEY:
        return bool(call_handler(rule, (subscription, context), session.logger))
    from treadle.live.join_rule import lets_join

    return lets_join(rule, subscription, context, session.trace_id, session.logger)


def _access_rules(config: object) -> dict[str, Any]:
    """What a stream's config, a dict or an object with attributes, has of `canAccess` and `onJoin`, in this order."""
    fields = object_or_none(config)
    rules: dict[str, Any] = {}
    for keys in (_ACCESS_KEYS, _JOIN_KEYS):
        values = [getattr(config, key, None) if fields is None else fields.get(key) for key in keys]
        rule = next((value for value in values if value is not None), None)
        if rule is not None:
            rules[keys[0]] = rule
    return rules


def offers_authorization(event: Event) -> bool:
    """True where a client offers the subprotocol `Authorization`, behind which Motia's clients put their token."""
    offered = _headers(event).get("sec-websocket-protocol", "")
    return "Authorization" in [protocol.strip() for protocol in offered.split(",")]


def _request(event: Event) -> dict[str, Any]:
    """What an authenticate function gets: `{"headers", "url", "path", "queryParams"}`.

    API Gateway tells no path: it has none below the stage.
    """
    parameters: dict[str, list[str]] = event.get("multiValueQueryStringParameters") or {}
    query = ""
    if parameters:
        from treadle.aws.percent import percent_encoded

        pairs = [(name, value) for name, values in parameters.items() for value in values]
        query = "?" + "&".join(f"{percent_encoded(name)}={percent_encoded(value)}" for name, value in pairs)
    return {
        "headers": _headers(event),
        "url": f"/{query}",
        "path": "/",
        "queryParams": {name: values[-1] for name, values in parameters.items()},
    }


def _headers(event: Event) -> dict[str, str]:
    """The request's headers, names in lower case, the values of one name joined.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
    """
    given: dict[str, list[str]] = event.get("multiValueHeaders") or {}
    return {name.lower(): ", ".join(values) for name, values in given.items()}


def _without_message(error: BaseException) -> dict[str, object]:
    """Type and stack of an error, without its text, in which the token may stand that it is about."""
    import traceback

    from treadle.fingerprint import project_traceback

    return {"errorType": type(error).__name__, "stack": "".join(traceback.format_tb(project_traceback(error)))}
