"""What API Gateway keeps: APIs with their routes, integrations and stages, and the deployments that stages serve."""

from __future__ import annotations

import itertools
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from treadle_local.apigateway.members import Settings
from treadle_local.apigateway.refusals import not_found
from treadle_local.aws.service import Params, Region
from treadle_local.clock import Clock

Protocol = Literal["HTTP", "WEBSOCKET"]
_LETTERS = string.ascii_lowercase + string.digits
API_ID_LENGTH = 10
PART_ID_LENGTH = 7


@dataclass(frozen=True, slots=True)
class Part:
    """A route or an integration. `number` counts all that is made; `managed` is what quick create has made."""

    id: str
    number: int
    settings: Settings
    managed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """An API's settings, routes and integrations as they were at a moment: what stages serve."""

    id: str
    number: int
    created: int
    description: str
    automatic: bool
    protocol: Protocol
    settings: Settings
    routes: tuple[Part, ...]
    integrations: tuple[Part, ...]


@dataclass(slots=True)
class Stage:
    """Times are in seconds since the epoch."""

    name: str
    number: int
    created: int
    updated: int
    settings: Settings
    tags: dict[str, str]
    deployment_id: str | None = None
    managed: bool = False

    @property
    def deploys_automatically(self) -> bool:
        return bool(self.settings.get("AutoDeploy"))


@dataclass(slots=True)
class Api:
    id: str
    number: int
    created: int
    protocol: Protocol
    settings: Settings
    tags: dict[str, str]
    routes: dict[str, Part] = field(default_factory=dict[str, Part])
    integrations: dict[str, Part] = field(default_factory=dict[str, Part])
    stages: dict[str, Stage] = field(default_factory=dict[str, Stage])
    deployments: dict[str, Deployment] = field(default_factory=dict[str, Deployment])


class Store:
    """All APIs. `deployed` is what the gateways read, for every request."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self.region = region
        self.apis: dict[str, Api] = {}
        self._clock = clock
        self._numbers = itertools.count(1)

    def now(self) -> int:
        """Seconds since the epoch."""
        return int(self._clock.now())

    def next_number(self) -> int:
        return next(self._numbers)

    def deployed(self, api_id: str, stage_name: str) -> Deployment | None:
        """What a stage serves now; None where there is no such stage, or nothing is deployed to it."""
        api = self.apis.get(api_id)
        stage = api.stages.get(stage_name) if api is not None else None
        if api is None or stage is None or stage.deployment_id is None:
            return None
        return api.deployments[stage.deployment_id]

    def api(self, params: Params) -> Api:
        """The API that a request names. Raises: AwsError NotFoundException."""
        api_id = str(params.get("ApiId"))
        api = self.apis.get(api_id)
        if api is None:
            raise not_found("API", f"{self.region.account}:{api_id}")
        return api

    def new_part(self, settings: Settings, taken: Mapping[str, Part], *, managed: bool = False) -> Part:
        return Part(new_id(PART_ID_LENGTH, taken), self.next_number(), settings, managed)

    def changed(self, api: Api) -> None:
        """Deploys an API to its stages that deploy automatically."""
        stages = [stage for stage in api.stages.values() if stage.deploys_automatically]
        if not stages:
            return
        deployment = self.deploy(api, "Automatic deployment triggered by changes to the Api configuration", True)
        for stage in stages:
            stage.deployment_id = deployment.id
        served = {stage.deployment_id for stage in api.stages.values()}
        for old in tuple(api.deployments.values()):
            if old.automatic and old.id not in served:
                del api.deployments[old.id]

    def deploy(self, api: Api, description: str, automatic: bool) -> Deployment:
        """A new deployment of an API as it is now, which no stage serves yet."""
        deployment = Deployment(
            id=new_id(PART_ID_LENGTH, api.deployments),
            number=self.next_number(),
            created=self.now(),
            description=description,
            automatic=automatic,
            protocol=api.protocol,
            settings=api.settings,
            routes=tuple(api.routes.values()),
            integrations=tuple(api.integrations.values()),
        )
        api.deployments[deployment.id] = deployment
        return deployment


def new_id(length: int, taken: Mapping[str, object]) -> str:
    """A random id that is not taken."""
    while True:
        identity = "".join(secrets.choice(_LETTERS) for _ in range(length))
        if identity not in taken:
            return identity
