"""The policies and tags of resources, wherever a service keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from treadle_local.aws.authorization.policy import ResourcePolicy
from treadle_local.aws.errors import AwsError

PolicyOf = Callable[[str], Mapping[str, Any] | None]
TagsOf = Callable[[str], Mapping[str, str]]

_MOST_REMEMBERED = 8192


@runtime_checkable
class HasPolicies(Protocol):
    """A service whose resources may have policies."""

    def policy_of(self, arn: str, /) -> Mapping[str, Any] | None:
        """The policy of a resource, as JSON values; None where it has none."""
        ...


@runtime_checkable
class HasTags(Protocol):
    """A service that tells the tags of its resources."""

    def tags_of(self, arn: str, /) -> Mapping[str, str]: ...


class Resources:
    """Looks resources up by their ARNs. A service that has not registered has neither policies nor tags."""

    def __init__(self) -> None:
        self._policies: dict[str, PolicyOf] = {}
        self._tags: dict[str, TagsOf] = {}
        self._compiled: dict[str, tuple[Mapping[str, Any], ResourcePolicy]] = {}

    def register(self, service: str, policy_of: PolicyOf | None = None, tags_of: TagsOf | None = None) -> None:
        """How a service's policies and tags are found; `service` is the ARN's third part."""
        if policy_of is not None:
            self._policies[service] = policy_of
        if tags_of is not None:
            self._tags[service] = tags_of

    def has_policies(self, service: str) -> bool:
        """Whether resources of a service may have policies."""
        return service in self._policies

    def document(self, arn: str) -> Mapping[str, Any] | None:
        """The policy of a resource as it was written; None where it has none."""
        find = self._policies.get(_service(arn))
        if find is None:
            return None
        try:
            return find(arn)
        except AwsError:  # it is no ARN of anything: the service will say so
            return None

    def policy(self, arn: str) -> ResourcePolicy | None:
        """The compiled policy of a resource; None where it has none, or one that nobody can read."""
        document = self.document(arn)
        if document is None:
            return None
        try:
            return self.compiled(arn, document)
        except AwsError:
            return None

    def compiled(self, arn: str, document: Mapping[str, Any]) -> ResourcePolicy:
        """The policy that a resource has in this document; compiled once for as long as it stays the same.

        Raises: AwsError MalformedPolicyDocument.
        """
        known = self._compiled.get(arn)
        if known is not None and (known[0] is document or known[0] == document):
            return known[1]
        if len(self._compiled) >= _MOST_REMEMBERED:
            self._compiled.clear()
        compiled = ResourcePolicy(document)
        self._compiled[arn] = (document, compiled)
        return compiled

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a resource."""
        find = self._tags.get(_service(arn))
        return {} if find is None else find(arn)


def _service(arn: str) -> str:
    return arn.split(":", 3)[2] if arn.startswith("arn:") else ""


def register(resources: Resources, services: Mapping[str, object]) -> None:
    """Registers every service that offers policies or tags, under the name that its ARNs have."""
    for name, service in services.items():
        resources.register(
            name,
            service.policy_of if isinstance(service, HasPolicies) else None,
            service.tags_of if isinstance(service, HasTags) else None,
        )
