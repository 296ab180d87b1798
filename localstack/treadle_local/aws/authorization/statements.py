"""One statement of a policy document, checked and compiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from treadle_local.aws.authorization.conditions import Condition, compile_conditions
from treadle_local.aws.authorization.elements import SYNTAX, listed, malformed, mapping, texts
from treadle_local.aws.authorization.principals import Match, Principal, compile_principals
from treadle_local.aws.authorization.variables import Context, fill, has_variables, widen, without_variables
from treadle_local.aws.authorization.wildcards import Matcher, globs, resources

_DOCUMENT_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_VERSION_WITH_VARIABLES = "2012-10-17"
_VERSIONS = frozenset({_VERSION_WITH_VARIABLES, "2008-10-17"})
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?:]+|\*:\*")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one statement says; actions are asked for in lower case.

    Where its resources have variables, `covers_resource` is true of all that they can be, and `variable_resources`
    tells in the context of a call.
    """

    denies: bool
    covers_action: Matcher
    covers_resource: Matcher
    conditions: tuple[Condition, ...]
    covers_principal: Callable[[Principal], Match] | None
    variable_resources: VariableResources | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether it depends on the call's context that the statement applies."""
        return bool(self.conditions) or self.variable_resources is not None

    def holds(self, context: Context, resource: str) -> bool:
        """Whether the context meets all conditions."""
        if self.variable_resources is not None and not self.variable_resources.cover(resource, context):
            return False
        return all(condition.holds(context) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class VariableResources:
    """The patterns of a Resource or NotResource element of which some have variables."""

    patterns: tuple[str, ...]
    negated: bool

    def cover(self, resource: str, context: Context) -> bool:
        """Whether one of the patterns, filled in, matches; one that cannot be filled in matches nothing."""
        filled = (fill(pattern, context) for pattern in self.patterns)
        return _matcher(tuple(pattern for pattern in filled if pattern is not None))(resource) is not self.negated


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> Matcher:
    return resources(patterns)


def compile_document(document: Mapping[str, Any], *, of_resource: bool = False) -> tuple[Statement, ...]:
    """The statements of an identity's policy, or of the policy of a resource, which names principals.

    Raises: AwsError MalformedPolicyDocument, in IAM's words where IAM has some.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if unknown := set(document) - _DOCUMENT_ELEMENTS:
        raise malformed(f"{SYNTAX} Unknown element {min(unknown)}.")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    variables = version == _VERSION_WITH_VARIABLES
    statements = [mapping(statement) for statement in listed(document.get("Statement"))]
    identifiers = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(identifiers) != len(set(identifiers)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    return tuple(_compile_statement(one, of_resource=of_resource, variables=variables) for one in statements)


def _compile_statement(statement: Mapping[str, Any], *, of_resource: bool, variables: bool) -> Statement:
    if unknown := set(statement) - _STATEMENT_ELEMENTS:
        raise malformed(f"{SYNTAX} Unknown element {min(unknown)}.")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise malformed(SYNTAX)
    covers_resource, variable_resources = _resources(statement, of_resource=of_resource, variables=variables)
    return Statement(
        denies=statement["Effect"] == "Deny",
        covers_action=_actions(statement),
        covers_resource=covers_resource,
        conditions=compile_conditions(statement.get("Condition", {}), variables=variables),
        covers_principal=_principals(statement, of_resource=of_resource),
        variable_resources=variable_resources,
    )


def _actions(statement: Mapping[str, Any]) -> Matcher:
    element, patterns = _one_of(statement, "Action", "NotAction")
    if not patterns:
        raise malformed("Policy statement must contain actions.")
    if not all(map(_ACTION.fullmatch, patterns)):
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    return _unless_negated(element, globs(patterns, ignore_case=True))


def _resources(
    statement: Mapping[str, Any], *, of_resource: bool, variables: bool
) -> tuple[Matcher, VariableResources | None]:
    element, patterns = _one_of(statement, "Resource", "NotResource")
    if not patterns:
        if of_resource and element is None:  # a role's trust policy is about that role alone
            return resources(["*"]), None
        raise malformed("Policy statement must contain resources.")
    for pattern in patterns:
        if pattern != "*" and not pattern.startswith("arn:"):
            raise malformed(f'Resource {pattern} must be in ARN format or "*".')
    if not variables:
        return _unless_negated(element, resources([without_variables(pattern) for pattern in patterns])), None
    if not any(map(has_variables, patterns)):
        return _unless_negated(element, resources(patterns)), None
    negated = element == "NotResource"
    possible = resources(["*"] if negated else [widen(pattern) for pattern in patterns])
    return possible, VariableResources(tuple(patterns), negated)


def _principals(statement: Mapping[str, Any], *, of_resource: bool) -> Callable[[Principal], Match] | None:
    if not of_resource:
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed("Policy document should not specify a principal.")
        return None
    match statement:
        case {"Principal": _, "NotPrincipal": _}:
            raise malformed(SYNTAX)
        case {"Principal": principals}:
            return compile_principals(principals)
        case {"NotPrincipal": principals}:
            covered = compile_principals(principals)
            return lambda principal: Match.NONE if covered(principal) else Match.DIRECT
        case _:
            raise malformed("Missing required field Principal")


def _one_of(statement: Mapping[str, Any], element: str, opposite: str) -> tuple[str | None, Sequence[str]]:
    """The one of two elements that the statement has, and its texts."""
    present = [name for name in (element, opposite) if name in statement]
    if len(present) > 1:
        raise malformed(SYNTAX)
    if not present:
        return None, ()
    return present[0], texts(statement[present[0]])


def _unless_negated(element: str | None, matches: Matcher) -> Matcher:
    if element is not None and element.startswith("Not"):
        return lambda text: not matches(text)
    return matches
