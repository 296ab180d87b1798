"""Functions and their versions: created, read, changed, published, deleted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

from treadle_local.aws.service import Params, Result
from treadle_local.functions import code
from treadle_local.functions.configuration import changed, check_settings, new_version, render
from treadle_local.functions.constraints import check_tags
from treadle_local.functions.layer_store import LayerStore, check_together
from treadle_local.functions.model import LATEST, Backing, CodePackage, FunctionVersion
from treadle_local.functions.references import parse_unqualified
from treadle_local.functions.refusals import conflict, function_not_found, invalid, stale_revision
from treadle_local.functions.registry import Function, Registry, page

# How many one listing gives at most. Source: https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
_FUNCTIONS_PER_PAGE = 50
_LAMBDA = "lambda.amazonaws.com"


class Lifecycle:
    """The operations on functions and versions. `base_url` is the endpoint's; code is offered for download under it."""

    def __init__(self, registry: Registry, layers: LayerStore, backing: Backing) -> None:
        self._registry = registry
        self._layers = layers
        self._backing = backing
        self.base_url = ""

    async def create(self, params: Params) -> Result:
        reference = parse_unqualified(params["FunctionName"], self._registry.region)
        check_settings(params)
        check_tags(params.get("Tags", {}))
        code.check_source(params["Code"], "CreateFunction")
        self._registry.check_absent(reference.name)
        self._check_role(params["Role"])
        package = await code.fetch(params["Code"], self._backing)
        self._registry.check_absent(reference.name)  # somebody else may have made it while the code was read
        made = self._with_layers(new_version(reference.name, reference.arn, package, params), params)
        function = self._registry.add(made, params.get("Tags", {}))
        version = self._registry.publish(function, None) if params.get("Publish") else function.latest
        return render(version, function.arn)

    def get(self, params: Params) -> Result:
        reference = self._registry.reference(params)
        function, version = self._registry.find_qualified(reference)
        result: Result = {
            "Configuration": render(version, reference.qualified_arn),
            "Code": {"RepositoryType": "S3", "Location": self.location(version.code)},
        }
        if function.tags:
            result["Tags"] = dict(function.tags)
        if function.reserved_concurrency is not None:
            result["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return result

    def get_configuration(self, params: Params) -> Result:
        reference = self._registry.reference(params)
        _, version = self._registry.find_qualified(reference)
        return render(version, reference.qualified_arn)

    def list_functions(self, params: Params) -> Result:
        everything = params.get("FunctionVersion") == "ALL"
        versions = [
            version
            for function in self._registry.functions.values()
            for version in (_all_versions(function) if everything else (function.latest,))
        ]
        given, more = page(versions, _listing_key, params, _FUNCTIONS_PER_PAGE)
        listed = [render(version, version.qualified_arn if everything else version.arn) for version in given]
        return {"Functions": listed, **more}

    async def update_code(self, params: Params) -> Result:
        reference = parse_unqualified(params["FunctionName"], self._registry.region)
        check_settings({"Architectures": params["Architectures"]} if "Architectures" in params else {})
        code.check_source(params, "UpdateFunctionCode")
        self._registry.find(reference)
        package = await code.fetch(params, self._backing)
        function = self._registry.find(reference)  # as it is after the code was read
        _check_revision(function.latest, params)
        latest = replace(function.latest, code=package)
        if "Architectures" in params:
            latest = replace(latest, architectures=tuple(params["Architectures"]))
        check_together(latest.code, latest.layer_packages)
        if params.get("DryRun"):
            return render(latest, function.arn)
        self._registry.put_latest(function, latest)
        self._backing.function_changed(function.name)
        if params.get("Publish"):
            version = self._registry.publish(function, None)
            return render(version, version.qualified_arn)
        return render(function.latest, function.arn)

    def update_configuration(self, params: Params) -> Result:
        reference = parse_unqualified(params["FunctionName"], self._registry.region)
        check_settings(params)
        function = self._registry.find(reference)
        _check_revision(function.latest, params)
        if "Role" in params:
            self._check_role(params["Role"])
        self._registry.put_latest(function, self._with_layers(changed(function.latest, params), params))
        self._backing.function_changed(function.name)
        return render(function.latest, function.arn)

    def delete(self, params: Params) -> Result:
        reference = self._registry.reference(params)
        function = self._registry.find(reference)
        if reference.qualifier is None:
            del self._registry.functions[function.name]
        else:
            self._delete_version(function, reference.qualifier)
        self._backing.function_changed(function.name)
        return {"StatusCode": 204}

    def _delete_version(self, function: Function, qualifier: str) -> None:
        if qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        if not qualifier.isdigit():
            raise invalid("Deletion of aliases is not currently supported.")
        users = [
            alias.name
            for alias in function.aliases.values()
            if qualifier == alias.version or qualifier in alias.weights
        ]
        if users:
            raise conflict(
                f"Unable to delete version because the following aliases reference it: [{', '.join(sorted(users))}]"
            )
        if function.versions.pop(qualifier, None) is None:
            raise function_not_found(f"{function.arn}:{qualifier}")
        function.policies.pop(qualifier, None)
        function.asynchronous.pop(qualifier, None)

    def publish(self, params: Params) -> Result:
        function = self._registry.find(parse_unqualified(params["FunctionName"], self._registry.region))
        _check_revision(function.latest, params)
        expected, current = params.get("CodeSha256"), function.latest.code.sha256_base64
        if expected and expected != current:
            raise invalid(
                f"CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({current}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        check_settings({"PublishTo": params.get("PublishTo")})
        version = self._registry.publish(function, params.get("Description"))
        return render(version, version.qualified_arn)

    def list_versions(self, params: Params) -> Result:
        function = self._registry.find(parse_unqualified(params["FunctionName"], self._registry.region))
        given, more = page(list(_all_versions(function)), _listing_key, params, _FUNCTIONS_PER_PAGE)
        return {"Versions": [render(version, version.qualified_arn) for version in given], **more}

    def package(self, sha256_hex: str) -> CodePackage | None:
        """The package with this hash, if it is that of a layer or any version runs it."""
        for function in self._registry.functions.values():
            for version in _all_versions(function):
                if _hex(version.code) == sha256_hex:
                    return version.code
        layers = (version.package for version in self._layers.versions())
        return next((package for package in layers if _hex(package) == sha256_hex), None)

    def location(self, package: CodePackage) -> str:
        """The address that a package can be downloaded from."""
        return f"{self.base_url}/__treadle/code/{_hex(package)}.zip"

    def _with_layers(self, version: FunctionVersion, params: Params) -> FunctionVersion:
        """The version with the layers that the parameters name; without the parameter it keeps those that it has."""
        arns = params.get("Layers")
        if arns is None:
            return version
        packages = self._layers.packages(arns)
        check_together(version.code, packages)
        return replace(version, layers=tuple(arns), layer_packages=packages)

    def _check_role(self, role_arn: str) -> None:
        if not self._backing.trusts(role_arn, _LAMBDA):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")


def _hex(package: CodePackage) -> str:
    return base64.b64decode(package.sha256_base64).hex()


def _all_versions(function: Function) -> Iterator[FunctionVersion]:
    yield function.latest
    yield from function.versions.values()


def _listing_key(version: FunctionVersion) -> str:
    """Sorts by name, `$LATEST` first and then by number."""
    return f"{version.name}:{version.version.zfill(10) if version.version != LATEST else LATEST}"


def _check_revision(version: FunctionVersion, params: Params) -> None:
    if params.get("RevisionId") not in (None, version.revision_id):
        raise stale_revision()
