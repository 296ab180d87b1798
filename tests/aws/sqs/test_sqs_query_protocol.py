"""SQS as its clients asked for it until 2023: a form goes in, XML comes out. What they say holds for newer ones too."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.aws import ACCOUNT, unique
from support.dev import Answer, Dev
from support.policies import allow, deny, document
from support.queues import arn_of, create_queue, receipt, receive
from support.roles import new_role, new_session, session_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793"


def document_of(answer: Answer) -> ElementTree.Element:
    return ElementTree.fromstring(answer.body)  # noqa: S314 what the emulator has just written


class Asker:
    """Sends signed forms; `path` is where to, the fields are AWS's own of the query protocol."""

    def __init__(self, emulator: Dev, keys: Mapping[str, str]) -> None:
        self._emulator = emulator
        self._keys = keys

    def answer(self, action: str, path: str = "/", method: str = "POST", **fields: str) -> Answer:
        """A GET has the fields in the query, a POST in the body."""
        form = urlencode({"Action": action, "Version": "2012-11-05", **fields})
        target = path if method == "POST" else f"{path}?{form}"
        body = form.encode() if method == "POST" else None
        headers = {"content-type": FORM} if body is not None else {}
        request = AWSRequest(method, f"{self._emulator.endpoint}{target}", headers, body)
        keys = self._keys
        credentials = Credentials(
            keys["aws_access_key_id"], keys["aws_secret_access_key"], keys.get("aws_session_token")
        )
        SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
        return self._emulator.request(self._emulator.endpoint, method, target, body, dict(request.headers.items()))

    def ask(self, action: str, path: str = "/", method: str = "POST", **fields: str) -> ElementTree.Element:
        """What stands in the answer of an operation that goes well."""
        answer = self.answer(action, path, method, **fields)
        assert answer.status == 200, answer.body
        root = document_of(answer)
        assert root.tag == f"{NAMESPACE}{action}Response"
        request_id = root.findtext(f"{NAMESPACE}ResponseMetadata/{NAMESPACE}RequestId")
        assert request_id == answer.headers["x-amzn-requestid"]
        result = root.find(f"{NAMESPACE}{action}Result")
        return ElementTree.Element("none") if result is None else result

    def refused(self, action: str, path: str = "/", **fields: str) -> tuple[int, str, str]:
        """Status, code and message of a refusal."""
        answer = self.answer(action, path, **fields)
        error = document_of(answer).find(f"{NAMESPACE}Error")
        assert error is not None, answer.body
        assert error.findtext(f"{NAMESPACE}Type") == "Sender"
        return answer.status, str(error.findtext(f"{NAMESPACE}Code")), str(error.findtext(f"{NAMESPACE}Message"))


@pytest.fixture
def asker(emulator: Dev) -> Asker:
    return Asker(emulator, ROOT)


def path_of(url: str) -> str:
    return url[url.index(f"/{ACCOUNT}/") :]


def text(element: ElementTree.Element, *names: str) -> str | None:
    return element.findtext("/".join(NAMESPACE + name for name in names))


def texts(element: ElementTree.Element, *names: str) -> list[str | None]:
    return [found.text for found in element.findall("/".join(NAMESPACE + name for name in names))]


def pairs(element: ElementTree.Element, name: str, key: str = "Name") -> dict[str | None, str | None]:
    """A map as the query protocol writes it: an element for each entry, with its key and its value."""
    return dict(zip(texts(element, name, key), texts(element, name, "Value"), strict=True))


