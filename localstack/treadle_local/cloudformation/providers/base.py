"""What a provider is to the engine, and what it is given to work with."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Protocol, TypeAlias, cast

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.errors import CallError
from treadle_local.cloudformation.properties import TAG_LIST, TAG_MAP, Record, Shape, project
from treadle_local.cloudformation.schemas.published import Published, published
from treadle_local.cloudformation.schemas.shapes import Refinement, record_of

Properties: TypeAlias = Mapping[str, Any]
Attributes: TypeAlias = Mapping[str, str]

_RANDOM_LETTERS = string.ascii_uppercase + string.digits
_RANDOM_LENGTH = 12
_ABOUT_TAGS = re.compile(r"aws:|Tag|\btags?\b")
_MISSING = frozenset(
    {
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)


class TagForm(Enum):
    """How tags are written: `[{"Key": k, "Value": v}]`, `{k: v}`, or S3's `{"TagSet": [...]}`."""

    PAIRS = "pairs"
    MAP = "map"
    TAG_SET = "tag set"

    @property
    def shape(self) -> Shape:
        return TAG_MAP if self is TagForm.MAP else TAG_LIST

    def write(self, tags: Mapping[str, str]) -> Any:
        if self is TagForm.MAP:
            return dict(tags)
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        return pairs if self is TagForm.PAIRS else {"TagSet": pairs}

    def read(self, value: Any) -> dict[str, str]:
        """The tags of a `Tags` property that has this form's shape."""
        return dict(value) if self is TagForm.MAP else {tag["Key"]: tag["Value"] for tag in value}


@dataclass(frozen=True, eq=False)
class Schema:
    """What the engine must know of a resource type: what AWS publishes of it, as far as its provider implements that.

    `implemented` are paths of properties (see `record_of`), `attributes` the implemented names for Fn::GetAtt.
    `name_property` is the one that names the resource physically. `also_create_only` are properties that the provider
    cannot change in place though the published schema lets it. `tags` is set where the type has tags, which then are
    not among `properties`.
    """

    type: str
    implemented: tuple[str, ...]
    attributes: frozenset[str] = field(default_factory=frozenset[str])
    name_property: str | None = None
    tags: TagForm | None = None
    also_create_only: frozenset[str] = field(default_factory=frozenset[str])
    refined: Mapping[str, Refinement] = field(default_factory=dict[str, Refinement])
    required: tuple[str, ...] = ()

    @cached_property
    def published(self) -> Published:
        return published(self.type)

    @cached_property
    def properties(self) -> Record:
        return record_of(self.published, self.implemented, self.refined, self.required)

    @cached_property
    def create_only(self) -> frozenset[str]:
        """The properties whose change needs a new resource."""
        settable = self.properties.members.keys()
        return frozenset((self.published.create_only | self.also_create_only) & settable)

    def observed(self, answer: Mapping[str, Any], **renamed: Any) -> dict[str, Any]:
        """A service's answer as properties: the members that the type has, normalised, in the template's shapes.

        `renamed` are members that the answer has under other names; None leaves one out.
        """
        members = {**answer, **renamed}
        found = project(self.properties, {name: value for name, value in members.items() if value is not None})
        return dict(found)


@dataclass(frozen=True, slots=True)
class Model:
    """What one resource is to be, or is: evaluated and normalised properties, and all its tags."""

    properties: Properties
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def changed(self, other: Model) -> frozenset[str]:
        """The names of the properties that differ; tags are `Tags`."""
        mine, theirs = self.properties, other.properties
        names = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
        if self.tags != other.tags:
            names.add("Tags")
        return frozenset(names)


class Provider(Protocol):
    """One resource type. Providers keep nothing: all they know is in their arguments."""

    @property
    def schema(self) -> Schema: ...

    async def create(self, context: Context, model: Model) -> Attributes:
        """Makes the resource and returns its attributes.

        Says `context.initiated(physical_id)` as soon as there is something that `delete` must remove.
        """
        ...

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        """Changes the resource in place and returns its attributes.

        Where an earlier change stopped half way, `before` holds what it tried, so that each property is set again
        that may differ from `after`.
        """
        ...

    async def delete(self, context: Context, model: Model) -> None:
        """Removes the resource; that it is gone already is no error."""
        ...

    async def read(self, context: Context, model: Model) -> Model | None:
        """What the resource is now, in the template's shapes; None where it is gone.

        What the model sets must be there as far as the service tells it. Tags are all that the resource has.
        """
        ...


