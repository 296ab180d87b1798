"""What a template allows, statement by statement, and what one template allows more or less than another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from treadle_infra.deploy.origins import Template, origins_of, resources_of

_NAMES = ("FunctionName", "RoleName", "QueueName", "TopicName", "TableName", "LogGroupName", "Name")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z.]+)?\}")
_PSEUDO = re.compile(r"\$\{AWS::([A-Za-z]+)\}")
_ARN = re.compile(r"^arn:[^:]*:([^:]*):[^:]*:[^:]*:(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """One statement of a policy in words: who may (or may not) do what, on what.

    `holder` is a step, or the name of a role or resource that none owns; `by` is who else is let in by a resource's
    policy.
    """

    holder: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    by: str | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class PermissionChange:
    kind: Literal["added", "removed"]
    statement: Statement


def permission_changes(before: Template, after: Template) -> tuple[PermissionChange, ...]:
    """What the second template allows that the first does not, and the other way round; by holder."""
    old, new = set(_statements(before)), set(_statements(after))
    changes = [PermissionChange("removed", statement) for statement in old - new]
    changes += [PermissionChange("added", statement) for statement in new - old]
    return tuple(sorted(changes, key=lambda change: (change.statement.holder, change.kind, repr(change.statement))))


def _statements(template: Template) -> Iterator[Statement]:
    origins = origins_of(template)
    words = _Words(resources_of(template))
    for logical_id, resource in resources_of(template).items():
        properties = cast("Mapping[str, Any]", resource.get("Properties") or {})
        step = origins[logical_id].step
        holder = step or words.name(logical_id)
        match resource.get("Type"):
            case "AWS::IAM::Role":
                for policy in properties.get("Policies") or ():
                    yield from _of_document(holder, policy["PolicyDocument"], words)
                for managed in properties.get("ManagedPolicyArns") or ():
                    yield Statement(holder, "Allow", ("all of a managed policy",), (words.of(managed),))
            case "AWS::SQS::QueuePolicy":
                yield from _of_document(holder, properties["PolicyDocument"], words)
            case "AWS::Lambda::Permission":
                actions = (str(properties.get("Action")),)
                function = words.of(properties.get("FunctionName"))
                source = properties.get("SourceArn")
                condition = None if source is None else f"from {words.of(source)}"
                yield Statement(holder, "Allow", actions, (function,), words.of(properties["Principal"]), condition)
            case _:
                pass


def _of_document(holder: str, document: Mapping[str, Any], words: _Words) -> Iterator[Statement]:
    for statement in _list(document.get("Statement")):
        principal = statement.get("Principal")
        condition = statement.get("Condition")
        yield Statement(
            holder=holder,
            effect=str(statement.get("Effect")),
            actions=tuple(sorted(str(action) for action in _list(statement.get("Action")))),
            resources=tuple(sorted(words.of(resource) for resource in _list(statement.get("Resource")))),
            by=None if principal is None else words.principal(principal),
            condition=None if condition is None else words.condition(condition),
        )


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


class _Words:
    """References of a template as names that a person knows."""

    def __init__(self, resources: Mapping[str, Mapping[str, Any]]) -> None:
        self._resources = resources

    def name(self, logical_id: str) -> str:
        """The physical name where the template sets one, else the logical id; an alias goes by its function."""
        resource = self._resources.get(logical_id, {})
        properties = cast("Mapping[str, Any]", resource.get("Properties") or {})
        if resource.get("Type") == "AWS::Lambda::Alias":
            return f"{self.of(properties['FunctionName'])}:{properties['Name']}"
        names = (properties.get(name) for name in _NAMES)
        return next((name for name in names if isinstance(name, str)), logical_id)

    def of(self, value: Any) -> str:
        match value:
            case str():
                return self._short(value)
            case {"Ref": str(logical_id)}:
                return self.name(logical_id)
            case {"Fn::GetAtt": [str(logical_id), "StreamArn"]}:
                return f"{self.name(logical_id)} (change stream)"
            case {"Fn::GetAtt": [str(logical_id), *_]}:
                return self.name(logical_id)
            case {"Fn::Sub": str(text)}:
                return self._short(_VARIABLE.sub(lambda found: self.name(found[1]), _PSEUDO.sub(r"\1", text)))
            case _:
                return json.dumps(value, sort_keys=True)

    def principal(self, principal: Any) -> str:
        match principal:
            case {"Service": service}:
                return ", ".join(str(one) for one in _list(service))
            case {"AWS": accounts}:
                return ", ".join(self.of(one) for one in _list(accounts))
            case _:
                return self.of(principal)

    def condition(self, condition: Mapping[str, Any]) -> str:
        """`aws:SourceArn is chat--prod--sent`; operators are kept where they are unusual."""
        parts: list[str] = []
        for operator, keys in condition.items():
            joined = "is" if operator in ("ArnEquals", "StringEquals") else operator
            for key, values in cast("Mapping[str, Any]", keys).items():
                parts.append(f"{key} {joined} {', '.join(self.of(value) for value in _list(values))}")
        return "; ".join(parts)

    def _short(self, text: str) -> str:
        """An ARN without partition, region and account."""
        found = _ARN.match(text)
        return f"{found[1]} {found[2]}" if found else text