def test_a_message_goes_through_a_queue_by_forms_alone(asker: Asker, sqs: SQSClient) -> None:
    name = unique("queue")
    attributes = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "45"}
    made = asker.ask("CreateQueue", QueueName=name, **attributes, **{"Tag.1.Key": "team", "Tag.1.Value": "a b&c"})
    url = str(text(made, "QueueUrl"))
    assert url == sqs.get_queue_url(QueueName=name)["QueueUrl"]
    assert sqs.list_queue_tags(QueueUrl=url).get("Tags") == {"team": "a b&c"}
    body = "one & <two> + 100 % \r\n\t ü 🙂"
    sent = asker.ask(
        "SendMessage",
        QueueUrl=url,
        MessageBody=body,
        **{
            "MessageAttribute.1.Name": "kind",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": 'ä&<>"\r\n',
            "MessageAttribute.2.Name": "data",
            "MessageAttribute.2.Value.DataType": "Binary",
            "MessageAttribute.2.Value.BinaryValue": base64.b64encode(b"\0\xff").decode(),
            "MessageSystemAttribute.1.Name": "AWSTraceHeader",
            "MessageSystemAttribute.1.Value.DataType": "String",
            "MessageSystemAttribute.1.Value.StringValue": TRACE,
        },
    )
    (got,) = asker.ask(
        "ReceiveMessage", path_of(url), **{"AttributeName.1": "All", "MessageAttributeName.1": "All"}
    ).findall(f"{NAMESPACE}Message")
    assert text(got, "Body") == body
    for digest in ("MessageId", "MD5OfMessageAttributes"):
        assert text(got, digest) == text(sent, digest)
    assert text(got, "MD5OfBody") == text(sent, "MD5OfMessageBody")
    system = pairs(got, "Attribute")
    assert (system["ApproximateReceiveCount"], system["AWSTraceHeader"]) == ("1", TRACE)
    values = dict(zip(texts(got, "MessageAttribute", "Name"), got.findall(f"{NAMESPACE}MessageAttribute"), strict=True))
    assert text(values["kind"], "Value", "StringValue") == 'ä&<>"\r\n'
    assert base64.b64decode(str(text(values["data"], "Value", "BinaryValue"))) == b"\0\xff"
    handle = str(text(got, "ReceiptHandle"))
    asker.ask("ChangeMessageVisibility", path_of(url), ReceiptHandle=handle, VisibilityTimeout="90")
    asker.ask("DeleteMessage", path_of(url), ReceiptHandle=handle)
    counts = asker.ask("GetQueueAttributes", path_of(url), **{"AttributeName.1": "All"})
    found = pairs(counts, "Attribute")
    assert (found["ApproximateNumberOfMessagesNotVisible"], found["VisibilityTimeout"]) == ("0", "45")
    asker.ask("DeleteQueue", path_of(url))
    assert asker.refused("SendMessage", QueueUrl=url, MessageBody="x")[1] == "AWS.SimpleQueueService.NonExistentQueue"


def test_answers_and_refusals_are_written_as_they_ever_were(asker: Asker, sqs: SQSClient) -> None:
    url = create_queue(sqs)
    sent = asker.answer("SendMessage", path_of(url), MessageBody="hello")
    assert (sent.status, sent.headers["content-type"]) == (200, "text/xml")
    assert re.fullmatch(
        rb'<SendMessageResponse xmlns="http://queue\.amazonaws\.com/doc/2012-11-05/"><SendMessageResult>'
        rb"<MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody><MessageId>[0-9a-f-]{36}</MessageId>"
        rb"</SendMessageResult><ResponseMetadata><RequestId>[0-9a-f-]{36}</RequestId></ResponseMetadata>"
        rb"</SendMessageResponse>",
        sent.body,
    )
    refused = asker.answer("GetQueueUrl", QueueName="nobody")
    assert refused.status == 400
    assert re.fullmatch(
        rb'<ErrorResponse xmlns="http://queue\.amazonaws\.com/doc/2012-11-05/"><Error><Type>Sender</Type>'
        rb"<Code>AWS\.SimpleQueueService\.NonExistentQueue</Code><Message>The specified queue does not exist\."
        rb"</Message><Detail/></Error><RequestId>[0-9a-f-]{36}</RequestId></ErrorResponse>",
        refused.body,
    )


def test_an_operation_may_stand_in_the_address(asker: Asker, sqs: SQSClient) -> None:
    url = create_queue(sqs)
    for path in (path_of(url), f"{path_of(url)}/"):
        asker.ask("SendMessage", path, "GET", MessageBody="Your message text & more")
        (got,) = texts(asker.ask("ReceiveMessage", path, "GET", MaxNumberOfMessages="10"), "Message", "Body")
        assert got == "Your message text & more"
    assert texts(asker.ask("ListQueues", method="GET", QueueNamePrefix=url.rsplit("/", 1)[1]), "QueueUrl") == [url]


