"""Where a deployed stage answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from treadle_infra.deploy.account import Account

HTTP_STAGE = "$default"


@dataclass(frozen=True, slots=True)
class Addresses:
    """None for what the app does not have; `others`: the stack's other outputs, by name."""

    http_url: str | None
    websocket_url: str | None
    others: Mapping[str, str]


def addresses_of(account: Account, stage: str, outputs: Mapping[str, str]) -> Addresses:
    """The URLs that work for whoever deployed: on AWS the API's own, behind an endpoint the form with the API's id."""
    http, websocket = outputs.get("HttpApiUrl"), outputs.get("WebSocketUrl")
    if account.endpoint_url is not None:
        http = _behind(account.endpoint_url, outputs.get("HttpApiId"), HTTP_STAGE)
        # the scheme of an emulator's ApiEndpoint is not to be trusted
        connections = _behind(account.endpoint_url, outputs.get("WebSocketApiId"), stage)
        websocket = None if connections is None else connections.replace("http", "ws", 1)
    named = ("HttpApiUrl", "HttpApiId", "WebSocketUrl", "WebSocketApiId")
    return Addresses(http, websocket, {name: value for name, value in outputs.items() if name not in named})


def _behind(endpoint: str, api_id: str | None, stage: str) -> str | None:
    return None if api_id is None else f"{endpoint}/_aws/execute-api/{api_id}/{stage}"
