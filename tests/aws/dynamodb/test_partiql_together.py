"""PartiQL in batches, in transactions, under IAM and in a table's stream."""

# ruff: noqa: S608 # PartiQL is what is tested

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.dynamodb import create, invalid, key, number, put, refused, stored, text
from support.policies import allow, deny, document


def statements(*texts: str) -> list[dict[str, Any]]:
    return [{"Statement": said} for said in texts]


def insert(table: str, sk: str) -> str:
    return f"INSERT INTO \"{table}\" VALUE {{'pk': 'a', 'sk': '{sk}'}}"


def select(table: str, sk: str) -> str:
    return f"SELECT * FROM \"{table}\" WHERE pk = 'a' AND sk = '{sk}'"


def test_a_batch_tells_of_each_statement(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})
    failing = {
        "Statement": f"UPDATE \"{table}\" SET n = 2 WHERE pk = 'a' AND sk = '1' AND n = 9",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    texts = (insert(table, "2"), insert(table, "1"), insert("nowhere", "1"), "INSERT nonsense")
    answer = db.batch_execute_statement(Statements=[*statements(*texts), failing], ReturnConsumedCapacity="TOTAL")
    responses = answer["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == [
        None,
        "DuplicateItem",
        "ResourceNotFound",
        "ValidationError",
        "ConditionalCheckFailed",
    ]
    assert responses[0] == {"TableName": table}
    assert responses[4]["Error"]["Item"] == {**key(), "n": number(1)}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 1.0}]
    assert stored(db, table, sk="2") == key("a", "2")


def test_a_batch_reads_single_items(db: Any, table: str) -> None:
    put(db, table, key())
    texts = (select(table, "1"), select(table, "none"), f"SELECT * FROM \"{table}\" WHERE pk = 'a'")
    found, missing, several = db.batch_execute_statement(Statements=statements(*texts))["Responses"]
    assert found == {"TableName": table, "Item": key()}
    assert missing == {"TableName": table}
    assert several["Error"]["Message"].endswith("must specify the primary key in the where clause.")
    invalid(db.batch_execute_statement, Statements=statements(select(table, "1"), insert(table, "2")))
    invalid(db.batch_execute_statement, Statements=statements(*[select(table, "1")] * 26))


def test_a_transaction_names_an_item_once(db: Any, table: str) -> None:
    twice = statements(insert(table, "1"), f"DELETE FROM \"{table}\" WHERE pk = 'a' AND sk = '1'")
    said = invalid(db.execute_transaction, TransactStatements=twice)
    assert said == "Transaction request cannot include multiple operations on one item"
    assert stored(db, table) is None


def test_a_cancelled_transaction_says_why(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})
    put(db, table, key("a", "3"))
    there = f"EXISTS(SELECT * FROM \"{table}\" WHERE pk = 'a' AND sk = '1' AND n = 2)"
    with pytest.raises(db.exceptions.TransactionCanceledException) as caught:
        db.execute_transaction(TransactStatements=statements(there, insert(table, "2"), insert(table, "3")))
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed", "None", "DuplicateItem"]
    assert stored(db, table, sk="2") is None
    done = db.execute_transaction(
        TransactStatements=statements(there.replace("n = 2", "n = 1"), insert(table, "2")),
        ReturnConsumedCapacity="TOTAL",
    )
    assert done["ConsumedCapacity"][0]["WriteCapacityUnits"] == 4
    assert stored(db, table, sk="2") == key("a", "2")


def test_a_transaction_reads_at_one_moment(db: Any, table: str) -> None:
    put(db, table, key())
    read = db.execute_transaction(TransactStatements=statements(select(table, "1"), select(table, "2")))
    assert read["Responses"] == [{"Item": key()}, {}]
    several = statements(f"SELECT * FROM \"{table}\" WHERE pk = 'a'")
    assert invalid(db.execute_transaction, TransactStatements=several).startswith(
        "Validation failed in TransactStatements[0]: Select statements within ExecuteTransaction"
    )
    mixed = statements(select(table, "1"), insert(table, "2"))
    assert invalid(db.execute_transaction, TransactStatements=mixed) == (
        "Statements must be either all reads or all writes"
    )


