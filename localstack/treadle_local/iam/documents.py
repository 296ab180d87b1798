"""Policy documents as they are written: checked in full before IAM keeps them, within IAM's sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from treadle_local.aws.authorization.elements import SYNTAX, malformed
from treadle_local.aws.authorization.statements import compile_document
from treadle_local.iam.refusals import exceeded
from treadle_local.iam.store import PolicyText, Store, parsed

MOST_TRUST_CHARACTERS, MOST_INLINE_CHARACTERS, MOST_MANAGED_CHARACTERS = 2048, 10_240, 6144
"""White space does not count.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
"""
_WHITE_SPACE = re.compile(r"\s+")
_IDENTITY_OF_ACCOUNT = re.compile(r"arn:aws:iam::(?P<account>\d{12}):(?P<kind>role|user)/(?P<name>.+)")
_TRUST_ACTIONS = re.compile(r"sts:[A-Za-z*?]+|\*")


def characters(text: str) -> int:
    """The length of a document as IAM counts it."""
    return len(_WHITE_SPACE.sub("", text))


def identity_policy(text: str) -> PolicyText:
    """A checked policy of an identity. Raises: AwsError MalformedPolicyDocument."""
    document = _object(text)
    compile_document(document)
    return PolicyText(text, document)


def inline_policy(text: str, others: Iterable[PolicyText], role: str) -> PolicyText:
    """A checked inline policy, which fits beside the role's other ones.

    Raises: AwsError MalformedPolicyDocument, LimitExceeded.
    """
    policy = identity_policy(text)
    if characters(text) + sum(characters(other.text) for other in others) > MOST_INLINE_CHARACTERS:
        raise exceeded(f"Maximum policy size of {MOST_INLINE_CHARACTERS} bytes exceeded for role {role}")
    return policy


def managed_policy(text: str) -> PolicyText:
    """A checked managed policy. Raises: AwsError MalformedPolicyDocument, LimitExceeded."""
    policy = identity_policy(text)
    if characters(text) > MOST_MANAGED_CHARACTERS:
        raise exceeded(f"Cannot exceed quota for PolicySize: {MOST_MANAGED_CHARACTERS}")
    return policy


def trust_policy(text: str, store: Store) -> PolicyText:
    """A checked trust policy: about nobody but principals that exist, and nothing but assuming the role.

    Raises: AwsError MalformedPolicyDocument, LimitExceeded.
    """
    document = _object(text)
    for statement in _statements(document):
        if "Resource" in statement or "NotResource" in statement:
            raise malformed("Has prohibited field Resource")
        actions = statement.get("Action", statement.get("NotAction", []))
        for action in [actions] if isinstance(actions, str) else actions:
            if isinstance(action, str) and not _TRUST_ACTIONS.fullmatch(action):
                raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    compile_document(document, of_resource=True)
    for statement in _statements(document):
        _check_principals(statement.get("Principal", {}), store)
    if characters(text) > MOST_TRUST_CHARACTERS:
        raise exceeded(f"Cannot exceed quota for ACLSizePerRole: {MOST_TRUST_CHARACTERS}")
    return PolicyText(text, document)


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = parsed(text)
    except ValueError:
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise malformed(SYNTAX)
    return cast("Mapping[str, Any]", document)


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given: object = document.get("Statement")
    statements = cast("list[object]", given) if isinstance(given, list) else [given]
    return [cast("Mapping[str, Any]", one) for one in statements if isinstance(one, dict)]


def _check_principals(element: object, store: Store) -> None:
    """Roles and users of this account that a trust policy names must exist; of others nothing is known here.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if not isinstance(element, dict):
        return
    named: object = cast("Mapping[str, object]", element).get("AWS", [])
    for arn in [named] if isinstance(named, str) else cast("list[str]", named):
        found = _IDENTITY_OF_ACCOUNT.fullmatch(arn)
        if found is None or found["account"] != store.region.account:
            continue
        role = store.roles.get(found["name"].rsplit("/", 1)[-1])
        if found["kind"] != "role" or role is None or role.arn != arn:
            raise malformed(f'Invalid principal in policy: "AWS":"{arn}"')
