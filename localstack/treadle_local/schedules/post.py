"""Hands an event to a function, a queue or a topic, where the sender has the right to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.errors import AwsError, access_denied
from treadle_local.aws.identity import Identity
from treadle_local.aws.service import ROOT, Region, Target
from treadle_local.functions.service import LambdaService
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs

_TARGET = re.compile(
    r"arn:aws[\w-]*:(?:(?P<lambda>lambda):[\w-]+:\d{12}:function:[\w-]+(?::[\w$-]+)?"
    r"|(?P<sqs>sqs):[\w-]+:\d{12}:[\w.-]+|(?P<sns>sns):[\w-]+:\d{12}:[\w.-]+)",
    re.ASCII,
)
SERVICES = ("lambda", "sqs", "sns")

Trusts = Callable[[str, str, str | None], bool | None]
"""Whether a role may be assumed by a service on behalf of a resource; None where there is no such role."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The rule or schedule that sends, for which service, and with which role; without one, by resource policies."""

    arn: str
    service: str
    role_arn: str | None = None

    @property
    def trust_source(self) -> str:
        """What `aws:SourceArn` is when the role is assumed: the rule, or the schedule's group.

        Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        """
        place, schedule, path = self.arn.partition(":schedule/")
        return f"{place}:schedule-group/{path.partition('/')[0]}" if schedule else self.arn


def service_of(arn: str) -> str | None:
    """Which of SERVICES the ARN of a target is of; None for anything else."""
    match = _TARGET.fullmatch(arn)
    return match.lastgroup if match is not None else None


class Post:
    """Sends at once; nothing is tried again here."""

    def __init__(
        self,
        region: Region,
        functions: LambdaService,
        sqs: Sqs,
        sns: Sns,
        identity: Identity,
        trusts: Trusts,
    ) -> None:
        self._region = region
        self._functions = functions
        self._sqs = sqs
        self._sns = sns
        self._identity = identity
        self._trusts = trusts

    def send(self, sender: Sender, target_arn: str, body: str) -> None:
        """Invokes a function asynchronously, sends to a queue or publishes to a topic.

        Raises: AwsError, with status 403 where the sender has no right to, 404 where there is no such target.
        """
        match service_of(target_arn):
            case "lambda":
                self._invoke(sender, target_arn, body)
            case "sqs":
                self.send_message(sender, target_arn, body, {})
            case "sns":
                self._publish(sender, target_arn, body)
            case _:
                raise AwsError("ValidationException", f"{target_arn} is no target that the emulator has")

    def _invoke(self, sender: Sender, arn: str, body: str) -> None:
        _, invoked_arn = self._functions.resolve(arn)
        self._check(sender, "lambda:InvokeFunction", invoked_arn, self._functions.resource_policy(arn))
        request = {"FunctionName": arn, "InvocationType": "Event", "Payload": body.encode()}
        self._functions.handle("Invoke", request, ROOT)

    def send_message(self, sender: Sender, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        """As `send`, to a queue and with attributes."""
        queue = self._sqs.resolve(arn)
        if queue is None:
            raise AwsError("QueueDoesNotExist", f"The queue {arn} does not exist.", status=404)
        policy = queue.settings.policy
        self._check(sender, "sqs:SendMessage", arn, None if policy is None else policy.document)
        url = f"{self._sqs.base_url}/{self._region.account}/{arn.rsplit(':', 1)[-1]}"
        written = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        message = {"QueueUrl": url, "MessageBody": body, "MessageAttributes": written}
        self._sqs.handle("SendMessage", message, ROOT)

    def _publish(self, sender: Sender, arn: str, body: str) -> None:
        topic = self._sns.handle("GetTopicAttributes", {"TopicArn": arn}, ROOT)
        self._check(sender, "sns:Publish", arn, json.loads(topic["Attributes"]["Policy"]))
        self._sns.handle("Publish", {"TopicArn": arn, "Message": body}, ROOT)

    def _check(self, sender: Sender, action: str, resource: str, policy: Mapping[str, Any] | None) -> None:
        """Raises AccessDeniedException where neither the sender's role nor, without one, the resource allows it."""
        if sender.role_arn is not None:
            role = sender.role_arn.rsplit("/", 1)[-1]
            trusted = self._trusts(sender.role_arn, sender.service, sender.trust_source)
            if not trusted:
                message = f"The role {sender.role_arn} {'cannot be assumed' if trusted is False else 'does not exist'}"
                raise AwsError("AccessDeniedException", f"{message} by {sender.service}", status=403)
            if not self._identity.allows(role, Target(action, resource)):
                principal = f"arn:aws:sts::{self._region.account}:assumed-role/{role}/{sender.service.split('.')[0]}"
                refusal = access_denied(principal, action, resource)
                raise AwsError(refusal.code, refusal.message, status=403)
        elif not self._identity.admits(sender.service, policy, action, resource, sender.arn):
            reason = f"because no resource-based policy allows the {action} action"
            message = f"{sender.service} is not authorized to perform: {action} on resource: {resource} {reason}"
            raise AwsError("AccessDeniedException", message, status=403)
