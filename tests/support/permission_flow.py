"""A flow that needs every permission of `permission_app`, check by check, and how one of them is taken away."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from support.dev import Dev
from support.permission_app import NAME

PREFIX = f"{NAME}--dev--"
EVENT_STEPS = ("Ship", "Bill", "Note")
CRON_STEPS = ("Tidy", "Morning")
QUEUED_STEPS = (*EVENT_STEPS, "Watch")
CHANGE_FUNCTIONS = ("_treadle-broadcast", "_treadle-changes")
FUNCTIONS = (*QUEUED_STEPS, *CRON_STEPS, "Place", "Read", "Tidied", "_treadle-websocket", *CHANGE_FUNCTIONS)
_PATIENCE_SECONDS = 3.0
_DAY_SECONDS = 86_400
_SCHEDULER_ROLE = f"{PREFIX}schedules--scheduler"


class FlowError(Exception):
    """Something that the flow waits for did not come."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy: `holder` is a role, or the ARN of a queue, function or alias."""

    kind: str
    holder: str
    policy: str
    sid: str

    def __str__(self) -> str:
        name = self.holder.rsplit("/", 1)[-1].rpartition(":function:")[2]
        return f"{self.kind} {name}: {self.sid}"


class Flow:
    """The checks of one run against a running app; each raises FlowError. `patience` is how long each may take."""

    def __init__(self, dev: Dev, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._dev = dev
        self._patience = patience_seconds
        self._sqs, self._sns = dev.client("sqs"), dev.client("sns")
        self._functions, self._iam = dev.client("lambda"), dev.client("iam")
        self._logs = dev.client("logs")
        self._topics = {name: self._topic(name) for name in ("order-placed", "order-shipped", "tidied")}

    def run(self) -> None:
        """All checks. Raises FlowError for the first that fails."""
        self._clear()
        start_ms = time.time() * 1000  # functions are processes: their log lines bear the real time
        self.orders_are_followed_shipped_billed_and_watched()
        self.what_nobody_understands_is_dead_lettered()
        self.changes_that_cannot_be_told_are_dead_lettered()
        self.queues_that_are_closed_have_their_messages_dead_lettered()
        self.schedules_fire()
        self.firings_that_fail_are_dead_lettered()
        self.firings_without_permission_are_dead_lettered()
        self.everybody_logs(start_ms)

    # the checks

    def orders_are_followed_shipped_billed_and_watched(self) -> None:
        identifier = uuid.uuid4().hex
        try:
            with connect(self._dev.ready["ws"], open_timeout=self._patience) as socket:
                joined = {"streamName": "orders", "groupId": "all", "subscriptionId": "s"}
                socket.send(json.dumps({"type": "join", "data": joined}))
                if json.loads(socket.recv(timeout=self._patience))["event"]["type"] != "sync":
                    raise FlowError("no sync")
                # The first may be told by the function that lets the follower in, which reads twice; the second not.
                for each in (uuid.uuid4().hex, identifier):
                    self._post(each)
                    self._until("a change is told", lambda each=each: each in str(socket.recv(self._patience)))  # type: ignore[misc]
                socket.send(json.dumps({"type": "leave", "data": joined}))
        except (WebSocketException, OSError) as error:
            raise FlowError(f"websocket: {error}") from error
        self._until("the order is shipped and billed", lambda: self._is_billed(identifier))
        self._until("its changes are watched", lambda: self._order(identifier)["watched"] == [True, True])

    def what_nobody_understands_is_dead_lettered(self) -> None:
        for step in QUEUED_STEPS:
            marker = f"not json {uuid.uuid4().hex}"
            self._sqs.send_message(QueueUrl=self._url(step), MessageBody=marker)
            self._dead(step, marker)

    def changes_that_cannot_be_told_are_dead_lettered(self) -> None:
        self._empty("_treadle-broadcast")
        poison = {"group": {"S": "all"}, "id": {"S": uuid.uuid4().hex}, "value": {"S": "no object"}}
        self._dev.client("dynamodb").put_item(TableName=f"{PREFIX}orders--stream", Item=poison)
        self._dead("_treadle-broadcast", "", turning_seconds=60)
        key = {"group": poison["group"], "id": poison["id"]}
        self._dev.client("dynamodb").delete_item(TableName=f"{PREFIX}orders--stream", Key=key)
        self._empty("_treadle-changes")
        strange = {"group": {"S": "strange"}, "key": {"S": uuid.uuid4().hex}, "note": {"S": "no value"}}
        self._dev.client("dynamodb").put_item(TableName=f"{PREFIX}state", Item=strange)
        self._dead("_treadle-changes", "no value", turning_seconds=60)

    def queues_that_are_closed_have_their_messages_dead_lettered(self) -> None:
        for step, topic in zip(EVENT_STEPS, ("order-placed", "order-shipped", "tidied"), strict=True):
            marker = uuid.uuid4().hex
            with self._without_queue_policy(step):
                self._sns.publish(TopicArn=self._topics[topic], Message=marker)
            self._dead(step, marker)

    def schedules_fire(self) -> None:
        identifier = uuid.uuid4().hex
        self._post(identifier)
        before = {step: self._runs(step) for step in CRON_STEPS}
        self._dev.advance(_DAY_SECONDS)
        for step in CRON_STEPS:
            self._until(f"{step} has run", lambda step=step: self._runs(step) > before[step])  # type: ignore[misc]
        self._until("the order is tidied away", lambda: self._tidied(identifier))

    def firings_that_fail_are_dead_lettered(self) -> None:
        for step in CRON_STEPS:
            self._empty(step)
            nonsense = {"FunctionName": f"{PREFIX}{step}", "Qualifier": "live", "Payload": "{}"}
            self._functions.invoke(InvocationType="Event", **nonsense)
            self._dead(step, "", turning_seconds=70)

    def firings_without_permission_are_dead_lettered(self) -> None:
        for step in CRON_STEPS:
            self._empty(step)
        with self._without_rule_permission("Tidy"), self._without_invoking():
            self._dev.advance(_DAY_SECONDS)
            self._dead("Tidy", "", turning_seconds=60)
            self._dead("Morning", "", turning_seconds=60)

    def everybody_logs(self, start_ms: float) -> None:
        for function in FUNCTIONS:
            group = f"/aws/lambda/{PREFIX}{function}"
            wanted = {"logGroupName": group, "startTime": int(start_ms), "limit": 1}
            self._until(f"{function} logs", lambda wanted=wanted: self._logs.filter_log_events(**wanted)["events"])  # type: ignore[misc]

    # what they are made of

    def _post(self, identifier: str) -> None:
        answer = self._dev.http("POST", "/orders", {"id": identifier})
        if answer.status != 201:
            raise FlowError(f"POST /orders: {answer.status} {answer.body[:200]!r}")

    def _is_billed(self, identifier: str) -> bool:
        found = self._order(identifier)
        return bool(found["order"].get("billed") and found["shipped"].get("carrier") and found["listed"])

    def _order(self, identifier: str) -> dict[str, Any]:
        answer = self._dev.http("GET", f"/orders/{identifier}")
        if answer.status != 200:
            raise FlowError(f"GET /orders: {answer.status} {answer.body[:200]!r}")
        found: dict[str, Any] = answer.json()
        return found

    def _tidied(self, identifier: str) -> bool:
        answer = self._dev.http("GET", f"/tidied/{identifier}")
        if answer.status != 200:
            raise FlowError(f"GET /tidied: {answer.status}")
        return answer.json()["tidied"] is not None

    def _runs(self, step: str) -> int:
        return len([one for one in self._dev.all("handled", step=step) if one["record"].get("result") == "ok"])

    def _dead(self, step: str, marker: str, turning_seconds: int = 0) -> None:
        """Waits for a message with `marker` in a step's dead-letter queue, and takes out all that are there."""

        def look() -> bool:
            received = self._taken(step)
            if not received and turning_seconds:
                self._dev.advance(turning_seconds)
            return any(marker in message["Body"] for message in received)

        self._until(f"a dead letter of {step}", look)

    def _taken(self, step: str) -> list[dict[str, Any]]:
        url = self._url(f"{step}--dead")
        received = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in received:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(received)

    def _empty(self, step: str) -> None:
        while self._taken(step):
            pass

    def _clear(self) -> None:
        self._dev.advance(61)  # pollers begin anew, with the permissions that there are now
        for step in (*QUEUED_STEPS, *CRON_STEPS, *CHANGE_FUNCTIONS):
            self._empty(step)

    def _until(self, what: str, look: Callable[[], object]) -> None:
        end = time.monotonic() + self._patience
        while True:
            try:
                if look():
                    return
            except TimeoutError:
                raise FlowError(f"not seen: {what}") from None
            if time.monotonic() > end:
                raise FlowError(f"not seen: {what}")
            time.sleep(0.02)

    def _url(self, queue: str) -> str:
        return f"{self._dev.endpoint}/000000000000/{PREFIX}{queue}"

    def _topic(self, part: str) -> str:
        topics = [topic["TopicArn"] for topic in self._sns.list_topics()["Topics"]]
        return str(next(arn for arn in topics if arn.rsplit(":", 1)[-1].startswith(f"{PREFIX}{part}")))

    # permissions that a check takes away for a moment

    @contextmanager
    def _without_queue_policy(self, step: str) -> Generator[None]:
        policy = _queue_policy(self._sqs, self._url(step))
        self._sqs.set_queue_attributes(QueueUrl=self._url(step), Attributes={"Policy": ""})
        yield
        self._sqs.set_queue_attributes(QueueUrl=self._url(step), Attributes={"Policy": policy})

    @contextmanager
    def _without_rule_permission(self, step: str) -> Generator[None]:
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{PREFIX}{step}:live"
        with suppress(ClientError):
            policy = json.loads(self._functions.get_policy(FunctionName=arn)["Policy"])
            for statement in policy["Statement"]:
                with removed(self._dev, Statement("function", arn, "", statement["Sid"])):
                    yield
                return
        yield

    @contextmanager
    def _without_invoking(self) -> Generator[None]:
        found = [one for one in role_statements(self._dev) if (one.holder, one.sid) == (_SCHEDULER_ROLE, "Invoke")]
        if not found:
            yield
            return
        with removed(self._dev, found[0]):
            yield


def statements(dev: Dev) -> list[Statement]:
    """Every statement of every role, queue and function that the app has."""
    return [*role_statements(dev), *_queue_statements(dev), *_function_statements(dev)]


def removed(dev: Dev, statement: Statement) -> AbstractContextManager[None]:
    """Takes a statement away, and puts it back."""
    match statement.kind:
        case "role":
            return _without_role_statement(dev.client("iam"), statement)
        case "queue":
            return _without_queue_statement(dev.client("sqs"), statement)
        case _:
            return _without_function_statement(dev.client("lambda"), statement)


def role_statements(dev: Dev) -> list[Statement]:
    iam = dev.client("iam")
    return [
        Statement("role", role["RoleName"], policy, statement["Sid"])
        for role in iam.list_roles()["Roles"]
        for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"][
            "Statement"
        ]
    ]


