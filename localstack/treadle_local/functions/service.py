"""The Lambda service: AWS's operations over the registry of functions, with the runtime behind `Backing`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.functions.aliases import Aliases
from treadle_local.functions.asynchronous import AsynchronousInvocations, OnDropped
from treadle_local.functions.asynchronous_settings import AsynchronousConfiguration
from treadle_local.functions.code import MAXIMUM_UNZIPPED_BYTES
from treadle_local.functions.concurrency import ACCOUNT_CONCURRENCY, Concurrency
from treadle_local.functions.constraints import check, is_operation
from treadle_local.functions.invocation import Invocation
from treadle_local.functions.layer_permissions import LayerPermissions
from treadle_local.functions.layer_store import LayerStore
from treadle_local.functions.layer_versions import LayerVersions
from treadle_local.functions.lifecycle import Lifecycle
from treadle_local.functions.mapping_settings import mapping_arn
from treadle_local.functions.mappings import Mappings
from treadle_local.functions.model import (
    Backing,
    CodePackage,
    EventSourceMapping,
    FunctionVersion,
    InvokeOutcome,
    InvokeRequest,
)
from treadle_local.functions.permissions import Permissions
from treadle_local.functions.references import parse
from treadle_local.functions.registry import Registry
from treadle_local.functions.tags import Tags

Operation = Callable[[Params], Result | Awaitable[Result]]

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_CODE_STORAGE_BYTES = 80_530_636_800
_ZIPPED_BYTES = 52_428_800


def _log_dropped(function: str, reason: str) -> None:
    logging.getLogger("treadle.functions").error("%s: %s", function, reason)


class LambdaService:
    """Functions, versions, aliases, mappings and their invocation. All calls are made on the event loop's thread."""

    def __init__(self, region: Region, clock: Clock, backing: Backing, on_dropped: OnDropped = _log_dropped) -> None:
        self._region = region
        self._registry = Registry(region, clock)
        self._concurrency = Concurrency(self._registry, backing)
        self._asynchronous = AsynchronousInvocations(self._registry, self._concurrency, backing, on_dropped)
        self._layers = LayerStore(region)
        self._lifecycle = Lifecycle(self._registry, self._layers, backing)
        self._mappings = Mappings(self._registry, backing)
        self._permissions = Permissions(self._registry)
        self._invoke = Invocation(self._registry, self._concurrency, self._asynchronous).invoke
        self._layer_permissions = LayerPermissions(self._layers)
        layers = LayerVersions(self._layers, clock, backing, self._lifecycle.location)
        aliases = Aliases(self._registry)
        configuration = AsynchronousConfiguration(self._registry, backing)
        tags = Tags(self._registry, self._mappings)
        self._operations: Mapping[str, Operation] = {
            "AddLayerVersionPermission": self._layer_permissions.add,
            "AddPermission": self._permissions.add,
            "CreateAlias": aliases.create,
            "CreateEventSourceMapping": self._mappings.create,
            "CreateFunction": self._lifecycle.create,
            "DeleteAlias": aliases.delete,
            "DeleteEventSourceMapping": self._mappings.delete,
            "DeleteFunction": self._lifecycle.delete,
            "DeleteFunctionConcurrency": self._concurrency.delete,
            "DeleteFunctionEventInvokeConfig": configuration.delete,
            "DeleteLayerVersion": layers.delete,
            "GetAccountSettings": self._account_settings,
            "GetAlias": aliases.get,
            "GetEventSourceMapping": self._mappings.get,
            "GetFunction": self._lifecycle.get,
            "GetFunctionConcurrency": self._concurrency.get,
            "GetFunctionConfiguration": self._lifecycle.get_configuration,
            "GetFunctionEventInvokeConfig": configuration.get,
            "GetLayerVersion": layers.get,
            "GetLayerVersionByArn": layers.get_by_arn,
            "GetLayerVersionPolicy": self._layer_permissions.get,
            "GetPolicy": self._permissions.get,
            "ListAliases": aliases.list_aliases,
            "ListEventSourceMappings": self._mappings.list_mappings,
            "ListFunctionEventInvokeConfigs": configuration.list_configurations,
            "ListFunctions": self._lifecycle.list_functions,
            "ListLayerVersions": layers.list_versions,
            "ListLayers": layers.list_layers,
            "ListTags": tags.list_tags,
            "ListVersionsByFunction": self._lifecycle.list_versions,
            "PublishLayerVersion": layers.publish,
            "PublishVersion": self._lifecycle.publish,
            "PutFunctionConcurrency": self._concurrency.put,
            "PutFunctionEventInvokeConfig": configuration.put,
            "RemoveLayerVersionPermission": self._layer_permissions.remove,
            "RemovePermission": self._permissions.remove,
            "TagResource": tags.tag,
            "UntagResource": tags.untag,
            "UpdateAlias": aliases.update,
            "UpdateEventSourceMapping": self._mappings.update,
            "UpdateFunctionCode": self._lifecycle.update_code,
            "UpdateFunctionConfiguration": self._lifecycle.update_configuration,
            "UpdateFunctionEventInvokeConfig": configuration.update,
        }

    # the Service protocol

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The policy of a function, version or alias, or of a version of a layer."""
        return self._layer_permissions.document(arn) if ":layer:" in arn else self.resource_policy(arn)

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """See `Service`. Everything but Invoke and what reads code is done at once."""
        if operation == "Invoke":
            return self._invoke(params)
        do = self._operations.get(operation)
        if do is None:
            raise _refusal(operation)
        given = _without_nulls(params)
        check(operation, given)
        return do(given)

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """See `Service`. Giving a function a role asks for `iam:PassRole` too, a layer for `lambda:GetLayerVersion`.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
        """
        if operation == "Invoke":
            reference = parse(params["FunctionName"], params.get("Qualifier"), self._region)
            return (Target("lambda:InvokeFunction", reference.qualified_arn),)
        resource = self._resource(operation, params)
        context: dict[str, str | Sequence[str]] = {}
        if operation.endswith("EventSourceMapping"):
            function_arn = self._mapped_function(params)
            if function_arn is not None:
                context["lambda:FunctionArn"] = function_arn
        layers: Sequence[str] = params.get("Layers") or ()
        if layers:
            context["lambda:Layer"] = layers
        action = "GetLayerVersion" if operation == "GetLayerVersionByArn" else operation
        wanted = [Target(f"lambda:{action}", resource, context)]
        if operation in ("CreateFunction", "UpdateFunctionConfiguration"):
            if params.get("Role"):
                wanted.append(Target("iam:PassRole", params["Role"], {"iam:PassedToService": "lambda.amazonaws.com"}))
            wanted += [Target("lambda:GetLayerVersion", layer) for layer in layers]
        return wanted

    def _resource(self, operation: str, params: Params) -> str:
        if operation.endswith("EventSourceMapping"):
            return mapping_arn(params["UUID"], self._region) if "UUID" in params else "*"
        if "Resource" in params:
            return str(params["Resource"])
        if operation == "GetLayerVersionByArn":
            return str(params["Arn"])
        if "LayerName" in params and operation != "ListLayerVersions":
            return self._layers.reference(params["LayerName"], params.get("VersionNumber")).arn
        if "FunctionName" in params and operation != "ListEventSourceMappings":
            return parse(params["FunctionName"], None, self._region).arn
        return "*"

    def _mapped_function(self, params: Params) -> str | None:
        if params.get("FunctionName"):
            return parse(params["FunctionName"], None, self._region).qualified_arn
        return next((one.function_arn for one in self._mappings.all() if one.uuid == params.get("UUID")), None)

    # for the rest of the emulator

    def resolve(self, function_name_or_arn: str, qualifier: str | None = None) -> tuple[FunctionVersion, str]:
        """The version that an invocation now runs, and the ARN it is invoked by. Raises ResourceNotFoundException."""
        reference = parse(function_name_or_arn, qualifier, self._region)
        return self._registry.route(reference), reference.qualified_arn

    async def run(self, version: FunctionVersion, payload: bytes, request: InvokeRequest) -> InvokeOutcome:
        """Runs a function once, held to its reserved concurrency. Raises TooManyRequestsException."""
        return await self._concurrency.run(version, payload, request)

    def quiet(self) -> bool:
        """Whether no function runs, and no accepted event but those that wait for the clock is still to be run."""
        return self._concurrency.running == 0 and self._asynchronous.quiet

    def pending_events(self) -> int:
        """How many events of asynchronous invocations run or are about to."""
        return self._asynchronous.pending

    def mappings(self) -> Sequence[EventSourceMapping]:
        """Every event source mapping, disabled ones too."""
        return self._mappings.all()

    def resource_policy(self, function: str) -> dict[str, Any] | None:
        """The policy document of a function, version or alias, by its name or ARN; None where it has none."""
        return self._permissions.document(function)

    def on_throttled(self, callback: Callable[[str], None]) -> None:
        """Calls back with the name of a function that was not run, for its reserved concurrency."""
        self._concurrency.on_throttled = callback

    def code(self, sha256_hex: str) -> CodePackage | None:
        """The package that GetFunction's `Location` offers, `<base_url>/__treadle/code/<sha256_hex>.zip`."""
        return self._lifecycle.package(sha256_hex)

    @property
    def base_url(self) -> str:
        """The endpoint's own address, which it sets."""
        return self._lifecycle.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._lifecycle.base_url = url

    async def close(self) -> None:
        """Ends all asynchronous invocations; those not done are reported as dropped."""
        await self._asynchronous.stop()

    def _account_settings(self, params: Params) -> Result:
        functions = self._registry.functions.values()
        packages = {
            version.code.sha256_base64: version.code.size
            for function in functions
            for version in (function.latest, *function.versions.values())
        }
        packages |= {layer.package.sha256_base64: layer.package.size for layer in self._layers.versions()}
        return {
            "AccountLimit": {
                "TotalCodeSize": _CODE_STORAGE_BYTES,
                "CodeSizeUnzipped": MAXIMUM_UNZIPPED_BYTES,
                "CodeSizeZipped": _ZIPPED_BYTES,
                "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": self._concurrency.unreserved,
            },
            "AccountUsage": {"TotalCodeSize": sum(packages.values()), "FunctionCount": len(functions)},
        }


def _without_nulls(params: Params) -> Params:
    """The parameters that were given: null in JSON is as good as absent, at any depth."""
    return {
        name: _without_nulls(cast("Params", value)) if isinstance(value, Mapping) else value
        for name, value in params.items()
        if value is not None
    }


def _refusal(operation: str) -> AwsError:
    what = (
        f"lambda {operation} is not in Treadle's emulator yet" if is_operation(operation) else f"{operation} is unknown"
    )
    return AwsError("UnknownOperationException", what, status=404 if not is_operation(operation) else 400)