def test_a_token_makes_a_transaction_happen_once(db: Any, table: str) -> None:
    put(db, table, {**key(), "n": number(1)})
    more = statements(f"UPDATE \"{table}\" SET n = n + 1 WHERE pk = 'a' AND sk = '1'")
    token = unique("token")[:36]
    for _ in range(2):
        db.execute_transaction(TransactStatements=more, ClientRequestToken=token)
    assert stored(db, table) == {**key(), "n": number(2)}
    other = statements(insert(table, "2"))
    code, _ = refused(db.execute_transaction, TransactStatements=other, ClientRequestToken=token)
    assert code == "IdempotentParameterMismatchException"


def restricted(emulator: Dev, *policy: Any) -> Any:
    """DynamoDB with the credentials of a new role that may do what the statements say."""
    iam, sts, role = emulator.client("iam"), emulator.client("sts"), unique("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(document(*policy)))
    issued = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return emulator.client(
        "dynamodb",
        {
            "aws_access_key_id": issued["AccessKeyId"],
            "aws_secret_access_key": issued["SecretAccessKey"],
            "aws_session_token": issued["SessionToken"],
        },
    )


def denied_action(client: Any, statement: str) -> str | None:
    """The action for want of which the statement is refused, None when it is done."""
    try:
        client.execute_statement(Statement=statement)
    except client.exceptions.ClientError as error:
        return str(error).partition("perform: ")[2].partition(" ")[0]
    return None


def test_a_role_that_may_select_is_held_to_that(emulator: Dev, db: Any, indexed: str) -> None:
    arn = db.describe_table(TableName=indexed)["Table"]["TableArn"]
    client = restricted(emulator, allow("dynamodb:PartiQLSelect", arn))
    assert denied_action(client, f'SELECT * FROM "{indexed}"') is None
    for statement, action in (
        (insert(indexed, "1"), "Insert"),
        (f"UPDATE \"{indexed}\" SET n = 1 WHERE pk = 'a' AND sk = '1'", "Update"),
        (f"DELETE FROM \"{indexed}\" WHERE pk = 'a' AND sk = '1'", "Delete"),
        (f'SELECT * FROM "{indexed}"."by-owner"', "Select"),
    ):
        assert denied_action(client, statement) == f"dynamodb:PartiQL{action}"
    both = statements(select(indexed, "1"), insert(indexed, "1"))
    for call, name in (
        (client.batch_execute_statement, "Statements"),
        (client.execute_transaction, "TransactStatements"),
    ):
        assert refusal(call, **{name: both})[0] == "AccessDeniedException"
    assert refusal(client.scan, TableName=indexed)[0] == "AccessDeniedException"


def test_a_policy_may_deny_full_scans_and_keep_to_leading_keys(emulator: Dev, db: Any, table: str) -> None:
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    no_scan = {**deny("dynamodb:PartiQLSelect", arn), "Condition": {"Bool": {"dynamodb:FullTableScan": ["true"]}}}
    client = restricted(emulator, allow("dynamodb:PartiQLSelect", arn), no_scan)
    for where, expected in (
        ("", "dynamodb:PartiQLSelect"),
        ("WHERE n = 1", "dynamodb:PartiQLSelect"),
        ("WHERE pk = 'a' OR n = 1", "dynamodb:PartiQLSelect"),
        ("WHERE pk = 'a'", None),
        ("WHERE pk = 'a' OR pk = 'b'", None),
        ("WHERE pk IN ['a', 'b'] AND n = 1", None),
    ):
        assert denied_action(client, f'SELECT * FROM "{table}" {where}') == expected
    own = {
        **allow("dynamodb:PartiQL*", arn),
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["a"]}},
    }
    owner = restricted(emulator, own)
    assert denied_action(owner, insert(table, "1")) is None
    assert denied_action(owner, f"SELECT * FROM \"{table}\" WHERE pk IN ['a', 'b']") == "dynamodb:PartiQLSelect"
    assert denied_action(owner, f"DELETE FROM \"{table}\" WHERE pk = 'b' AND sk = '1'") == "dynamodb:PartiQLDelete"


def test_statements_reach_the_stream_of_the_table(emulator: Dev, db: Any) -> None:
    viewed = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    name = create(db, {"pk": "S"}, StreamSpecification=viewed)
    for said in (
        f"INSERT INTO \"{name}\" VALUE {{'pk': 'a'}}",
        f"UPDATE \"{name}\" SET n = 1 WHERE pk = 'a'",
        f"DELETE FROM \"{name}\" WHERE pk = 'a'",
    ):
        db.execute_statement(Statement=said)
    streams = emulator.client("dynamodbstreams")
    arn = db.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert records[1]["dynamodb"]["NewImage"] == {"pk": text("a"), "n": number(1)}
