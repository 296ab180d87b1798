"""Change streams of tables as boto3's dynamodbstreams client reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from support.aws import unique
from support.change_streams import item, iterator, make_table, records, shard_of, stream_arn
from support.dev import Dev
from support.lambda_account import refused
from support.policies import allow, document, trust

DAY_SECONDS = 24 * 3600


def put(emulator: Dev, table: str, *items: dict[str, Any]) -> None:
    for one in items:
        emulator.client("dynamodb").put_item(TableName=table, Item=one)


def images(found: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [(one["eventName"], one["dynamodb"].get("OldImage"), one["dynamodb"].get("NewImage")) for one in found]


def test_what_is_written_is_recorded_in_order_as_aws_records_it(emulator: Dev) -> None:
    table = make_table(emulator)
    arn = stream_arn(emulator, table)
    db = emulator.client("dynamodb")
    before, after = item("a", text="x"), item("a", text="longer")
    put(emulator, table, before, before, after)
    db.delete_item(TableName=table, Key=item("a"))
    db.delete_item(TableName=table, Key=item("a"))
    found = records(emulator, arn)
    assert images(found) == [("INSERT", None, before), ("MODIFY", before, after), ("REMOVE", after, None)]
    first = found[0]
    assert set(first) == {"eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb"}
    assert (first["eventVersion"], first["eventSource"], first["awsRegion"]) == ("1.1", "aws:dynamodb", "us-east-1")
    inner = first["dynamodb"]
    assert (inner["Keys"], inner["StreamViewType"]) == (item("a"), "NEW_AND_OLD_IMAGES")
    assert inner["ApproximateCreationDateTime"].microsecond == 0
    # names and values of the keys, and of each image
    assert [one["dynamodb"]["SizeBytes"] for one in found] == [6 + 11, 6 + 11 + 16, 6 + 16]
    numbers = [one["dynamodb"]["SequenceNumber"] for one in found]
    assert numbers == sorted(set(numbers), key=int)
    assert all(number.isdecimal() and 21 <= len(number) <= 40 for number in numbers)
    assert len({one["eventID"] for one in found}) == 3
    assert records(emulator, arn) == found


def test_the_size_of_a_record_is_aws_own_examples(emulator: Dev) -> None:
    table = make_table(
        emulator,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "N"}],
    )
    new: dict[str, Any] = {"Id": {"N": "101"}, "Message": {"S": "New item!"}}
    put(emulator, table, new, {**new, "Message": {"S": "This item has changed"}})
    emulator.client("dynamodb").delete_item(TableName=table, Key={"Id": {"N": "101"}})
    sizes = [one["dynamodb"]["SizeBytes"] for one in records(emulator, stream_arn(emulator, table))]
    assert sizes == [26, 59, 38]


@pytest.mark.parametrize(
    ("view", "old", "new"),
    [
        ("KEYS_ONLY", False, False),
        ("NEW_IMAGE", False, True),
        ("OLD_IMAGE", True, False),
        ("NEW_AND_OLD_IMAGES", True, True),
    ],
)
def test_a_record_shows_what_the_view_type_says(emulator: Dev, view: str, old: bool, new: bool) -> None:
    table = make_table(emulator, view)
    put(emulator, table, item("a", text="x"), item("a", text="y"))
    changed = records(emulator, stream_arn(emulator, table))[1]["dynamodb"]
    assert (changed["StreamViewType"], "OldImage" in changed, "NewImage" in changed) == (view, old, new)
    assert changed["Keys"] == item("a")


def test_batches_transactions_and_updates_are_recorded_in_their_order(emulator: Dev) -> None:
    table = make_table(emulator)
    db = emulator.client("dynamodb")
    db.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item(f"b{n}")}} for n in range(5)]})
    db.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": item("t0")}},
            {
                "Update": {
                    "TableName": table,
                    "Key": item("b0"),
                    "UpdateExpression": "SET n = :n",
                    "ExpressionAttributeValues": {":n": {"N": "1"}},
                }
            },
            {"Delete": {"TableName": table, "Key": item("b1")}},
            {"ConditionCheck": {"TableName": table, "Key": item("b2"), "ConditionExpression": "attribute_exists(pk)"}},
        ]
    )
    with refused("TransactionCanceledException"):
        db.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("never")}},
                {"Delete": {"TableName": table, "Key": item("b2"), "ConditionExpression": "attribute_exists(nowhere)"}},
            ]
        )
    found = records(emulator, stream_arn(emulator, table))
    assert [(one["eventName"], one["dynamodb"]["Keys"]["pk"]["S"]) for one in found] == [
        *[("INSERT", f"b{n}") for n in range(5)],
        ("INSERT", "t0"),
        ("MODIFY", "b0"),
        ("REMOVE", "b1"),
    ]


def test_an_item_whose_time_is_over_is_removed_by_the_service(emulator: Dev) -> None:
    table = make_table(emulator)
    db = emulator.client("dynamodb")
    db.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    put(emulator, table, item("a"))
    now = records(emulator, stream_arn(emulator, table))[0]["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    put(emulator, table, {**item("gone"), "ttl": {"N": str(int(now) + 10)}})
    emulator.advance(120)
    [*_, removal] = records(emulator, stream_arn(emulator, table))
    assert (removal["eventName"], removal["dynamodb"]["Keys"]) == ("REMOVE", item("gone"))
    assert removal["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    db.delete_item(TableName=table, Key=item("a"))
    assert "userIdentity" not in records(emulator, stream_arn(emulator, table))[-1]


def test_iterators_begin_where_they_say(emulator: Dev) -> None:
    table = make_table(emulator)
    arn = stream_arn(emulator, table)
    start = shard_of(emulator, arn)["SequenceNumberRange"]["StartingSequenceNumber"]
    latest = iterator(emulator, arn, "LATEST")
    from_start = [
        iterator(emulator, arn, kind, SequenceNumber=start) for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    ]
    put(emulator, table, item("a"), item("b"))
    emulator.advance(2)
    put(emulator, table, item("c"))
    client = emulator.client("dynamodbstreams")
    everything = records(emulator, arn)
    assert [one["dynamodb"]["Keys"]["pk"]["S"] for one in everything] == ["a", "b", "c"]
    for text in (latest, *from_start):
        assert client.get_records(ShardIterator=text)["Records"] == everything
    second = everything[1]["dynamodb"]["SequenceNumber"]
    third_at = everything[2]["dynamodb"]["ApproximateCreationDateTime"]
    assert records(emulator, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=second) == everything[1:]
    assert records(emulator, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=second) == everything[2:]
    assert records(emulator, arn, "AT_TIMESTAMP", Timestamp=third_at) == everything[2:]
    assert records(emulator, arn, "AT_TIMESTAMP", Timestamp=datetime(2020, 1, 1, tzinfo=UTC)) == everything
    assert records(emulator, arn, "LATEST") == []


def test_records_are_paged_by_number_and_by_a_megabyte(emulator: Dev) -> None:
    table = make_table(emulator)
    arn = stream_arn(emulator, table)
    client = emulator.client("dynamodbstreams")
    put(emulator, table, *[item(f"k{number}") for number in range(5)])
    page = client.get_records(ShardIterator=iterator(emulator, arn), Limit=3)
    assert len(page["Records"]) == 3
    page = client.get_records(ShardIterator=page["NextShardIterator"], Limit=3)
    assert [one["dynamodb"]["Keys"]["pk"]["S"] for one in page["Records"]] == ["k3", "k4"]
    put(emulator, table, *[item(f"big{number}", text="x" * 390_000) for number in range(4)])
    page = client.get_records(ShardIterator=page["NextShardIterator"])
    assert len(page["Records"]) == 2
    page = client.get_records(ShardIterator=page["NextShardIterator"])
    assert len(page["Records"]) == 2
    page = client.get_records(ShardIterator=page["NextShardIterator"])
    assert (page["Records"], "NextShardIterator" in page) == ([], True)


def test_records_are_kept_for_a_day_and_iterators_for_a_quarter_of_an_hour(emulator: Dev) -> None:
    table = make_table(emulator)
    arn = stream_arn(emulator, table)
    client = emulator.client("dynamodbstreams")
    put(emulator, table, item("old"), item("old too"))
    emulator.advance(DAY_SECONDS - 600)
    put(emulator, table, item("new"))
    old, _, new = records(emulator, arn)
    text = iterator(emulator, arn)
    emulator.advance(601)
    with refused("TrimmedDataAccessException"):
        client.get_records(ShardIterator=text)
    with refused("TrimmedDataAccessException"):
        iterator(emulator, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=old["dynamodb"]["SequenceNumber"])
    assert records(emulator, arn) == [new]
    text = iterator(emulator, arn)
    emulator.advance(900)
    assert client.get_records(ShardIterator=text)["Records"] == [new]
    emulator.advance(1)
    with refused("ExpiredIteratorException", "The provided iterator exceeds the maximum age allowed."):
        client.get_records(ShardIterator=text)


def test_a_stream_is_turned_off_read_for_another_day_and_turned_on_anew(emulator: Dev) -> None:
    table = make_table(emulator)
    db, client = emulator.client("dynamodb"), emulator.client("dynamodbstreams")
    first = stream_arn(emulator, table)
    put(emulator, table, item("a"))
    db.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    put(emulator, table, item("unseen"))
    description = client.describe_stream(StreamArn=first)["StreamDescription"]
    assert description["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in description["Shards"][0]["SequenceNumberRange"]
    page = client.get_records(ShardIterator=iterator(emulator, first))
    assert [one["dynamodb"]["Keys"] for one in page["Records"]] == [item("a")]
    assert "NextShardIterator" not in page
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    answer = db.update_table(TableName=table, StreamSpecification=on)["TableDescription"]
    second = stream_arn(emulator, table)
    assert (answer["LatestStreamArn"], second != first) == (second, True)
    put(emulator, table, item("b"))
    assert [one["dynamodb"]["Keys"] for one in records(emulator, second)] == [item("b")]
    listed = client.list_streams(TableName=table)["Streams"]
    assert [one["StreamArn"] for one in listed] == [first, second]
    db.delete_table(TableName=table)
    assert len(records(emulator, second)) == 1
    emulator.advance(DAY_SECONDS)
    assert client.list_streams(TableName=table)["Streams"] == []
    with refused("ResourceNotFoundException", f"Requested resource not found: Stream: {second} not found"):
        client.describe_stream(StreamArn=second)


def test_a_stream_is_listed_and_described(emulator: Dev) -> None:
    tables = [make_table(emulator) for _ in range(3)]
    make_table(emulator, None)
    client = emulator.client("dynamodbstreams")
    arns = [stream_arn(emulator, table) for table in tables]
    [listed] = client.list_streams(TableName=tables[0])["Streams"]
    label = arns[0].rpartition("/")[2]
    assert listed == {"StreamArn": arns[0], "TableName": tables[0], "StreamLabel": label}
    assert arns[0].partition(":table/")[2] == f"{tables[0]}/stream/{label}"
    page = client.list_streams(Limit=1, ExclusiveStartStreamArn=arns[0])
    assert ([one["StreamArn"] for one in page["Streams"]], page["LastEvaluatedStreamArn"]) == ([arns[1]], arns[1])
    last = client.list_streams(ExclusiveStartStreamArn=arns[1])
    assert ([one["StreamArn"] for one in last["Streams"]], "LastEvaluatedStreamArn" in last) == ([arns[2]], False)
    description = client.describe_stream(StreamArn=arns[0])["StreamDescription"]
    assert (description["StreamStatus"], description["StreamViewType"]) == ("ENABLED", "NEW_AND_OLD_IMAGES")
    assert description["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    [shard] = description["Shards"]
    assert 28 <= len(shard["ShardId"]) <= 65
    rest = client.describe_stream(StreamArn=arns[0], ExclusiveStartShardId=shard["ShardId"])
    assert rest["StreamDescription"]["Shards"] == []


def test_what_aws_refuses_is_refused(emulator: Dev) -> None:
    table = make_table(emulator)
    arn = stream_arn(emulator, table)
    client = emulator.client("dynamodbstreams")
    put(emulator, table, item("a"))
    number = records(emulator, arn)[0]["dynamodb"]["SequenceNumber"]
    missing = f"{arn.rpartition('/')[0]}/2015-05-11T21:21:33.291"
    with refused("ResourceNotFoundException", f"Stream: {missing} not found"):
        client.describe_stream(StreamArn=missing)
    with refused("ValidationException"):
        client.describe_stream(StreamArn="x" * 40)
    with refused("ResourceNotFoundException"):
        client.get_shard_iterator(StreamArn=arn, ShardId="s" * 30, ShardIteratorType="LATEST")
    for kind, place in (
        ("AT_SEQUENCE_NUMBER", {}),
        ("AFTER_SEQUENCE_NUMBER", {"SequenceNumber": "1" * 25}),
        ("AT_SEQUENCE_NUMBER", {"SequenceNumber": "not a number, by no means"}),
        ("LATEST", {"SequenceNumber": number}),
        ("SIDEWAYS", {}),
        ("AT_TIMESTAMP", {}),
        ("AT_TIMESTAMP", {"Timestamp": datetime(2200, 1, 1, tzinfo=UTC)}),
    ):
        with refused("ValidationException"):
            iterator(emulator, arn, kind, **place)
    with refused("LimitExceededException"):
        client.get_records(ShardIterator=iterator(emulator, arn), Limit=1001)
    for text in ("nonsense", f"{arn}|1|nonsense"):
        with refused("ValidationException", "Invalid ShardIterator"):
            client.get_records(ShardIterator=text)


def test_a_role_reads_the_streams_that_its_policies_allow(emulator: Dev) -> None:
    mine, other = make_table(emulator), make_table(emulator)
    arn = stream_arn(emulator, mine)
    iam = emulator.client("iam")
    name = unique("reader")
    account = "arn:aws:iam::000000000000:root"
    policy = {**trust("lambda.amazonaws.com")}
    policy["Statement"] = [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
    reads = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
    granted = json.dumps(document(allow(reads, arn)))
    iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=granted)
    issued = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = emulator.client(
        "dynamodbstreams",
        {
            "aws_access_key_id": issued["AccessKeyId"],
            "aws_secret_access_key": issued["SecretAccessKey"],
            "aws_session_token": issued["SessionToken"],
        },
    )
    shard = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    text = client.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    assert client.get_records(ShardIterator=text)["Records"] == []
    with refused("AccessDeniedException", "dynamodb:ListStreams"):
        client.list_streams()
    with refused("AccessDeniedException", "dynamodb:DescribeStream"):
        client.describe_stream(StreamArn=stream_arn(emulator, other))
    foreign = iterator(emulator, stream_arn(emulator, other))
    with refused("AccessDeniedException", "dynamodb:GetRecords"):
        client.get_records(ShardIterator=foreign)
