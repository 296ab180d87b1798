"""Lambda's operations on layers: published, read, listed, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from treadle_local.aws.service import Params, Result
from treadle_local.clock import Clock
from treadle_local.functions import code
from treadle_local.functions.configuration import moment
from treadle_local.functions.constraints import values_of
from treadle_local.functions.layer_store import Layer, LayerReference, LayerStore, LayerVersion
from treadle_local.functions.model import Backing, CodePackage
from treadle_local.functions.refusals import constraint, invalid, not_found
from treadle_local.functions.registry import page

# How many one listing gives at most. Source: https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html
_PER_PAGE = 50
_LARGEST_NUMBER = 10**10


class LayerVersions:
    """The operations. `location` makes the address under which a package is offered for download."""

    def __init__(
        self, store: LayerStore, clock: Clock, backing: Backing, location: Callable[[CodePackage], str]
    ) -> None:
        self._store = store
        self._clock = clock
        self._backing = backing
        self._location = location

    async def publish(self, params: Params) -> Result:
        reference = self._store.reference(params["LayerName"])
        if reference.number is not None:
            raise invalid("The layer is named without a version.")
        for runtime in params.get("CompatibleRuntimes", ()):
            _check_runtime(runtime, "compatibleRuntimes", f"[{', '.join(params['CompatibleRuntimes'])}]")
        code.check_source(params["Content"], "PublishLayerVersion", "a layer's content")
        package = await code.fetch(params["Content"], self._backing)
        layer = self._store.layers.setdefault(reference.name, Layer(reference.name, reference.arn))
        layer.last_number += 1
        version = LayerVersion(
            layer.arn,
            layer.last_number,
            package,
            self._clock.now(),
            params.get("Description", ""),
            params.get("LicenseInfo"),
            tuple(params.get("CompatibleRuntimes", ())),
            tuple(params.get("CompatibleArchitectures", ())),
        )
        layer.versions[version.number] = version
        return self._rendered(version)

    def get(self, params: Params) -> Result:
        return self._found(numbered(self._store, params))

    def get_by_arn(self, params: Params) -> Result:
        return self._found(self._store.reference(params["Arn"]))

    def delete(self, params: Params) -> Result:
        """Functions that have the version keep it. That it is gone already is no error."""
        reference = numbered(self._store, params)
        layer = self._store.layers.get(reference.name)
        if layer is not None and reference.number is not None:
            layer.versions.pop(reference.number, None)
            layer.policies.pop(reference.number, None)
        return {}

    def list_layers(self, params: Params) -> Result:
        newest = [
            (layer, max(matching, key=lambda version: version.number))
            for layer in self._store.layers.values()
            if (matching := list(_matching(layer.versions.values(), params)))
        ]
        given, more = page(newest, lambda one: one[0].name, params, _PER_PAGE)
        listed = [
            {"LayerName": layer.name, "LayerArn": layer.arn, "LatestMatchingVersion": _listed(version)}
            for layer, version in given
        ]
        return {"Layers": listed, **more}

    def list_versions(self, params: Params) -> Result:
        """The newest comes first."""
        layer = self._store.layers.get(self._store.reference(params["LayerName"]).name)
        versions = list(_matching(layer.versions.values(), params)) if layer is not None else []
        given, more = page(versions, lambda version: str(_LARGEST_NUMBER - version.number), params, _PER_PAGE)
        return {"LayerVersions": [_listed(version) for version in given], **more}

    def _found(self, reference: LayerReference) -> Result:
        version = self._store.find(reference)
        if version is None:
            raise not_found("The resource you requested does not exist.")
        return self._rendered(version)

    def _rendered(self, version: LayerVersion) -> Result:
        content = {
            "Location": self._location(version.package),
            "CodeSha256": version.package.sha256_base64,
            "CodeSize": version.package.size,
        }
        return {"Content": content, "LayerArn": version.layer_arn, **_listed(version)}


def numbered(store: LayerStore, params: Params) -> LayerReference:
    """The version that LayerName and VersionNumber mean."""
    if params["VersionNumber"] < 1:
        raise invalid("Layer Version Cannot be less than 1.")
    return store.reference(params["LayerName"], params["VersionNumber"])


def _listed(version: LayerVersion) -> Result:
    result: Result = {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": moment(version.created),
    }
    if version.runtimes:
        result["CompatibleRuntimes"] = list(version.runtimes)
    if version.architectures:
        result["CompatibleArchitectures"] = list(version.architectures)
    if version.license is not None:
        result["LicenseInfo"] = version.license
    return result


def _matching(versions: Iterable[LayerVersion], params: Params) -> Iterable[LayerVersion]:
    """Those that say they are for the runtime and the architecture that are asked for."""
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    if runtime:
        _check_runtime(runtime, "compatibleRuntime", runtime)
    return (
        version
        for version in versions
        if (not runtime or runtime in version.runtimes) and (not architecture or architecture in version.architectures)
    )


def _check_runtime(runtime: str, member: str, shown: str) -> None:
    known = values_of("Runtime")
    if runtime not in known:
        rule = f"Member must satisfy enum value set: [{', '.join(known)}]"
        listed = shown.startswith("[")
        raise constraint(shown, member, f"Member must satisfy constraint: [{rule}]" if listed else rule)
