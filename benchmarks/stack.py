"""How long a stack of 54 resources takes to be created, through boto3 against `treadle dev` with nothing deployed.

`python benchmarks/stack.py [runs]` prints the median. Fails where a stack does not end in CREATE_COMPLETE.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.dev import Dev
from support.policies import document, topic_may_send, trust

RESOURCES = 54
TARGET_SECONDS = 1.0
_STEPS = 6
_SOURCE = "def handler(event, context):\n    return event\n"


def _resource(kind: str, properties: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties, **attributes}


def _allow(action: str | list[str], target: dict[str, Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": target}


def _step(number: int) -> dict[str, Any]:
    """What a step with a queue trigger comes to: its function and all that feeds it."""

    def name(suffix: str) -> str:
        return f"Step{number}{suffix}"

    def arn(suffix: str) -> dict[str, Any]:
        return {"Fn::GetAtt": [name(suffix), "Arn"]}

    queue = {"VisibilityTimeout": 60, "MessageRetentionPeriod": 345600}
    statements = [
        _allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn("Queue")),
        _allow(["dynamodb:GetItem", "dynamodb:PutItem"], {"Fn::GetAtt": ["Table", "Arn"]}),
        _allow("sns:Publish", {"Ref": "Topic"}),
    ]
    role = {
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "Policies": [{"PolicyName": "step", "PolicyDocument": document(*statements)}],
    }
    function = {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Handler": "index.handler",
        "MemorySize": 256,
        "Timeout": 30,
        "Role": arn("Role"),
        "Code": {"ZipFile": _SOURCE},
        "Environment": {"Variables": {"TABLE": {"Ref": "Table"}, "TOPIC": {"Ref": "Topic"}}},
        "LoggingConfig": {"LogGroup": {"Ref": name("Logs")}},
    }
    subscription = {
        "TopicArn": {"Ref": "Topic"},
        "Protocol": "sqs",
        "Endpoint": arn("Queue"),
        "RawMessageDelivery": True,
        "FilterPolicy": {"topic": [f"step-{number}"]},
    }
    return {
        name("Logs"): _resource("Logs::LogGroup", {"RetentionInDays": 7}),
        name("Queue"): _resource("SQS::Queue", queue),
        name("Role"): _resource("IAM::Role", role),
        name("Function"): _resource("Lambda::Function", function),
        name("Alias"): _resource(
            "Lambda::Alias", {"FunctionName": {"Ref": name("Function")}, "FunctionVersion": "$LATEST", "Name": "live"}
        ),
        name("QueuePolicy"): _resource(
            "SQS::QueuePolicy",
            {
                "Queues": [{"Ref": name("Queue")}],
                "PolicyDocument": document(topic_may_send(arn("Queue"), {"Ref": "Topic"})),
            },
        ),
        name("Subscription"): _resource("SNS::Subscription", subscription, DependsOn=name("QueuePolicy")),
        name("Mapping"): _resource(
            "Lambda::EventSourceMapping",
            {
                "FunctionName": {"Ref": name("Alias")},
                "EventSourceArn": arn("Queue"),
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        ),
    }


def template() -> str:
    """A template of 54 resources, of the types that an app comes to."""
    table = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    resources: dict[str, Any] = {
        "Table": _resource("DynamoDB::Table", table),
        "Topic": _resource("SNS::Topic", {}),
        "Bucket": _resource("S3::Bucket", {}),
        "Api": _resource("ApiGatewayV2::Api", {"Name": "bench", "ProtocolType": "HTTP"}),
        "Stage": _resource(
            "ApiGatewayV2::Stage", {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True}
        ),
        "Parameter": _resource("SSM::Parameter", {"Type": "String", "Value": {"Ref": "Table"}}),
    }
    for number in range(_STEPS):
        resources |= _step(number)
    if len(resources) != RESOURCES:
        raise SystemExit(f"the template has {len(resources)} resources")
    return json.dumps({"Resources": resources})


def creation_seconds(dev: Dev, name: str) -> float:
    """From the call to the first answer that says CREATE_COMPLETE; the stack is deleted afterwards."""
    cloudformation, body = dev.client("cloudformation"), template()
    begun = time.perf_counter()
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    status = _settled(cloudformation, name)
    seconds = time.perf_counter() - begun
    if status != "CREATE_COMPLETE":
        raise SystemExit(f"the stack ended in {status}")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return seconds


def _settled(cloudformation: Any, name: str) -> str:
    while True:
        status: str = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.005)


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Dev(Path(folder), "--no-watch") as dev:
        found = [creation_seconds(dev, f"bench-{number}") for number in range(runs)]
    median = statistics.median(found)
    print(f"a stack of {RESOURCES} resources: {median:.3f} s (median of {runs}; at most {TARGET_SECONDS:.1f} s)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