def test_batches_are_numbered_entries(asker: Asker, sqs: SQSClient) -> None:
    url = create_queue(sqs)
    path, entry = path_of(url), "SendMessageBatchRequestEntry"
    sent = asker.ask(
        "SendMessageBatch",
        path,
        **{
            f"{entry}.1.Id": "good",
            f"{entry}.1.MessageBody": "first",
            f"{entry}.1.MessageAttribute.1.Name": "n",
            f"{entry}.1.MessageAttribute.1.Value.DataType": "Number",
            f"{entry}.1.MessageAttribute.1.Value.StringValue": "1.5",
            f"{entry}.2.Id": "bad",
            f"{entry}.2.MessageBody": "second",
            f"{entry}.2.DelaySeconds": "901",
        },
    )
    assert texts(sent, "SendMessageBatchResultEntry", "Id") == ["good"]
    assert texts(sent, "BatchResultErrorEntry", "Id") == ["bad"]
    assert texts(sent, "BatchResultErrorEntry", "SenderFault") == ["true"]
    assert texts(sent, "BatchResultErrorEntry", "Code") == ["InvalidParameterValue"]
    (message,) = receive(sqs, url)
    assert message.get("MessageAttributes") == {"n": {"DataType": "Number", "StringValue": "1.5"}}
    taken = {"Id": "a", "ReceiptHandle": receipt(message)}
    for operation, more in (("ChangeMessageVisibility", {"VisibilityTimeout": "60"}), ("DeleteMessage", {})):
        entry = f"{operation}BatchRequestEntry"
        fields = {f"{entry}.1.{name}": value for name, value in (taken | more).items()}
        done = asker.ask(f"{operation}Batch", path, **fields, **{f"{entry}.2.Id": "b", f"{entry}.2.ReceiptHandle": "x"})
        assert texts(done, f"{operation}BatchResultEntry", "Id") == ["a"]
        assert "b" in texts(done, "BatchResultErrorEntry", "Id")