class ReservedTags:
    """The services that refuse tags with the prefix `aws:` from a caller. They get the others only."""

    def __init__(self) -> None:
        self._refusing: set[str] = set()

    def allowed(self, service: str, tags: Mapping[str, str]) -> Mapping[str, str]:
        if service not in self._refusing:
            return tags
        return {key: value for key, value in tags.items() if not key.startswith("aws:")}

    def learn(self, service: str, error: CallError, tags: Mapping[str, str]) -> bool:
        """Whether the service refused for the sake of the reserved tags, which it then will not be given again."""
        reserved = service not in self._refusing and any(key.startswith("aws:") for key in tags)
        if not reserved or not _ABOUT_TAGS.search(f"{error.code} {error.message}"):
            return False
        self._refusing.add(service)
        return True


@dataclass(slots=True)
class Context:
    """One operation on one resource: who it is, and the way to the services."""

    aws: Aws
    region: Region
    stack_name: str
    logical_id: str
    reserved_tags: ReservedTags
    physical_id: str = ""
    on_initiated: Callable[[str], None] | None = None

    def initiated(self, physical_id: str) -> None:
        """Notes that the resource exists from here on, under this id."""
        self.physical_id = physical_id
        if self.on_initiated is not None:
            self.on_initiated(physical_id)

    def generated_name(self, maximum_length: int, suffix: str = "") -> str:
        """`<stack>-<logical id>-<12 random letters and digits>`, the front cut to what the service allows."""
        random = "".join(secrets.choice(_RANDOM_LETTERS) for _ in range(_RANDOM_LENGTH))
        room = maximum_length - _RANDOM_LENGTH - 1 - len(suffix)
        return f"{f'{self.stack_name}-{self.logical_id}'[:room]}-{random}{suffix}"

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call; parameters that are None are left out. Raises: CallError."""
        try:
            return await self.aws.call(
                service, operation, {name: value for name, value in params.items() if value is not None}
            )
        except AwsError as error:
            raise CallError(service, error) from error

    async def call_if_there(self, service: str, operation: str, **params: Any) -> dict[str, Any] | None:
        """One call, or None where what it is about does not exist. Raises: CallError for any other refusal."""
        try:
            return await self.call(service, operation, **params)
        except CallError as failure:
            if failure.code in _MISSING:
                return None
            raise

    async def call_tagged(
        self,
        service: str,
        operation: str,
        form: TagForm,
        tags: Mapping[str, str],
        *,
        member: str = "Tags",
        **params: Any,
    ) -> dict[str, Any]:
        """One call that carries tags too, without the reserved ones where the service refuses those from callers."""
        answer = await self._call_with(form, tags, member, service, operation, params)
        if answer is not None:
            return answer
        return await self.call_tagged(service, operation, form, tags, member=member, **params)

    async def tag(
        self,
        service: str,
        operation: str,
        form: TagForm,
        tags: Mapping[str, str],
        *,
        member: str = "Tags",
        **params: Any,
    ) -> None:
        """One call that does nothing but tag; none where no tags are left to give."""
        if self.reserved_tags.allowed(service, tags):
            answer = await self._call_with(form, tags, member, service, operation, params)
            if answer is None:
                await self.tag(service, operation, form, tags, member=member, **params)

    async def _call_with(
        self, form: TagForm, tags: Mapping[str, str], member: str, service: str, operation: str, params: Properties
    ) -> dict[str, Any] | None:
        """The call's answer, or None where the service has just shown that it refuses the reserved tags."""
        given = self.reserved_tags.allowed(service, tags)
        try:
            return await self.call(service, operation, **params, **({member: form.write(given)} if given else {}))
        except CallError as failure:
            if self.reserved_tags.learn(service, failure, given):
                return None
            raise


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """The members of these names that are there."""
    return {name: properties[name] for name in names if name in properties}


def tags_of(pairs: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """The tags of a service's answer: a list of pairs, or a map."""
    if isinstance(pairs, Mapping):
        return {str(name): str(text) for name, text in cast("Mapping[str, str]", pairs).items()}
    return {pair[key]: pair[value] for pair in pairs or ()}


def removed_keys(before: Model, after: Model) -> list[str]:
    """The keys of tags that must go."""
    return [key for key in before.tags if key not in after.tags]
