"""Settings of asynchronous invocation, per function, version or alias: retries, age, destinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from treadle_local.aws.service import Params, Result
from treadle_local.functions.destinations import check_destination, check_permission, named_destination
from treadle_local.functions.model import LATEST, AsynchronousSettings, Backing
from treadle_local.functions.references import parse
from treadle_local.functions.refusals import invalid, not_found
from treadle_local.functions.registry import Function, Registry, page

_CONFIGURATIONS_PER_PAGE = 50
_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class AsynchronousConfiguration:
    """The operations on event invoke configurations."""

    def __init__(self, registry: Registry, backing: Backing) -> None:
        self._registry = registry
        self._backing = backing

    def put(self, params: Params) -> Result:
        """Replaces the whole configuration."""
        function, qualifier = self._existing(params)
        blank = AsynchronousSettings(f"{function.arn}:{qualifier}", 0.0)
        return self._keep(function, qualifier, blank, params)

    def update(self, params: Params) -> Result:
        """Changes what the parameters carry."""
        function, qualifier = self._existing(params)
        return self._keep(function, qualifier, _find(function, qualifier), params)

    def get(self, params: Params) -> Result:
        function, qualifier = self._existing(params)
        return _rendered(_find(function, qualifier))

    def delete(self, params: Params) -> Result:
        function, qualifier = self._existing(params)
        _find(function, qualifier)
        del function.asynchronous[qualifier]
        return {}

    def list_configurations(self, params: Params) -> Result:
        function, _ = self._existing(params)
        settings = list(function.asynchronous.values())
        given, more = page(settings, lambda one: one.arn, params, _CONFIGURATIONS_PER_PAGE)
        return {"FunctionEventInvokeConfigs": [_rendered(one) for one in given], **more}

    def _existing(self, params: Params) -> tuple[Function, str]:
        reference = self._registry.reference(params)
        function, _ = self._registry.find_qualified(reference)
        return function, reference.qualifier or LATEST

    def _keep(self, function: Function, qualifier: str, settings: AsynchronousSettings, params: Params) -> Result:
        if not any(params.get(member) is not None for member in _SETTINGS):
            raise invalid("You must specify at least one of error handling or destination setting.")
        fields: dict[str, Any] = {"last_modified": self._registry.clock.now()}
        if params.get("MaximumRetryAttempts") is not None:
            fields["maximum_retry_attempts"] = params["MaximumRetryAttempts"]
        if params.get("MaximumEventAgeInSeconds") is not None:
            fields["maximum_event_age_seconds"] = params["MaximumEventAgeInSeconds"]
        configuration: Mapping[str, Any] = params.get("DestinationConfig") or {}
        if "OnSuccess" in configuration:
            fields["on_success"] = named_destination(configuration, "OnSuccess")
        if "OnFailure" in configuration:
            fields["on_failure"] = named_destination(configuration, "OnFailure")
        for arn in (fields.get("on_success"), fields.get("on_failure")):
            if arn is not None:
                self._check_destination(function, qualifier, arn)
        function.asynchronous[qualifier] = replace(settings, **fields)
        return _rendered(function.asynchronous[qualifier])

    def _check_destination(self, function: Function, qualifier: str, arn: str) -> None:
        check_destination(arn, services=("sqs", "sns", "lambda"))
        if ":function:" in arn:
            target = parse(arn, None, self._registry.region)
            if target.name == function.name:
                raise invalid("You can't specify the function as a destination for itself.")
            self._registry.find_qualified(target)
        version = function.pinned(qualifier) or function.latest
        check_permission(self._backing, version.role_arn, arn)


def _find(function: Function, qualifier: str) -> AsynchronousSettings:
    settings = function.asynchronous.get(qualifier)
    if settings is None:
        raise not_found(f"The function {function.arn}:{qualifier} doesn't have an EventInvokeConfig")
    return settings


def _rendered(settings: AsynchronousSettings) -> Result:
    result: Result = {
        "LastModified": datetime.fromtimestamp(settings.last_modified, UTC),
        "FunctionArn": settings.arn,
        "DestinationConfig": {
            "OnSuccess": {"Destination": settings.on_success} if settings.on_success else {},
            "OnFailure": {"Destination": settings.on_failure} if settings.on_failure else {},
        },
    }
    if settings.maximum_retry_attempts is not None:
        result["MaximumRetryAttempts"] = settings.maximum_retry_attempts
    if settings.maximum_event_age_seconds is not None:
        result["MaximumEventAgeInSeconds"] = settings.maximum_event_age_seconds
    return result
