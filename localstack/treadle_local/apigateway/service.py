"""API Gateway's control plane for HTTP and WebSocket APIs: the operations by AWS's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle_local.apigateway import apis, deployments, integrations, routes, stages, tags
from treadle_local.apigateway.store import Deployment, Store
from treadle_local.aws.authorization import actions
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.aws.services import unknown_operation
from treadle_local.clock import Clock

_OPERATIONS: Mapping[str, Callable[[Store, Params], Result]] = {
    "CreateApi": apis.create_api,
    "GetApi": apis.get_api,
    "GetApis": apis.get_apis,
    "UpdateApi": apis.update_api,
    "DeleteCorsConfiguration": apis.delete_cors_configuration,
    "CreateStage": stages.create_stage,
    "GetStage": stages.get_stage,
    "GetStages": stages.get_stages,
    "UpdateStage": stages.update_stage,
    "DeleteStage": stages.delete_stage,
    "DeleteAccessLogSettings": stages.delete_access_log_settings,
    "DeleteRouteSettings": stages.delete_route_settings,
    "CreateRoute": routes.create_route,
    "GetRoute": routes.get_route,
    "GetRoutes": routes.get_routes,
    "UpdateRoute": routes.update_route,
    "DeleteRoute": routes.delete_route,
    "CreateIntegration": integrations.create_integration,
    "GetIntegration": integrations.get_integration,
    "GetIntegrations": integrations.get_integrations,
    "UpdateIntegration": integrations.update_integration,
    "DeleteIntegration": integrations.delete_integration,
    "CreateDeployment": deployments.create_deployment,
    "GetDeployment": deployments.get_deployment,
    "GetDeployments": deployments.get_deployments,
    "UpdateDeployment": deployments.update_deployment,
    "DeleteDeployment": deployments.delete_deployment,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "GetTags": tags.get_tags,
}


class ApiGateway:
    """The service. `find_deployment` is what the gateways read."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._region = region
        self._store = Store(region, clock)
        self._deleted: list[Callable[[str], None]] = []

    def on_delete(self, callback: Callable[[str], None]) -> None:
        """Calls back with the id of each API that is deleted."""
        self._deleted.append(callback)

    def find_deployment(self, api_id: str, stage: str) -> Deployment | None:
        """What a stage serves now; None where there is no such stage, or nothing is deployed to it."""
        return self._store.deployed(api_id, stage)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        if operation == "DeleteApi":
            return self._delete_api(params)
        action = _OPERATIONS.get(operation)
        if action is None:
            raise unknown_operation("apigatewayv2", operation)
        return action(self._store, params)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        return actions.targets(self._region, "apigatewayv2", operation, params)

    def _delete_api(self, params: Params) -> Result:
        api = self._store.api(params)
        del self._store.apis[api.id]
        for callback in self._deleted:
            callback(api.id)
        return {}
