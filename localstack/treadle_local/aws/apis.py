"""API Gateway's operations on WebSocket APIs, in front of moto's: what moto takes wrongly, or takes and does not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

from treadle_local.aws.authorization import actions
from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.gateway.websocket_routes import SelectionExpression

_SERVICE = "apigatewayv2"
_READS = frozenset({"GetApi", "GetApis"})
_OF_AN_API = frozenset(
    {
        "CreateIntegration",
        "CreateIntegrationResponse",
        "CreateRoute",
        "CreateRouteResponse",
        "UpdateApi",
        "UpdateIntegration",
        "UpdateRoute",
    }
)
OPERATIONS = _READS | _OF_AN_API | {"CreateApi", "CreateDeployment"}

_MAXIMUM_TIMEOUT_MILLISECONDS = 29_000
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""


class Apis:
    """These operations for APIs of both protocols; those of HTTP APIs are moto's as they are."""

    def __init__(self, region: Region, moto: Moto, changed: Callable[[], None]) -> None:
        self._region = region
        self._moto = moto
        self._changed = changed

    def handle(self, operation: str, params: Params, caller: Caller) -> Awaitable[Result]:
        return self._do(operation, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return actions.targets(self._region, _SERVICE, operation, params)

    async def _do(self, operation: str, params: Params) -> Result:
        if operation == "CreateDeployment":
            _refuse("CreateDeployment: a stage serves its API's routes as they are")
        if await self._is_websocket(operation, params):
            _check(operation, params)
        result = await self._moto.call(_SERVICE, operation, params)
        if operation not in _READS:
            self._changed()
        for api in (result, *result.get("Items", ())):
            if api.get("ProtocolType") == "WEBSOCKET":
                api["ApiEndpoint"] = str(api["ApiEndpoint"]).replace("https://", "wss://", 1)
        return result

    async def _is_websocket(self, operation: str, params: Params) -> bool:
        if operation not in _OF_AN_API:
            return bool(params.get("ProtocolType") == "WEBSOCKET")
        api = await self._moto.call(_SERVICE, "GetApi", {"ApiId": params["ApiId"]})
        return bool(api["ProtocolType"] == "WEBSOCKET")


def _check(operation: str, params: Params) -> None:
    """Raises: AwsError for what AWS refuses, and for what the emulator's gateway does not do."""
    match operation:
        case "CreateApi":
            _check_expression(params.get("RouteSelectionExpression") or "")
        case "UpdateApi":
            if params.get("RouteSelectionExpression") is not None:
                _check_expression(params["RouteSelectionExpression"])
        case "CreateRoute" | "UpdateRoute":
            _check_route(params)
        case "CreateIntegration" | "UpdateIntegration":
            _check_integration(params)
        case "CreateRouteResponse" | "CreateIntegrationResponse":
            _refuse(f"{operation} for a WebSocket API")
        case _:
            return


def _check_expression(expression: str) -> None:
    if not expression:
        raise _bad("RouteSelectionExpression is required for WebSocket APIs")
    try:
        SelectionExpression.parse(expression)
    except ValueError as problem:
        raise _bad(f"Invalid route selection expression specified: {problem}") from None


def _check_route(params: Params) -> None:
    if params.get("AuthorizationType") not in (None, "", "NONE"):
        _refuse(f"AuthorizationType {params['AuthorizationType']} on a WebSocket API's route")
    _refuse_any(params, "route", "ApiKeyRequired", "RouteResponseSelectionExpression", "RequestModels")


def _check_integration(params: Params) -> None:
    if params.get("IntegrationType") not in (None, "AWS_PROXY"):
        _refuse(f"IntegrationType {params['IntegrationType']} of a WebSocket API")
    _refuse_any(params, "integration", "ContentHandlingStrategy", "RequestTemplates", "RequestParameters")
    if int(params.get("TimeoutInMillis") or 0) > _MAXIMUM_TIMEOUT_MILLISECONDS and "IntegrationType" in params:
        raise _bad("Timeout should be between 50 ms and 29000 ms")


def _refuse_any(params: Mapping[str, Any], what: str, *names: str) -> None:
    for name in names:
        if params.get(name):
            _refuse(f"{name} on a WebSocket API's {what}")


def _refuse(what: str) -> NoReturn:
    raise _bad(f"{what} is not in Treadle's emulator yet")


def _bad(message: str) -> AwsError:
    return AwsError("BadRequestException", message)
