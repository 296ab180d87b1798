"""What has not the type of AWS's model never reaches SQS: every member of every operation is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from support.dev import Dev
from treadle_local.aws.service_models import service_model

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
WRONG: dict[str, Any] = {"string": ["x"], "integer": "x", "list": "x", "map": "x", "structure": "x", "blob": ["x"]}


def wrong_inputs(shape: Any) -> Iterator[Any]:
    """Values of a structure, list or map of which one part each has another type."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield {name: WRONG[member.type_name]}
            yield from ({name: inner} for inner in wrong_inputs(member))
    elif shape.type_name == "list":
        yield [WRONG[shape.member.type_name]]
        yield from ([inner] for inner in wrong_inputs(shape.member))
    elif shape.type_name == "map":
        yield {"x": WRONG[shape.value.type_name]}
        yield from ({"x": inner} for inner in wrong_inputs(shape.value))


def test_a_member_of_another_type_cannot_be_read(emulator: Dev) -> None:
    tried = 0
    for operation in service_model("sqs").operation_names:
        for params in wrong_inputs(service_model("sqs").operation_model(operation).input_shape):
            headers = {
                "authorization": SIGNED,
                "x-amz-target": f"AmazonSQS.{operation}",
                "content-type": "application/x-amz-json-1.0",
            }
            answer = emulator.request(emulator.endpoint, "POST", "/", json.dumps(params).encode(), headers)
            assert answer.status == 400, (operation, params, answer.body)
            assert answer.json()["__type"] == "com.amazon.coral.service#SerializationException", (operation, params)
            tried += 1
    assert tried > 100
