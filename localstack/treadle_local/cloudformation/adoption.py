"""Resources that exist before their stack: which of them a change set may take over, and under which ids.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.deployment import Deployment, Scope
from treadle_local.cloudformation.engine import Engine
from treadle_local.cloudformation.errors import NotYetKnownError, not_here, validation_error
from treadle_local.cloudformation.evaluation import evaluate
from treadle_local.cloudformation.expressions import Literal
from treadle_local.cloudformation.providers.base import Context, Model, ReservedTags
from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.stacks import Stack
from treadle_local.cloudformation.template import RETAINING, Declaration


class RefusedError(Exception):
    """A change set cannot be: the text is the reason of its status."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """One entry of `ResourcesToImport`."""

    logical_id: str
    type: str
    identifier: Mapping[str, str]


class Adoptions:
    """Looks for resources through the services themselves."""

    def __init__(self, engine: Engine, region: Region, aws: Aws) -> None:
        self._engine = engine
        self._region = region
        self._aws = aws

    def check(self, stack: Stack, deployment: Deployment, named: Sequence[Adoption]) -> None:
        """Holds the named resources against the template. Raises: ValidationError."""
        for each in named:
            declaration = deployment.template.resources.get(each.logical_id)
            if declaration is None or declaration.type != each.type or each.logical_id not in deployment.dependencies:
                raise validation_error(
                    f"Resources to import [{each.logical_id}] must be in the template, with the type {each.type}"
                )
            if each.logical_id in stack.resources:
                raise validation_error(f"Resource {each.logical_id} already exists in the stack")
            if not declaration.names_deletion_policy:
                raise validation_error(
                    f"Resources [{each.logical_id}] are missing the DeletionPolicy attribute, which resources to "
                    "import must have in the template"
                )
            identifiers = PROVIDERS[each.type].schema.published.primary_identifier
            if len(identifiers) != 1:
                raise not_here(f"The import of {each.type}, whose identifier has several parts,")
            if set(each.identifier) != set(identifiers):
                raise validation_error(
                    f"Invalid ResourceIdentifier for {each.logical_id}: the identifier of {each.type} is "
                    f"[{', '.join(identifiers)}]"
                )

    async def found(
        self, stack: Stack, deployment: Deployment, named: Sequence[Adoption], *, existing: bool
    ) -> dict[str, str]:
        """The physical ids to adopt, by logical id; `existing` adds what has the names that the template writes.

        Raises: RefusedError.
        """
        adopted: dict[str, str] = {}
        for each in named:
            physical_id = next(iter(each.identifier.values()))
            declaration = deployment.template.resources[each.logical_id]
            if not await self._exists(stack, deployment, declaration, physical_id):
                raise RefusedError(f"Resource of type '{each.type}' with identifier '{physical_id}' was not found.")
            self._check_free(stack, declaration, physical_id)
            adopted[each.logical_id] = physical_id
        if existing:
            adopted |= await self._with_names(stack, deployment)
        return adopted

    async def _with_names(self, stack: Stack, deployment: Deployment) -> dict[str, str]:
        adopted: dict[str, str] = {}
        unretained: list[str] = []
        for logical_id in deployment.order:
            declaration = deployment.template.resources[logical_id]
            name = _static_name(declaration)
            if logical_id in stack.resources or name is None:
                continue
            if not await self._exists(stack, deployment, declaration, name):
                continue
            self._check_free(stack, declaration, name)
            if declaration.deletion_policy not in RETAINING:
                key = PROVIDERS[declaration.type].schema.name_property
                unretained.append(f"{logical_id} ({{{key}={name}}})")
            adopted[logical_id] = name
        if unretained:
            raise RefusedError(
                "CloudFormation is attempting to import some resources because they already exist in your account. "
                "The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in "
                f"the template for successful import. The affected resources are {', '.join(unretained)}"
            )
        return adopted

    async def _exists(self, stack: Stack, deployment: Deployment, declaration: Declaration, physical_id: str) -> bool:
        context = Context(
            aws=self._aws,
            region=self._region,
            stack_name=stack.name,
            logical_id=declaration.logical_id,
            reserved_tags=ReservedTags(),
            physical_id=physical_id,
        )
        properties: dict[str, Any] = {}
        with suppress(NotYetKnownError):
            properties = evaluate(declaration.properties, Scope(deployment, stack.resources))
        return await PROVIDERS[declaration.type].read(context, Model(properties)) is not None

    def _check_free(self, stack: Stack, declaration: Declaration, physical_id: str) -> None:
        owner = self._engine.owner_of(declaration.type, physical_id, stack)
        if owner is not None:
            raise RefusedError(f"{physical_id} already exists in stack {owner}")


def _static_name(declaration: Declaration) -> str | None:
    """The name that a template gives a resource without any function, where it identifies the resource."""
    schema = PROVIDERS[declaration.type].schema
    name = schema.name_property
    if name is None or schema.published.primary_identifier != (name,):
        return None
    match declaration.expressions.get(name):
        case Literal(str() as text):
            return text
        case _:
            return None
