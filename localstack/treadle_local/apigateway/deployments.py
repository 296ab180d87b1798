"""Deployments: what stages serve that do not deploy automatically."""

from __future__ import annotations

from dataclasses import replace

from treadle_local.apigateway.members import TEXT, given
from treadle_local.apigateway.paging import page
from treadle_local.apigateway.refusals import bad_request, not_found
from treadle_local.apigateway.store import Api, Deployment, Store
from treadle_local.aws.service import Params, Result


def create_deployment(store: Store, params: Params) -> Result:
    """Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments.html"""
    api = store.api(params)
    asked = given({"Description": TEXT, "StageName": TEXT}, params)
    stage = None
    if name := asked.get("StageName"):
        stage = api.stages.get(name)
        if stage is None:
            raise not_found("Stage", name)
        if stage.deploys_automatically:
            raise bad_request(f"Stage {name} deploys automatically: a deployment cannot be created for it")
    if not api.routes:
        raise bad_request("At least one route is required before deploying the Api.")
    deployment = store.deploy(api, asked.get("Description", ""), automatic=False)
    if stage is not None:
        stage.deployment_id = deployment.id
        stage.updated = store.now()
    return _shown(deployment)


def get_deployment(store: Store, params: Params) -> Result:
    return _shown(_named(store.api(params), params))


def get_deployments(store: Store, params: Params) -> Result:
    return page(store.api(params).deployments.values(), params, _shown)


def update_deployment(store: Store, params: Params) -> Result:
    api = store.api(params)
    asked = given({"Description": TEXT}, params)
    deployment = _named(api, params)
    deployment = replace(deployment, description=asked.get("Description", deployment.description))
    api.deployments[deployment.id] = deployment
    return _shown(deployment)


def delete_deployment(store: Store, params: Params) -> Result:
    api = store.api(params)
    deployment = _named(api, params)
    if any(stage.deployment_id == deployment.id for stage in api.stages.values()):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    del api.deployments[deployment.id]
    return {}


def _named(api: Api, params: Params) -> Deployment:
    identity = str(params.get("DeploymentId"))
    if identity not in api.deployments:
        raise not_found("Deployment", identity)
    return api.deployments[identity]


def _shown(deployment: Deployment) -> Result:
    described = {"Description": deployment.description} if deployment.description else {}
    return {
        "AutoDeployed": deployment.automatic,
        "CreatedDate": deployment.created,
        "DeploymentId": deployment.id,
        "DeploymentStatus": "DEPLOYED",
        **described,
    }
