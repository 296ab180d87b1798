"""Rules of EventBridge as values, read from what AWS's operations say of them, and refused as AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.schedules.errands import RetryPolicy
from treadle_local.schedules.expressions import ScheduleExpression, parse_schedule
from treadle_local.schedules.inputs import Input, input_of, is_path
from treadle_local.schedules.post import SERVICES, service_of
from treadle_local.schedules.refusals import invalid, limit_exceeded, not_here
from treadle_local.sns.filter_policy import Pattern, compile_pattern

DEFAULT_BUS = "default"
# Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
TARGETS_LIMIT = 5
RULES_LIMIT = 300
_INPUTS = ("Input", "InputPath", "InputTransformer")
_KNOWN_MEMBERS = frozenset({*_INPUTS, "Arn", "DeadLetterConfig", "Id", "RetryPolicy", "RoleArn"})


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """Where a rule's events go, and as what."""

    id: str
    arn: str
    input: Input
    retry: RetryPolicy
    role_arn: str | None
    dead_letter_arn: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with a schedule, a pattern, or both."""

    name: str
    arn: str
    bus: str
    enabled: bool
    schedule: ScheduleExpression | None
    pattern: Pattern | None
    targets: tuple[RuleTarget, ...] = ()

    def with_targets(self, targets: Sequence[Mapping[str, Any]]) -> Rule:
        return replace(self, targets=tuple(map(_target, targets)))


def bus_of(params: Mapping[str, Any]) -> str:
    """The name of the bus that an operation is about."""
    return str(params.get("EventBusName") or DEFAULT_BUS).rpartition("/")[2]


def read_rule(described: Mapping[str, Any], targets: tuple[RuleTarget, ...]) -> Rule:
    """A rule from the answer of DescribeRule."""
    expression, pattern = described.get("ScheduleExpression"), described.get("EventPattern")
    return Rule(
        name=described["Name"],
        arn=described["Arn"],
        bus=bus_of(described),
        enabled=described.get("State") != "DISABLED",
        schedule=parse_schedule(expression) if expression else None,
        pattern=read_pattern(pattern) if pattern else None,
        targets=targets,
    )


def check_rule(params: Mapping[str, Any]) -> None:
    """Returns when PutRule may make this rule. Raises: AwsError ValidationException, InvalidEventPatternException."""
    expression, pattern = params.get("ScheduleExpression"), params.get("EventPattern")
    if not expression and not pattern:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if expression:
        if bus_of(params) != DEFAULT_BUS:
            raise invalid("ScheduleExpression is supported only on the default event bus.")
        try:
            parse_schedule(expression)
        except ValueError as error:
            raise invalid(str(error)) from error
    if pattern:
        read_pattern(pattern)


def check_targets(rule: Rule | None, targets: Sequence[Mapping[str, Any]]) -> None:
    """Returns when PutTargets may add these to the rule.

    Raises: AwsError ValidationException, LimitExceededException.
    """
    for target in targets:
        _check_target(target)
    ids = {target["Id"] for target in targets}
    if len(ids.union(known.id for known in rule.targets) if rule is not None else ids) > TARGETS_LIMIT:
        raise limit_exceeded()


def _check_target(target: Mapping[str, Any]) -> None:
    name, arn = target["Id"], target["Arn"]
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    if service_of(arn) is None or arn.endswith(".fifo"):
        raise not_here(f"The target {arn} of a rule, which is none of {', '.join(SERVICES)},")
    for member in target:
        if member not in _KNOWN_MEMBERS:
            raise not_here(f"{member} of a rule's target")
    given = [member for member in _INPUTS if member in target]
    if len(given) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise invalid(f"JSON syntax error in input for target {name}.")
    paths: Mapping[str, str] = _inner(target, "InputTransformer").get("InputPathsMap") or {}
    for path in (*paths.values(), *filter(None, [target.get("InputPath")])):
        if not is_path(path):
            raise invalid(f"Invalid InputPath for target {name}.")
    queue: str | None = _inner(target, "DeadLetterConfig").get("Arn")
    if queue and (service_of(queue) != "sqs" or queue.endswith(".fifo")):
        raise invalid(f"Parameter {queue} is not valid. Reason: a dead-letter queue is a standard queue of Amazon SQS.")


@lru_cache(maxsize=1024)
def read_pattern(text: str) -> Pattern:
    """What an event pattern matches. Raises: AwsError InvalidEventPatternException."""
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad_pattern(str(error)) from error
    if not isinstance(document, dict) or not document:
        raise _bad_pattern("Filter is not an object" if document else "Empty patterns are not allowed")
    try:
        return compile_pattern(cast("dict[str, object]", document))
    except AwsError as error:
        raise _bad_pattern(error.message.rpartition("FilterPolicy: ")[2]) from error


def _bad_pattern(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def _target(target: Mapping[str, Any]) -> RuleTarget:
    return RuleTarget(
        id=target["Id"],
        arn=target["Arn"],
        input=input_of(target),
        retry=RetryPolicy.of(target.get("RetryPolicy")),
        role_arn=target.get("RoleArn"),
        dead_letter_arn=_inner(target, "DeadLetterConfig").get("Arn"),
    )


def _inner(target: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    return target.get(member) or {}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
