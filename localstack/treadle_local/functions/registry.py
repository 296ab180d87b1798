"""The functions that exist: their versions, aliases, policies and settings, and which version a name leads to."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from treadle_local.aws.service import Params, Region
from treadle_local.clock import Clock
from treadle_local.functions.model import LATEST, Alias, AsynchronousSettings, FunctionVersion
from treadle_local.functions.references import FunctionReference, parse
from treadle_local.functions.refusals import conflict, function_not_found, invalid

T = TypeVar("T")


@dataclass(slots=True)
class Policy:
    """A function's (or version's, or alias's) resource policy: statements by their ids."""

    revision_id: str
    statements: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


@dataclass(slots=True)
class Function:
    """A function with all that hangs on it. `policies` has the key None for the unqualified function."""

    name: str
    arn: str
    latest: FunctionVersion
    tags: dict[str, str]
    versions: dict[str, FunctionVersion] = field(default_factory=dict[str, FunctionVersion])
    aliases: dict[str, Alias] = field(default_factory=dict[str, Alias])
    policies: dict[str | None, Policy] = field(default_factory=dict[str | None, Policy])
    asynchronous: dict[str, AsynchronousSettings] = field(default_factory=dict[str, AsynchronousSettings])
    reserved_concurrency: int | None = None
    published_latest: FunctionVersion | None = None
    """`$LATEST` as it was when the newest version was published."""

    def pinned(self, qualifier: str | None) -> FunctionVersion | None:
        """The version behind a qualifier; an alias's main one."""
        if qualifier is None or qualifier == LATEST:
            return self.latest
        alias = self.aliases.get(qualifier)
        return self.pinned(alias.version) if alias is not None else self.versions.get(qualifier)

    def routed(self, qualifier: str | None) -> FunctionVersion | None:
        """The version that an invocation goes to: an alias's weights are drawn by lot."""
        alias = self.aliases.get(qualifier) if qualifier is not None else None
        if alias is not None:
            for version, weight in alias.weights.items():
                if random.random() < weight:  # noqa: S311 - no secret
                    return self.versions.get(version)
        return self.pinned(qualifier)


class Registry:
    """All functions of the account. Every change to a function's latest version passes through `put_latest`."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self.region = region
        self.clock = clock
        self.functions: dict[str, Function] = {}
        self._last_version: dict[str, int] = {}

    def reference(self, params: Params) -> FunctionReference:
        """What the parameters FunctionName and Qualifier mean."""
        return parse(params["FunctionName"], params.get("Qualifier"), self.region)

    def find(self, reference: FunctionReference) -> Function:
        """The function, whatever the qualifier. Raises ResourceNotFoundException."""
        function = self.functions.get(reference.name)
        if function is None:
            raise function_not_found(reference.qualified_arn)
        return function

    def find_qualified(self, reference: FunctionReference) -> tuple[Function, FunctionVersion]:
        """The function and the version that its qualifier stands for. Raises ResourceNotFoundException."""
        function = self.find(reference)
        version = function.pinned(reference.qualifier)
        if version is None:
            raise function_not_found(reference.qualified_arn)
        return function, version

    def route(self, reference: FunctionReference) -> FunctionVersion:
        """The version that an invocation runs. Raises ResourceNotFoundException."""
        version = self.find(reference).routed(reference.qualifier)
        if version is None:
            raise function_not_found(reference.qualified_arn)
        return version

    def check_absent(self, name: str) -> None:
        if name in self.functions:
            raise conflict(f"Function already exist: {name}")

    def add(self, version: FunctionVersion, tags: Mapping[str, str]) -> Function:
        function = Function(version.name, version.arn, self._stamped(version), dict(tags))
        self.functions[version.name] = function
        return function

    def put_latest(self, function: Function, version: FunctionVersion) -> None:
        function.latest = self._stamped(version)

    def publish(self, function: Function, description: str | None) -> FunctionVersion:
        """A new version, or the newest one where nothing has changed since.

        Numbers are never used twice, not even for a function that was deleted and made again.
        Source: https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
        """
        newest = function.versions.get(str(self._last_version.get(function.name, 0)))
        if newest is not None and function.published_latest is not None:
            before = function.published_latest
            if replace(function.latest, last_modified=before.last_modified, revision_id=before.revision_id) == before:
                return newest
        number = self._last_version[function.name] = self._last_version.get(function.name, 0) + 1
        wording = function.latest.description if description is None else description
        version = self._stamped(replace(function.latest, version=str(number), description=wording))
        function.versions[version.version] = version
        function.published_latest = function.latest
        return version

    def _stamped(self, version: FunctionVersion) -> FunctionVersion:
        return replace(version, last_modified=self.clock.now(), revision_id=new_revision())


def new_revision() -> str:
    return str(uuid.uuid4())


def page(items: Sequence[T], key: Callable[[T], str], params: Params, most: int) -> tuple[list[T], dict[str, str]]:
    """One page of a listing in the order of the keys, and NextMarker where there is more.

    `most` is how many AWS gives at once; the marker is the key of the last item given.
    """
    ordered = sorted((item for item in items if key(item) > params.get("Marker", "")), key=key)
    limit = min(int(params.get("MaxItems", most)), most)
    if limit < 1:
        raise invalid("MaxItems must be at least 1")
    given = ordered[:limit]
    return given, {"NextMarker": key(given[-1])} if len(ordered) > limit else {}
