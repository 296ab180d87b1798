"""API Gateway's UpdateStage, which moto does not have: the stage is made anew with its settings changed."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from treadle_local.aws.errors import AwsError
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Caller, Params, Region, Result, Target

OPERATION = "UpdateStage"
_SETTINGS = (
    "AccessLogSettings",
    "AutoDeploy",
    "ClientCertificateId",
    "DefaultRouteSettings",
    "DeploymentId",
    "Description",
    "RouteSettings",
    "StageVariables",
    "Tags",
)


class Stages:
    """One operation over moto's stages."""

    def __init__(self, region: Region, moto: Moto) -> None:
        self._region = region
        self._moto = moto

    def handle(self, operation: str, params: Params, caller: Caller) -> Awaitable[Result]:
        return self._update(params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html"""
        resource = f"arn:aws:apigateway:{self._region.name}::/apis/{params['ApiId']}/stages/{params['StageName']}"
        return (Target("apigateway:PATCH", resource),)

    async def _update(self, params: Params) -> Result:
        place = {"ApiId": params["ApiId"], "StageName": params["StageName"]}
        stage = await self._moto.call("apigatewayv2", "GetStage", place)
        kept = {name: stage[name] for name in _SETTINGS if stage.get(name) not in (None, {}, "")}
        changed = {name: params[name] for name in _SETTINGS if name in params}
        await self._moto.call("apigatewayv2", "DeleteStage", place)
        try:
            return await self._moto.call("apigatewayv2", "CreateStage", {**place, **kept, **changed})
        except AwsError:
            await self._moto.call("apigatewayv2", "CreateStage", {**place, **kept})
            raise
