"""Filter criteria of event source mappings: which records a function is invoked with at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.dev import wait_until
from support.lambda_account import Account, make_queue, refused
from support.queues import counts
from treadle_local.functions.event_filters import compile_filters

RECORDER = """
import json, os

def handler(event, context):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps([record["body"] for record in event["Records"]]) + "\\n")
"""

STREAM_RECORD: Mapping[str, Any] = {
    "eventName": "MODIFY",
    "dynamodb": {
        "Keys": {"pk": {"S": "order-7"}},
        "NewImage": {
            "pk": {"S": "order-7"},
            "total": {"N": "12"},
            "paid": {"BOOL": True},
            "note": {"NULL": True},
            "tags": {"SS": ["new", "big"]},
            "lines": {"L": [{"M": {"sku": {"S": "a"}}}, {"M": {"sku": {"S": "b"}}}]},
            "empty": {"S": ""},
        },
        "SizeBytes": 40,
    },
}


@pytest.mark.parametrize(
    ("image", "passes"),
    [
        ({"pk": {"S": ["order-7"]}}, True),
        ({"pk": {"S": ["order-8", "order-7"]}}, True),
        ({"pk": {"S": ["order-8"]}}, False),
        ({"pk": {"S": [{"prefix": "order-"}]}, "paid": {"BOOL": [True]}}, True),
        ({"pk": {"S": [{"prefix": "order-"}]}, "paid": {"BOOL": [False]}}, False),
        ({"pk": {"S": [{"suffix": "-7"}]}}, True),
        ({"pk": {"S": [{"equals-ignore-case": "ORDER-7"}]}}, True),
        ({"pk": {"S": [{"anything-but": ["order-8"]}]}}, True),
        ({"pk": {"S": [{"anything-but": ["order-7"]}]}}, False),
        ({"note": {"NULL": [{"exists": True}]}}, True),
        ({"nowhere": {"S": [{"exists": False}]}}, True),
        ({"pk": [{"exists": True}]}, False),  # no leaf
        ({"empty": {"S": [""]}}, True),
        ({"tags": {"SS": ["big"]}}, True),
        ({"lines": {"L": {"M": {"sku": {"S": ["b"]}}}}}, True),
        ({"total": {"N": ["12"]}}, True),
        ({"total": {"N": [{"numeric": ["=", 12]}]}}, False),  # DynamoDB's numbers are strings
        ({"$or": [{"pk": {"S": ["order-8"]}}, {"total": {"N": ["12"]}}]}, True),
    ],
)
def test_a_pattern_decides_over_a_stream_record(image: dict[str, Any], passes: bool) -> None:
    pattern = json.dumps({"dynamodb": {"NewImage": image}})
    assert compile_filters((pattern,)).pass_record(STREAM_RECORD) is passes


def test_one_pattern_of_several_is_enough_and_none_lets_everything_pass() -> None:
    removed, modified = '{"eventName": ["REMOVE"]}', '{"eventName": ["MODIFY"]}'
    assert compile_filters((removed, modified)).pass_record(STREAM_RECORD)
    assert not compile_filters((removed,)).pass_record(STREAM_RECORD)
    assert compile_filters(()).pass_record(STREAM_RECORD)
    assert compile_filters(('{"dynamodb": {"SizeBytes": [{"numeric": [">", 30, "<=", 40]}]}}',)).pass_record(
        STREAM_RECORD
    )


@pytest.mark.parametrize(
    ("pattern", "body", "passes"),
    [
        ({"body": {"kind": ["a"]}}, '{"kind": "a"}', True),
        ({"body": {"kind": ["a"]}}, '{"kind": "b"}', False),
        ({"body": {"kind": ["a"]}}, "plain text", False),
        ({"body": {"kind": [{"exists": False}]}}, "plain text", False),
        ({"body": {"size": [{"numeric": [">=", 2]}]}}, '{"size": 2.5}', True),
        ({"body": ["plain text"]}, "plain text", True),
        ({"body": ["plain text"]}, "other text", False),
        ({"body": ['{"kind": "a"}']}, '{"kind": "a"}', False),
        ({"eventSource": ["aws:sqs"]}, "plain text", True),
        ({"eventSource": ["aws:sqs"]}, '{"kind": "a"}', True),
    ],
)
def test_a_pattern_for_fields_needs_a_body_of_json_and_one_for_text_does_not_want_it(
    pattern: dict[str, Any], body: str, passes: bool
) -> None:
    record = {"eventSource": "aws:sqs", "body": body}
    assert compile_filters((json.dumps(pattern),)).pass_message(record) is passes


def test_a_message_that_no_pattern_matches_is_deleted_and_not_delivered(account: Account, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    name = account.make(RECORDER, Environment={"Variables": {"SEEN": str(seen)}})
    url, arn = make_queue(account.emulator)
    sqs = account.emulator.client("sqs")
    account.client.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, FilterCriteria={"Filters": [{"Pattern": '{"body": {"keep": [true]}}'}]}
    )
    bodies = ['{"keep": true, "n": 1}', '{"keep": false}', "text", '{"keep": true, "n": 2}']
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    wait_until("the queue is empty", lambda: counts(sqs, url) == (0, 0, 0))
    delivered = [body for line in seen.read_text().splitlines() for body in json.loads(line)]
    assert sorted(delivered) == sorted(body for body in bodies if "true" in body)


@pytest.mark.parametrize(
    "pattern", ["", "[]", "{", '{"body": "text"}', '{"body": []}', '{"body": {}}', '{"body": [{"like": "x"}]}']
)
def test_a_pattern_that_is_none_is_refused(account: Account, pattern: str) -> None:
    _, arn = make_queue(account.emulator)
    with refused("InvalidParameterValueException", "Invalid filter pattern definition."):
        account.client.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=account.make(), FilterCriteria={"Filters": [{"Pattern": pattern}]}
        )
