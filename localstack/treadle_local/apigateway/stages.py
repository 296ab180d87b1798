"""Stages: names under which an API's deployments are served.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html
"""

from __future__ import annotations

import re
from typing import Any

from treadle_local.apigateway.members import (
    FLAG,
    Choice,
    MapOf,
    Members,
    Number,
    Record,
    Settings,
    Text,
    Whole,
    given,
    require,
    without_empty,
)
from treadle_local.apigateway.paging import page
from treadle_local.apigateway.refusals import bad_request, conflict, not_built, not_found, too_many
from treadle_local.apigateway.store import Api, Stage, Store
from treadle_local.apigateway.tags import TAGS, checked_tags
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result

MOST_STAGES = 10
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (WebSocket: the same)"""
_NAME = re.compile(r"\$default|[A-Za-z0-9_-]+")
_ROUTE_SETTINGS = Record(
    {
        "DataTraceEnabled": FLAG,
        "DetailedMetricsEnabled": FLAG,
        "LoggingLevel": Choice(("ERROR", "INFO", "OFF")),
        "ThrottlingBurstLimit": Whole(0, 2**31 - 1),
        "ThrottlingRateLimit": Number(),
    }
)
_MEMBERS: Members = {
    "AccessLogSettings": Record({"DestinationArn": Text(2048), "Format": Text(3072)}),
    "AutoDeploy": FLAG,
    "ClientCertificateId": Text(64),
    "DefaultRouteSettings": _ROUTE_SETTINGS,
    "DeploymentId": Text(64),
    "Description": Text(1024),
    "RouteSettings": MapOf(_ROUTE_SETTINGS),
    "StageVariables": MapOf(Text(512, re.compile(r"[A-Za-z0-9\-._~:/?#&=,]*")), key=Text(64, re.compile(r"\w+"))),
}
_MERGED = ("RouteSettings", "StageVariables")
"""Maps of which an update changes the entries that it has; an empty stage variable is no more."""


def create_stage(store: Store, params: Params) -> Result:
    api = store.api(params)
    require(params, "StageName")
    name: str = given({"StageName": Text(128, _NAME)}, params)["StageName"]
    settings, deployment_id = _split(without_empty(given(_MEMBERS, params)))
    tags = checked_tags(given({"Tags": TAGS}, params).get("Tags") or {}, {})
    _check(api, settings, settings, deployment_id)
    stage = add_stage(store, api, name, settings, tags)
    stage.deployment_id = deployment_id
    store.changed(api)
    return _shown(api, stage)


def add_stage(
    store: Store, api: Api, name: str, settings: Settings, tags: dict[str, str], *, managed: bool = False
) -> Stage:
    """A new stage of settings that are checked. Raises: AwsError ConflictException, TooManyRequestsException."""
    if name in api.stages:
        raise conflict(f"Stage {name} already exists")
    if len(api.stages) >= MOST_STAGES:
        raise too_many("Stages")
    now = store.now()
    stage = Stage(name, store.next_number(), now, now, settings, tags, managed=managed)
    api.stages[name] = stage
    return stage


def get_stage(store: Store, params: Params) -> Result:
    api = store.api(params)
    return _shown(api, _named(api, params))


def get_stages(store: Store, params: Params) -> Result:
    api = store.api(params)
    return page(api.stages.values(), params, lambda stage: _shown(api, stage))


def update_stage(store: Store, params: Params) -> Result:
    api = store.api(params)
    stage = _named(api, params)
    if stage.managed:
        raise bad_request("A stage that API Gateway manages cannot be changed")
    changes, deployment_id = _split(given(_MEMBERS, params))
    merged = {
        name: without_empty({**stage.settings.get(name, {}), **changes[name]}) for name in _MERGED if name in changes
    }
    settings = without_empty({**stage.settings, **changes, **merged})
    _check(api, settings, changes, deployment_id)
    stage.settings = settings
    stage.deployment_id = deployment_id or stage.deployment_id
    _touched(store, api, stage)
    return _shown(api, stage)


def delete_stage(store: Store, params: Params) -> Result:
    api = store.api(params)
    del api.stages[_named(api, params).name]
    return {}


def delete_access_log_settings(store: Store, params: Params) -> Result:
    api = store.api(params)
    stage = _named(api, params)
    stage.settings = without_empty({**stage.settings, "AccessLogSettings": None})
    _touched(store, api, stage)
    return {}


def delete_route_settings(store: Store, params: Params) -> Result:
    api = store.api(params)
    stage = _named(api, params)
    key = str(params.get("RouteKey"))
    kept = dict(stage.settings.get("RouteSettings", {}))
    if kept.pop(key, None) is None:
        raise not_found("Route settings", key)
    stage.settings = without_empty({**stage.settings, "RouteSettings": kept})
    _touched(store, api, stage)
    return {}


def _split(settings: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The settings without the deployment, which is no setting: it changes by itself where stages deploy so."""
    deployment_id = settings.pop("DeploymentId", None)
    return settings, deployment_id or None


def _check(api: Api, settings: Settings, changes: Settings, deployment_id: str | None) -> None:
    """Raises: AwsError for what AWS refuses of a stage's settings as they would be after some changes."""
    if "ClientCertificateId" in settings:
        raise not_built("ClientCertificateId of a stage")
    if deployment_id is not None and settings.get("AutoDeploy"):
        raise bad_request("DeploymentId cannot be set on a stage that deploys automatically")
    if deployment_id is not None and deployment_id not in api.deployments:
        raise not_found("Deployment", deployment_id)
    by_route = changes.get("RouteSettings", {})
    keys = {route.settings["RouteKey"] for route in api.routes.values()}
    for key in by_route:
        if key not in keys:
            message = f"Unable to find Route by key {key} within the provided RouteSettings"
            raise AwsError("NotFoundException", message, status=404)
    if api.protocol == "HTTP":
        for each in (changes.get("DefaultRouteSettings", {}), *by_route.values()):
            if each.get("DataTraceEnabled") or each.get("LoggingLevel", "OFF") != "OFF":
                raise bad_request("Execution logs are not supported on protocolType HTTP")


def _touched(store: Store, api: Api, stage: Stage) -> None:
    stage.updated = store.now()
    if stage.deploys_automatically:
        store.changed(api)


def _named(api: Api, params: Params) -> Stage:
    name = str(params.get("StageName"))
    if name not in api.stages:
        raise not_found("Stage", name)
    return api.stages[name]


def _shown(api: Api, stage: Stage) -> Result:
    defaults: dict[str, Any] = {"DetailedMetricsEnabled": False}
    if api.protocol == "WEBSOCKET":
        defaults |= {"DataTraceEnabled": False, "LoggingLevel": "OFF"}
    shown: Result = {
        "StageName": stage.name,
        "AutoDeploy": False,
        "CreatedDate": stage.created,
        "LastUpdatedDate": stage.updated,
        "RouteSettings": {},
        "StageVariables": {},
        "Tags": dict(stage.tags),
        **stage.settings,
    }
    shown["DefaultRouteSettings"] = {**defaults, **stage.settings.get("DefaultRouteSettings", {})}
    if stage.deployment_id is not None:
        shown["DeploymentId"] = stage.deployment_id
    if stage.deploys_automatically:
        shown["LastDeploymentStatusMessage"] = f"Successfully deployed stage with deployment ID '{stage.deployment_id}'"
    if stage.managed:
        shown["ApiGatewayManaged"] = True
    return shown
