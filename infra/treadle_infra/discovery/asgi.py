"""Steps that are ASGI applications: a module with `app` in place of `handler`, served under the config's path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from treadle_infra.app.findings import Finding, error
from treadle_infra.app.model import HttpMethod, HttpTrigger, Step
from treadle_infra.discovery.places import ConfigPlaces

_PARAMETERS = 3
"""The scope, and the functions that receive and send. Source: https://asgi.readthedocs.io/en/latest/specs/main.html"""
_PLACEHOLDER = "GET"


def is_application(config: Mapping[str, Any] | None, function: Mapping[str, Any] | None) -> bool:
    """Whether a module's `app` stands for its handler."""
    return config is not None and config.get("type") == "api" and function is not None and function.get("app") is True


def api_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of an application as one that an api step could have: it need not name a method."""
    return {**config, "method": _PLACEHOLDER} if _takes_any_method(config) else config


def check_application(config: Mapping[str, Any], facts: Mapping[str, Any], places: ConfigPlaces) -> Iterator[Finding]:
    """What keeps the application from being served."""
    most: int | None = facts.get("most")
    if facts.get("required", 0) > _PARAMETERS or (most is not None and most < _PARAMETERS):
        message = "`app` is no ASGI application: it is not called with a scope, receive and send"
        hint = "wrap a WSGI application in `asgiref.wsgi.WsgiToAsgi`, or write a `handler`"
        yield error("app-not-asgi", message, places.config, hint)
    if config.get("middleware") is not None:
        message = "the config's `middleware` does not run around an application"
        yield error("app-middleware", message, places.of("middleware"), "add it to `app` itself")


def application_step(step: Step, config: Mapping[str, Any]) -> Step:
    """The step with routes for its path and all below it, of every method where the config names none."""
    prefix = str(config["path"]).removesuffix("*").rstrip("/")
    method: HttpMethod = "ANY"
    triggers: list[HttpTrigger] = []
    for trigger in step.triggers:
        if isinstance(trigger, HttpTrigger) and not triggers:
            method = "ANY" if _takes_any_method(config) else trigger.method
            triggers = [
                dataclasses.replace(trigger, method=method, path=path) for path in (prefix or "/", f"{prefix}/*")
            ]
    return dataclasses.replace(step, triggers=tuple(triggers), application=prefix)


def _takes_any_method(config: Mapping[str, Any]) -> bool:
    method: object = config.get("method")
    return method is None or (isinstance(method, str) and method.upper() == "ANY")
