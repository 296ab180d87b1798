"""Policies of their own resource type that are attached to other resources: of queues, of topics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from treadle_local.cloudformation.properties import DOCUMENT, TEXTS, Record, json_text
from treadle_local.cloudformation.providers.base import Attributes, Context, Model, Schema


class AttachedPolicy(ABC):
    """One policy document on each resource that the property `targets` lists."""

    def __init__(self, targets: str) -> None:
        self._targets = targets
        self.schema = Schema(
            properties=Record({"PolicyDocument": DOCUMENT, targets: TEXTS}, required=("PolicyDocument", targets)),
            attributes=frozenset({"Id"}),
        )

    @abstractmethod
    async def attach(self, context: Context, target: str, policy: str) -> None:
        """Gives a resource the policy."""

    @abstractmethod
    async def detach(self, context: Context, target: str) -> None:
        """Gives a resource that may be gone the policy that it has without one."""

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

    async def _attach_all(self, context: Context, model: Model) -> None:
        policy = json_text(model.properties["PolicyDocument"])
        for target in model.properties[self._targets]:
            await self.attach(context, target, policy)

    async def _detach_all(self, context: Context, targets: Iterable[str]) -> None:
        for target in targets:
            await self.detach(context, target)
