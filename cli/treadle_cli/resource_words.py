"""CloudFormation's names of things as people say them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_OWN = {
    "AWS::ApiGatewayV2::Api": "API",
    "AWS::ApiGatewayV2::Stage": "API stage",
    "AWS::Lambda::EventInvokeConfig": "asynchronous settings",
    "AWS::CloudFormation::Stack": "stack",
}
_DONE = {"create": "created", "update": "updated", "delete": "removed", "import": "taken back", "rollback": "undone"}
_DOING = {"create": "creating", "update": "updating", "delete": "removing", "import": "taking back"}


def kind_of(resource_type: str) -> str:
    """`AWS::Lambda::EventSourceMapping` is an `event source mapping`."""
    return _OWN.get(resource_type) or " ".join(_WORD.findall(resource_type.rsplit("::", 1)[-1])).lower()


def kinds_of(resource_types: Iterable[str]) -> str:
    """`function, role, 2 queues`, in the order in which they first come."""
    counts = Counter(kind_of(one) for one in resource_types)
    return ", ".join(kind if number == 1 else f"{number} {_plural(kind)}" for kind, number in counts.items())


def done(verb: str) -> str:
    return _DONE.get(verb, verb)


def doing(verb: str) -> str:
    return _DOING.get(verb, verb)


def _plural(kind: str) -> str:
    if kind.endswith("settings"):
        return kind
    if kind.endswith("s"):
        return f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
