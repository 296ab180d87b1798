"""Aliases: names for versions, with weights that send a share of the invocations to another version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from treadle_local.aws.service import Params, Result
from treadle_local.functions.model import LATEST, Alias
from treadle_local.functions.references import parse_unqualified
from treadle_local.functions.refusals import conflict, function_not_found, invalid, not_found, stale_revision
from treadle_local.functions.registry import Function, Registry, new_revision, page

_ALIASES_PER_PAGE = 50


class Aliases:
    """The operations on aliases."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def create(self, params: Params) -> Result:
        function = self._function(params)
        name, version = params["Name"], params["FunctionVersion"]
        arn = f"{function.arn}:{name}"
        if name in function.aliases:
            raise conflict(f"Alias already exists: {arn}")
        weights = _weights(params)
        _check_target(function, version, weights)
        alias = Alias(name, arn, version, params.get("Description", ""), weights, new_revision())
        function.aliases[name] = alias
        return _rendered(alias)

    def get(self, params: Params) -> Result:
        return _rendered(_find(self._function(params), params["Name"]))

    def update(self, params: Params) -> Result:
        function = self._function(params)
        alias = _find(function, params["Name"])
        if params.get("RevisionId") not in (None, alias.revision_id):
            raise stale_revision()
        version = params.get("FunctionVersion", alias.version)
        weights = _weights(params) if "RoutingConfig" in params else alias.weights
        _check_target(function, version, weights)
        description = params.get("Description", alias.description)
        alias = replace(alias, version=version, weights=weights, description=description, revision_id=new_revision())
        function.aliases[alias.name] = alias
        return _rendered(alias)

    def delete(self, params: Params) -> Result:
        """Deletes it, and what was set on it. Deleting what is not there succeeds, as with AWS."""
        function = self._function(params)
        name = params["Name"]
        function.aliases.pop(name, None)
        function.policies.pop(name, None)
        function.asynchronous.pop(name, None)
        return {}

    def list_aliases(self, params: Params) -> Result:
        function = self._function(params)
        version = params.get("FunctionVersion")
        aliases = [alias for alias in function.aliases.values() if version in (None, alias.version)]
        given, more = page(aliases, lambda alias: alias.name, params, _ALIASES_PER_PAGE)
        return {"Aliases": [_rendered(alias) for alias in given], **more}

    def _function(self, params: Params) -> Function:
        return self._registry.find(parse_unqualified(params["FunctionName"], self._registry.region))


def _find(function: Function, name: str) -> Alias:
    alias = function.aliases.get(name)
    if alias is None:
        raise not_found(f"Cannot find alias arn: {function.arn}:{name}")
    return alias


def _weights(params: Params) -> Mapping[str, float]:
    routing: Mapping[str, Any] = params.get("RoutingConfig") or {}
    return dict(routing.get("AdditionalVersionWeights") or {})


def _check_target(function: Function, version: str, weights: Mapping[str, float]) -> None:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"""
    for target in (version, *weights):
        if target != LATEST and target not in function.versions:
            raise function_not_found(f"{function.arn}:{target}")
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if weights and version == LATEST:
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if version in weights:
        raise invalid(
            f"Invalid function version {version}. "
            f"Function version {version} is already included in routing configuration."
        )


def _rendered(alias: Alias) -> Result:
    result: Result = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        result["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return result
