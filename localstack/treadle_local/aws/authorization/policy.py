"""Decisions of AWS's policy language: may this caller do that to this resource?

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from treadle_local.aws.authorization.conditions import Context, context_of
from treadle_local.aws.authorization.principals import Principal
from treadle_local.aws.authorization.statements import Statement, compile_document
from treadle_local.aws.service import Target

_REMEMBERED_TARGETS = 4096
_REMEMBERED_DOCUMENTS = 256

ContextValues = Mapping[str, str | Sequence[str]]


class Decision(Enum):
    """What policies say to one target; nothing is allowed unless a statement allows it."""

    ALLOWED = auto()
    IMPLICITLY_DENIED = auto()
    EXPLICITLY_DENIED = auto()


@dataclass(frozen=True, slots=True)
class _Undecided:
    """The statements about one action on one resource whose conditions must be asked each time."""

    statements: tuple[Statement, ...]

    def decide(self, context: Context) -> Decision:
        return _decide(statement for statement in self.statements if statement.holds(context))


class PolicySet:
    """All identity policies of one role, compiled; immutable: a role whose policies change gets a new one."""

    __slots__ = ("_decide", "_statements")

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._statements = tuple(statements)
        self._decide = lru_cache(maxsize=_REMEMBERED_TARGETS)(self._decide_without_context)

    @classmethod
    def compile(cls, documents: Sequence[Mapping[str, Any]]) -> PolicySet:
        """The policies of the given documents.

        Raises: AwsError MalformedPolicyDocument.
        """
        return cls(statement for document in documents for statement in compile_document(document))

    def decide(self, target: Target, extra_context: ContextValues) -> Decision:
        """What the policies say; the context is the target's own keys and, over them, the given ones of the request."""
        decision = self._decide(target.action, target.resource)
        if isinstance(decision, Decision):
            return decision
        return decision.decide(context_of(target.context, extra_context))

    def _decide_without_context(self, action: str, resource: str) -> Decision | _Undecided:
        folded = action.lower()
        statements = tuple(
            statement
            for statement in self._statements
            if statement.covers_action(folded) and statement.covers_resource(resource)
        )
        unconditional = _decide(statement for statement in statements if not statement.conditions)
        if unconditional is Decision.EXPLICITLY_DENIED or not any(statement.conditions for statement in statements):
            return unconditional
        return _Undecided(statements)


def resource_policy_allows(
    document: Mapping[str, Any],
    action: str,
    resource: str,
    *,
    principal_service: str | None,
    principal_arn: str | None,
    context: ContextValues,
) -> bool:
    """Whether the policy of a resource (a queue's, a topic's, a role's trust policy) lets a principal in.

    Raises: AwsError MalformedPolicyDocument.
    """
    statements = _compile_resource_policy(json.dumps(document))
    principal = Principal(principal_service, principal_arn)
    folded = action.lower()
    keys = context_of(context)
    decision = _decide(
        statement
        for statement in statements
        if statement.covers_action(folded)
        and statement.covers_resource(resource)
        and statement.covers_principal is not None
        and statement.covers_principal(principal)
        and statement.holds(keys)
    )
    return decision is Decision.ALLOWED


@lru_cache(maxsize=_REMEMBERED_DOCUMENTS)
def _compile_resource_policy(text: str) -> tuple[Statement, ...]:
    return compile_document(json.loads(text), of_resource=True)


def _decide(statements: Iterable[Statement]) -> Decision:
    """What the statements that apply say together: one that denies outweighs all that allow."""
    decision = Decision.IMPLICITLY_DENIED
    for statement in statements:
        if statement.denies:
            return Decision.EXPLICITLY_DENIED
        decision = Decision.ALLOWED
    return decision