def _queue_statements(dev: Dev) -> list[Statement]:
    sqs = dev.client("sqs")
    found = [(url, _queue_policy(sqs, url)) for url in sqs.list_queues().get("QueueUrls", [])]
    return [
        Statement("queue", url, "", statement["Sid"])
        for url, policy in found
        if policy
        for statement in json.loads(policy)["Statement"]
    ]


def _function_statements(dev: Dev) -> list[Statement]:
    functions, found = dev.client("lambda"), list[Statement]()
    for function in functions.list_functions()["Functions"]:
        arn = f"{function['FunctionArn']}:live"
        with suppress(ClientError):
            policy = json.loads(functions.get_policy(FunctionName=arn)["Policy"])
            found += [Statement("function", arn, "", statement["Sid"]) for statement in policy["Statement"]]
    return found


def _queue_policy(sqs: Any, url: str) -> str:
    wanted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    return str(wanted.get("Attributes", {}).get("Policy", ""))


@contextmanager
def _without_role_statement(iam: Any, statement: Statement) -> Generator[None]:
    named = {"RoleName": statement.holder, "PolicyName": statement.policy}
    document = iam.get_role_policy(**named)["PolicyDocument"]
    kept = [one for one in document["Statement"] if one["Sid"] != statement.sid]
    if kept:
        iam.put_role_policy(**named, PolicyDocument=json.dumps({**document, "Statement": kept}))
    else:
        iam.delete_role_policy(**named)
    try:
        yield
    finally:
        iam.put_role_policy(**named, PolicyDocument=json.dumps(document))


@contextmanager
def _without_queue_statement(sqs: Any, statement: Statement) -> Generator[None]:
    policy = _queue_policy(sqs, statement.holder)
    document = json.loads(policy)
    kept = [one for one in document["Statement"] if one["Sid"] != statement.sid]
    changed = json.dumps({**document, "Statement": kept}) if kept else ""
    sqs.set_queue_attributes(QueueUrl=statement.holder, Attributes={"Policy": changed})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=statement.holder, Attributes={"Policy": policy})


@contextmanager
def _without_function_statement(functions: Any, statement: Statement) -> Generator[None]:
    policy = json.loads(functions.get_policy(FunctionName=statement.holder)["Policy"])
    written = next(one for one in policy["Statement"] if one["Sid"] == statement.sid)
    functions.remove_permission(FunctionName=statement.holder, StatementId=statement.sid)
    try:
        yield
    finally:
        functions.add_permission(
            FunctionName=statement.holder,
            StatementId=statement.sid,
            Action=written["Action"],
            Principal=written["Principal"]["Service"],
            SourceArn=written["Condition"]["ArnLike"]["AWS:SourceArn"],
        )
