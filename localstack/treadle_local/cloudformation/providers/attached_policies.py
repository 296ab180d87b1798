"""Policies of their own resource type that are attached to other resources: of queues, of topics, of buckets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from treadle_local.cloudformation.errors import AlreadyExistsError
from treadle_local.cloudformation.properties import json_text
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Schema


class Policies(Protocol):
    """How a policy comes onto a resource and off it."""

    async def attach(self, context: Context, target: str, policy: str) -> None:
        """Gives a resource the policy."""
        ...

    async def detach(self, context: Context, target: str) -> None:
        """Gives a resource that may be gone the policy that it has without one."""
        ...

    async def attached(self, context: Context, target: str) -> str | None:
        """The policy that a resource has; None where it has none, or is gone."""
        ...


class AttachedPolicy:
    """One policy document on each resource that the property `targets` lists."""

    def __init__(self, kind: str, targets: str, policies: Policies) -> None:
        self._targets = targets
        self._policies = policies
        self.schema = Schema(kind, implemented=("PolicyDocument", targets), attributes=frozenset({"Id"}))

    async def create(self, context: Context, model: Model) -> Attributes:
        context.initiated(context.generated_name(255))
        await self._attach_all(context, model)
        return {"Id": context.physical_id}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        await self._attach_all(context, after)
        kept = after.properties[self._targets]
        await self._detach_all(context, [one for one in before.properties[self._targets] if one not in kept])
        return {"Id": context.physical_id}

    async def delete(self, context: Context, model: Model) -> None:
        await self._detach_all(context, model.properties[self._targets])

    async def read(self, context: Context, model: Model) -> Model | None:
        """What the first resource has: all are given the same. AWS does not check these types for drift."""
        targets = model.properties[self._targets]
        policy = await self._policies.attached(context, targets[0]) if targets else None
        return None if policy is None else Model(self.schema.observed({**model.properties, "PolicyDocument": policy}))

    async def _attach_all(self, context: Context, model: Model) -> None:
        policy = json_text(model.properties["PolicyDocument"])
        for target in model.properties[self._targets]:
            await self._policies.attach(context, target, policy)

    async def _detach_all(self, context: Context, targets: Iterable[str]) -> None:
        for target in targets:
            await self._policies.detach(context, target)


class InlinePolicy:
    """The policy of one resource, which the property `target` names; one that has a policy already is refused."""

    def __init__(self, kind: str, target: str, policies: Policies, *, refuses_other: bool = False) -> None:
        self._target = target
        self._policies = policies
        self._refuses_other = refuses_other
        self.schema = Schema(kind, implemented=("PolicyDocument", target))

    async def create(self, context: Context, model: Model) -> Attributes:
        target: str = model.properties[self._target]
        if self._refuses_other and await self._policies.attached(context, target) is not None:
            raise AlreadyExistsError(target)
        await self._policies.attach(context, target, json_text(model.properties["PolicyDocument"]))
        context.initiated(target)
        return {}

    async def update(self, context: Context, before: Model, after: Model) -> Attributes:
        await self._policies.attach(context, context.physical_id, json_text(after.properties["PolicyDocument"]))
        return {}

    async def delete(self, context: Context, model: Model) -> None:
        await self._policies.detach(context, context.physical_id)

    async def read(self, context: Context, model: Model) -> Model | None:
        policy = await self._policies.attached(context, context.physical_id)
        if policy is None:
            return None
        return Model(self.schema.observed({self._target: context.physical_id, "PolicyDocument": policy}))