def test_lists_and_maps_of_queues_have_names_of_their_own(asker: Asker, sqs: SQSClient) -> None:
    url, dead = create_queue(sqs), create_queue(sqs)
    path = path_of(url)
    redrive = json.dumps({"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 1})
    changes = {"Attribute.1.Name": "RedrivePolicy", "Attribute.1.Value": redrive}
    asker.ask("SetQueueAttributes", path, **changes, **{"Attribute.2.Name": "DelaySeconds", "Attribute.2.Value": "3"})
    found = asker.ask("GetQueueAttributes", path, **{"AttributeName.1": "DelaySeconds", "AttributeName.2": "QueueArn"})
    assert pairs(found, "Attribute") == {"DelaySeconds": "3", "QueueArn": arn_of(url)}
    assert texts(asker.ask("ListDeadLetterSourceQueues", path_of(dead)), "QueueUrl") == [url]
    tags = {f"Tag.{key}.{part}": value for key in "12" for part, value in (("Key", key), ("Value", "x"))}
    asker.ask("TagQueue", path, **tags)
    asker.ask("UntagQueue", path, **{"TagKey.1": "1"})
    assert pairs(asker.ask("ListQueueTags", path), "Tag", "Key") == {"2": "x"}
    names = {"ActionName.1": "SendMessage", "ActionName.2": "ReceiveMessage", "AWSAccountId.1": "111122223333"}
    asker.ask("AddPermission", path, Label="l", **names)
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    assert json.loads(policy)["Statement"][0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"]
    asker.ask("RemovePermission", path, Label="l")
    handle = str(text(asker.ask("StartMessageMoveTask", SourceArn=arn_of(dead)), "TaskHandle"))
    (task,) = asker.ask("ListMessageMoveTasks", SourceArn=arn_of(dead)).findall(
        f"{NAMESPACE}ListMessageMoveTasksResultEntry"
    )
    assert (text(task, "Status"), text(task, "ApproximateNumberOfMessagesMoved")) == ("COMPLETED", "0")
    cancelled = asker.refused("CancelMessageMoveTask", TaskHandle=handle)
    assert cancelled[1] == "AWS.SimpleQueueService.UnsupportedOperation"
    asker.ask("PurgeQueue", path)
    assert asker.refused("PurgeQueue", path)[:2] == (403, "AWS.SimpleQueueService.PurgeQueueInProgress")


@pytest.mark.parametrize(
    ("action", "fields", "status", "code"),
    [
        ("SendMessage", {}, 400, "MissingParameter"),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": "901"}, 400, "InvalidParameterValue"),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": "soon"}, 400, "MalformedInput"),
        ("SendMessage", {"MessageBody": "x", "MessageAttribute": "y"}, 400, "MalformedInput"),
        ("SendMessage", {"MessageBody": "x", "MessageAttribute.1.Name": "y"}, 400, "MalformedInput"),
        ("SendMessage", {"MessageBody": "\x01"}, 400, "InvalidMessageContents"),
        ("SendMessageBatch", {}, 400, "AWS.SimpleQueueService.EmptyBatchRequest"),
        ("DeleteMessage", {"ReceiptHandle": "nope"}, 404, "ReceiptHandleIsInvalid"),
        ("GetQueueAttributes", {"AttributeName.1": "Nope"}, 400, "InvalidAttributeName"),
        ("SetQueueAttributes", {"Attribute.1.Name": "DelaySeconds"}, 400, "MalformedInput"),
        ("Fly", {}, 400, "InvalidAction"),
        ("", {}, 400, "MissingAction"),
    ],
)
def test_what_is_wrong_is_refused_by_the_older_code(
    asker: Asker, sqs: SQSClient, action: str, fields: dict[str, str], status: int, code: str
) -> None:
    assert asker.refused(action, path_of(create_queue(sqs)), **fields)[:2] == (status, code)


def test_forms_are_decided_by_policies_like_any_call(emulator: Dev, sqs: SQSClient) -> None:
    url, other = create_queue(sqs), create_queue(sqs)
    sender = Asker(emulator, new_session(emulator, allow("sqs:SendMessage", arn_of(url))))
    sender.ask("SendMessage", path_of(url), MessageBody="x")
    sender.ask("SendMessage", QueueUrl=url, MessageBody="x")
    batch = {"SendMessageBatchRequestEntry.1.Id": "1", "SendMessageBatchRequestEntry.1.MessageBody": "x"}
    sender.ask("SendMessageBatch", path_of(url), **batch)
    for action, path, fields in (
        ("SendMessage", path_of(other), {"MessageBody": "x"}),
        ("SendMessage", path_of(url), {"MessageBody": "x", "QueueUrl": other}),
        ("SendMessageBatch", path_of(other), batch),
        ("ReceiveMessage", path_of(url), {}),
        ("ListQueues", "/", {}),
    ):
        status, code, message = sender.refused(action, path, **fields)
        assert (status, code) == (403, "AccessDenied")
        assert "is not authorized to perform: sqs:" in message


def test_the_policy_of_a_queue_decides_forms(emulator: Dev, sqs: SQSClient) -> None:
    arn = new_role(emulator)[1]
    role, url = Asker(emulator, session_of(emulator, arn)), create_queue(sqs)
    path = path_of(url)
    assert role.refused("SendMessage", path, MessageBody="x")[1] == "AccessDenied"
    policy = document(allow("sqs:SendMessage", arn_of(url), Principal={"AWS": arn}))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    role.ask("SendMessage", path, MessageBody="x")
    policy = document(deny("sqs:SendMessage", arn_of(url), Principal="*"))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    assert role.refused("SendMessage", path, MessageBody="x")[1] == "AccessDenied"
    assert Asker(emulator, ROOT).refused("SendMessage", path, MessageBody="x")[1] == "AccessDenied"


def test_a_form_of_nobody_is_refused(emulator: Dev, sqs: SQSClient) -> None:
    form = urlencode({"Action": "SendMessage", "MessageBody": "x"}).encode()
    answer = emulator.request(emulator.endpoint, "POST", path_of(create_queue(sqs)), form, {"content-type": FORM})
    assert answer.status == 403
