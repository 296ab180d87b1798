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

from treadle_local.aws.authorization.principals import Match, Principal
from treadle_local.aws.authorization.request_context import ContextValues, context_of
from treadle_local.aws.authorization.statements import Statement, compile_document
from treadle_local.aws.authorization.variables import Context
from treadle_local.aws.service import Target

_REMEMBERED_TARGETS = 4096
_REMEMBERED_DOCUMENTS = 1024


class Decision(Enum):
    """What policies say to one target; nothing is allowed unless a statement allows it."""

    ALLOWED = auto()
    IMPLICITLY_DENIED = auto()
    EXPLICITLY_DENIED = auto()


@dataclass(frozen=True, slots=True)
class _Undecided:
    """The statements about one action on one resource whose conditions must be asked each time."""

    statements: tuple[Statement, ...]
    resource: str

    def decide(self, context: Context) -> Decision:
        return _decide(statement for statement in self.statements if statement.holds(context, self.resource))


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

    def allows_anyhow(self, target: Target) -> bool:
        """True where the target is allowed and no condition has a say."""
        return self._decide(target.action, target.resource) is Decision.ALLOWED

    def decide_in(self, target: Target, context: Context) -> Decision:
        """What the policies say in a context that has all keys of the call."""
        decision = self._decide(target.action, target.resource)
        return decision if isinstance(decision, Decision) else decision.decide(context)

    def _decide_without_context(self, action: str, resource: str) -> Decision | _Undecided:
        folded = action.lower()
        statements = tuple(
            statement
            for statement in self._statements
            if statement.covers_action(folded) and statement.covers_resource(resource)
        )
        unconditional = _decide(statement for statement in statements if not statement.is_conditional)
        if unconditional is Decision.EXPLICITLY_DENIED or not any(one.is_conditional for one in statements):
            return unconditional
        return _Undecided(statements, resource)


@dataclass(frozen=True, slots=True)
class Admission:
    """What a resource's policy says to somebody: whether it denies, and how closely it names them where it allows."""

    denied: bool = False
    match: Match = Match.NONE


NO_ADMISSION = Admission()


class ResourcePolicy:
    """The policy of a resource, compiled; immutable as a `PolicySet` is.

    `denies_something` says whether any of its statements denies: for the account's root no other counts.
    """

    __slots__ = ("_applicable", "_statements", "denies_something")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._statements = compile_document(document, of_resource=True)
        self.denies_something = any(statement.denies for statement in self._statements)
        self._applicable = lru_cache(maxsize=_REMEMBERED_TARGETS)(self._applicable_without_context)

    def admit(self, principal: Principal, action: str, resource: str, context: Context) -> Admission:
        """What the policy says to a principal in a context that has all keys of the call."""
        found = self._applicable(principal, action, resource)
        if isinstance(found, Admission):
            return found
        return _admission([pair for pair in found if pair[0].holds(context, resource)])

    def _applicable_without_context(
        self, principal: Principal, action: str, resource: str
    ) -> Admission | tuple[tuple[Statement, Match], ...]:
        folded = action.lower()
        covering = (
            (statement, statement.covers_principal(principal))
            for statement in self._statements
            if statement.covers_principal is not None
            and statement.covers_action(folded)
            and statement.covers_resource(resource)
        )
        found = tuple((statement, match) for statement, match in covering if match is not Match.NONE)
        if any(statement.is_conditional for statement, _ in found):
            return found
        return _admission(found)


def _admission(statements: Sequence[tuple[Statement, Match]]) -> Admission:
    denied = any(statement.denies for statement, _ in statements)
    match = max((match for statement, match in statements if not statement.denies), default=Match.NONE)
    return Admission(denied, match)


def compiled_policy(document: Mapping[str, Any]) -> ResourcePolicy:
    """A resource's policy by its document. Raises: AwsError MalformedPolicyDocument."""
    return _compiled_policy(json.dumps(document))


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
    principal = Principal(principal_service, principal_arn)
    admission = compiled_policy(document).admit(principal, action, resource, context_of(context))
    return not admission.denied and admission.match is not Match.NONE


@lru_cache(maxsize=_REMEMBERED_DOCUMENTS)
def _compiled_policy(text: str) -> ResourcePolicy:
    return ResourcePolicy(json.loads(text))


def _decide(statements: Iterable[Statement]) -> Decision:
    """What the statements that apply say together: one that denies outweighs all that allow."""
    decision = Decision.IMPLICITLY_DENIED
    for statement in statements:
        if statement.denies:
            return Decision.EXPLICITLY_DENIED
        decision = Decision.ALLOWED
    return decision
