"""A rule's event on its way to one of its targets, and the dead letter that it may become."""

from __future__ import annotations

import json
from collections.abc import Mapping

from treadle_local.aws.errors import AwsError
from treadle_local.schedules.errands import DeadLetterQueue, Errand, Failure
from treadle_local.schedules.inputs import Event, render
from treadle_local.schedules.post import Sender
from treadle_local.schedules.rules import Rule, RuleTarget

_PRINCIPAL = "events.amazonaws.com"


def errand(rule: Rule, target: RuleTarget, event: Event) -> Errand:
    """Hands the event to the target, with the target's role if it has one, else by the target's own policy."""
    body = render(target.input, event, rule.name, rule.arn)
    sender = Sender(rule.arn, _PRINCIPAL, target.role_arn)
    return Errand(
        rule.name, sender, target.arn, lambda _attempt: body, target.retry, _dead_letter_queue(rule, target, event)
    )


def _dead_letter_queue(rule: Rule, target: RuleTarget, event: Event) -> DeadLetterQueue | None:
    """The letter is the event as it came to the rule; the queue's own policy must let EventBridge in."""
    if target.dead_letter_arn is None:
        return None

    def letter(failure: Failure) -> tuple[str, Mapping[str, str]]:
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False), _attributes(rule, target, failure)

    return DeadLetterQueue(target.dead_letter_arn, Sender(rule.arn, _PRINCIPAL), letter)


def _attributes(rule: Rule, target: RuleTarget, failure: Failure) -> dict[str, str]:
    """Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
    attributes = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target.arn,
        "ERROR_CODE": _error_code(failure.error),
        "ERROR_MESSAGE": failure.error.message,
        "RETRY_ATTEMPTS": str(failure.retries),
    }
    if failure.exhausted is not None:
        attributes["EXHAUSTED_RETRY_CONDITION"] = failure.exhausted
    return attributes


def _error_code(error: AwsError) -> str:
    """EventBridge's own codes for what targets answer."""
    match error.status:
        case 403:
            return "NO_PERMISSIONS"
        case 404:
            return "NO_RESOURCE"
        case 429:
            return "THROTTLING"
        case _:
            return "INVALID_JSON" if error.code == "InvalidRequestContentException" else "ERROR_FROM_TARGET"
