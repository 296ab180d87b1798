"""The table operations: what is made, described, changed and refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.dev import Dev
from support.dynamodb import (
    GLOBAL_INDEX,
    INDEXED_ATTRIBUTES,
    LOCAL_INDEX,
    create,
    invalid,
    key,
    number,
    put,
    refused,
    text,
)

HASH = [{"AttributeName": "pk", "KeyType": "HASH"}]
BOTH = [*HASH, {"AttributeName": "sk", "KeyType": "RANGE"}]
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
ALL = {"ProjectionType": "ALL"}


def defined(**types: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def index(name: str, *keys: str, **options: Any) -> dict[str, Any]:
    schema = [{"AttributeName": key_, "KeyType": kind} for key_, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
    return {"IndexName": name, "KeySchema": schema, "Projection": ALL, **options}


def arn_of(name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"


@pytest.fixture
def simple(db: Any) -> Iterator[str]:
    """A table with a text partition key."""
    name = create(db, {"pk": "S"})
    yield name
    db.delete_table(TableName=name)


def test_a_table_is_made_and_described_as_aws_describes_it(db: Any, emulator: Dev) -> None:
    name = f"t-{uuid.uuid4().hex}"
    made = db.create_table(
        TableName=name,
        KeySchema=BOTH,
        AttributeDefinitions=defined(**INDEXED_ATTRIBUTES),
        LocalSecondaryIndexes=[LOCAL_INDEX],
        GlobalSecondaryIndexes=[
            {**GLOBAL_INDEX, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}}
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "blue"}],
        TableClass="STANDARD_INFREQUENT_ACCESS",
    )["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    db.get_waiter("table_exists").wait(TableName=name)
    put(db, name, {**key(), "owner": text("o"), "rank": number(1), "title": text("t"), "more": text("m")})
    table = db.describe_table(TableName=name)["Table"]
    assert (table["TableStatus"], table["TableArn"]) == ("ACTIVE", arn_of(name))
    assert table["KeySchema"] == BOTH
    assert table["AttributeDefinitions"] == defined(**INDEXED_ATTRIBUTES)
    throughput = table["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (3, 4)
    assert "BillingModeSummary" not in table
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert table["LatestStreamArn"] == f"{arn_of(name)}/stream/{table['LatestStreamLabel']}"
    (across,), (local,) = table["GlobalSecondaryIndexes"], table["LocalSecondaryIndexes"]
    assert (across["IndexStatus"], across["IndexArn"]) == ("ACTIVE", f"{arn_of(name)}/index/by-owner")
    assert across["ProvisionedThroughput"]["WriteCapacityUnits"] == 2
    # pk, sk, owner, rank and title in the global index; pk, sk and rank in the local one
    assert (across["ItemCount"], across["IndexSizeBytes"]) == (1, 24)
    assert (local["ItemCount"], local["IndexSizeBytes"]) == (1, 12)
    assert (table["ItemCount"], table["TableSizeBytes"]) == (1, 29)
    assert db.list_tags_of_resource(ResourceArn=arn_of(name))["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert db.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    db.get_waiter("table_not_exists").wait(TableName=name)
    assert refused(db.describe_table, TableName=name) == (
        "ResourceNotFoundException",
        f"Requested resource not found: Table: {name} not found",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"KeySchema": HASH, "AttributeDefinitions": []}, "Invalid KeySchema: Some index key attribute have no"),
        (
            {"KeySchema": HASH, "AttributeDefinitions": defined(pk="S", other="S")},
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match "
            "number of attributes defined in AttributeDefinitions",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S", a="S", b="S"),
                "GlobalSecondaryIndexes": [index("by-a", "a")],
            },
            "One or more parameter values were invalid: Some AttributeDefinitions are not used. "
            "AttributeDefinitions: [pk, a, b], keys used: [pk, a]",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "GlobalSecondaryIndexes": [index("by-a", "a")],
            },
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            "AttributeDefinitions. Keys: [a], AttributeDefinitions: [pk]",
        ),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}], "AttributeDefinitions": defined(pk="S")},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {
                "KeySchema": [*HASH, {"AttributeName": "pk", "KeyType": "RANGE"}],
                "AttributeDefinitions": defined(pk="S"),
            },
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            {"KeySchema": HASH, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "M"}]},
            "1 validation error detected: Value 'M' at 'attributeDefinitions.1.member.attributeType' failed to satisfy "
            "constraint: Member must satisfy enum value set:",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S", a="S"),
                "LocalSecondaryIndexes": [index("by-a", "pk", "a")],
            },
            "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required "
            "when specifying a LocalSecondaryIndex",
        ),
        (
            {
                "KeySchema": BOTH,
                "AttributeDefinitions": defined(pk="S", sk="S", a="S"),
                "LocalSecondaryIndexes": [index("by-a", "a", "sk")],
            },
            "One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as "
            "table KeySchema for index: by-a. index hash key: a, table hash key: pk",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "GlobalSecondaryIndexes": [index("again", "pk"), index("again", "pk")],
            },
            "One or more parameter values were invalid: Duplicate index name: again",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "GlobalSecondaryIndexes": [index(f"by-{n}", "pk") for n in range(21)],
            },
            "One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        (
            {
                "KeySchema": BOTH,
                "AttributeDefinitions": defined(pk="S", sk="S"),
                "LocalSecondaryIndexes": [index(f"by-{n}", "pk", "sk") for n in range(6)],
            },
            "One or more parameter values were invalid: Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "GlobalSecondaryIndexes": [index("by pk", "pk")],
            },
            "1 validation error detected: Value 'by pk' at 'globalSecondaryIndexes.1.member.indexName' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "GlobalSecondaryIndexes": [index("by-pk", "pk", Projection={"ProjectionType": "INCLUDE"})],
            },
            "One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not",
        ),
        (
            {
                "KeySchema": HASH,
                "AttributeDefinitions": defined(pk="S"),
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            },
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be",
        ),
        (
            {"KeySchema": HASH, "AttributeDefinitions": defined(pk="S"), "BillingMode": "PROVISIONED"},
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be",
        ),
    ],
)
def test_a_wrong_table_is_refused_in_aws_words(db: Any, options: dict[str, Any], message: str) -> None:
    found = invalid(db.create_table, **{"TableName": "never-made", **ON_DEMAND, **options})
    assert found.startswith(message)


def test_names_have_3_to_255_letters_digits_dots_dashes_and_underscores(db: Any) -> None:
    def make(name: str) -> Any:
        return db.create_table(TableName=name, KeySchema=HASH, AttributeDefinitions=defined(pk="S"), **ON_DEMAND)

    for name in ("abc", "a._-Z9", "n" * 255):
        make(name)
        assert refused(make, name=name) == ("ResourceInUseException", f"Table already exists: {name}")
        db.delete_table(TableName=name)
    for name in ("ab", "n" * 256):
        assert "at least 3 characters long and at most 255" in invalid(make, name=name)
    assert "[a-zA-Z0-9_.-]+" in invalid(make, name="a b")


def test_as_many_indexes_as_aws_allows_are_made(db: Any) -> None:
    name = create(
        db,
        {"pk": "S", "sk": "S"},
        GlobalSecondaryIndexes=[index(f"global-{n}", "sk") for n in range(20)],
        LocalSecondaryIndexes=[index(f"local-{n}", "pk", "sk") for n in range(5)],
    )
    message = invalid(
        db.update_table, TableName=name, GlobalSecondaryIndexUpdates=[{"Create": index("one-more", "pk")}]
    )
    assert message.endswith("GlobalSecondaryIndex count exceeds the per-table limit of 20")
    db.delete_table(TableName=name)


def test_tables_are_listed_by_name_in_pages(db: Any) -> None:
    prefix = f"list-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}-{n:03d}" for n in range(5)]
    for name in reversed(names):
        db.create_table(TableName=name, KeySchema=HASH, AttributeDefinitions=defined(pk="S"), **ON_DEMAND)
    page = db.list_tables(ExclusiveStartTableName=prefix, Limit=3)
    assert (page["TableNames"], page["LastEvaluatedTableName"]) == (names[:3], names[2])
    everything = [name for page in db.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    assert [name for name in everything if name.startswith(prefix)] == names
    assert everything == sorted(everything)
    for name in names:
        db.delete_table(TableName=name)


def test_a_protected_table_is_not_deleted(db: Any) -> None:
    name = create(db, {"pk": "S"}, DeletionProtectionEnabled=True)
    message = invalid(db.delete_table, TableName=name)
    assert message == (
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    )
    db.update_table(TableName=name, DeletionProtectionEnabled=False)
    assert db.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] is False
    db.delete_table(TableName=name)


def test_an_index_is_added_with_what_is_there_and_dropped_with_its_attribute(db: Any, simple: str) -> None:
    put(db, simple, {"pk": text("a"), "owner": text("o")})
    added = db.update_table(
        TableName=simple,
        AttributeDefinitions=defined(pk="S", owner="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by-owner", "owner")}],
    )["TableDescription"]
    assert (added["TableStatus"], added["GlobalSecondaryIndexes"][0]["IndexStatus"]) == ("UPDATING", "CREATING")
    again = invalid(
        db.update_table, TableName=simple, GlobalSecondaryIndexUpdates=[{"Create": index("by-owner", "owner")}]
    )
    assert again == "Attempting to create an index which already exists"
    found = db.query(
        TableName=simple,
        IndexName="by-owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": text("o")},
    )
    assert found["Count"] == 1
    two = [{"Delete": {"IndexName": "by-owner"}}, {"Create": index("other", "pk")}]
    assert refused(db.update_table, TableName=simple, GlobalSecondaryIndexUpdates=two) == (
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )
    db.update_table(TableName=simple, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-owner"}}])
    table = db.describe_table(TableName=simple)["Table"]
    assert "GlobalSecondaryIndexes" not in table
    assert table["AttributeDefinitions"] == defined(pk="S")
    gone = refused(
        db.update_table, TableName=simple, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-owner"}}]
    )
    assert gone[0] == "ResourceNotFoundException"
    undefined = invalid(db.update_table, TableName=simple, GlobalSecondaryIndexUpdates=[{"Create": index("by-x", "x")}])
    assert undefined == "Invalid KeySchema: Some index key attribute have no definition"


def test_billing_and_throughput_change(db: Any, simple: str) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    db.update_table(TableName=simple, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    table = db.describe_table(TableName=simple)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    same = invalid(db.update_table, TableName=simple, ProvisionedThroughput=units)
    assert same.startswith("The provisioned throughput for the table will not change.")
    db.update_table(TableName=simple, ProvisionedThroughput={**units, "ReadCapacityUnits": 9})
    assert "LastIncreaseDateTime" in db.describe_table(TableName=simple)["Table"]["ProvisionedThroughput"]
    db.update_table(TableName=simple, BillingMode="PAY_PER_REQUEST")
    table = db.describe_table(TableName=simple)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert invalid(db.update_table, TableName=simple).startswith("At least one of ProvisionedThroughput, BillingMode")


def test_a_stream_is_on_once_and_each_has_a_label_of_its_own(db: Any, simple: str) -> None:
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    first = db.update_table(TableName=simple, StreamSpecification=on)["TableDescription"]["LatestStreamArn"]
    message = invalid(db.update_table, TableName=simple, StreamSpecification={**on, "StreamViewType": "NEW_IMAGE"})
    assert message == f"Table already has an enabled stream: TableName: {simple}"
    db.update_table(TableName=simple, StreamSpecification={"StreamEnabled": False})
    table = db.describe_table(TableName=simple)["Table"]
    assert "StreamSpecification" not in table
    assert table["LatestStreamArn"] == first
    second = db.update_table(TableName=simple, StreamSpecification=on)["TableDescription"]["LatestStreamArn"]
    assert first != second


def test_time_to_live_is_for_one_attribute(db: Any, simple: str) -> None:
    def set_to(attribute: str, *, enabled: bool) -> Any:
        wanted = {"AttributeName": attribute, "Enabled": enabled}
        return db.update_time_to_live(TableName=simple, TimeToLiveSpecification=wanted)

    def status() -> Any:
        return db.describe_time_to_live(TableName=simple)["TimeToLiveDescription"]

    assert status() == {"TimeToLiveStatus": "DISABLED"}
    assert invalid(set_to, attribute="end", enabled=False) == "TimeToLive is already disabled"
    set_to("end", enabled=True)
    assert status() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "end"}
    assert invalid(set_to, attribute="end", enabled=True) == "TimeToLive is already enabled"
    assert invalid(set_to, attribute="other", enabled=True) == (
        "TimeToLive is active on a different AttributeName: current AttributeName is end"
    )
    set_to("end", enabled=False)
    assert status() == {"TimeToLiveStatus": "DISABLED"}


def test_tags_are_put_and_taken_off(db: Any, simple: str) -> None:
    arn = arn_of(simple)
    db.tag_resource(ResourceArn=arn, Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])
    assert "50" in invalid(db.tag_resource, ResourceArn=arn, Tags=[{"Key": "one-more", "Value": "v"}])
    db.tag_resource(ResourceArn=arn, Tags=[{"Key": "k0", "Value": "new"}])
    db.untag_resource(ResourceArn=arn, TagKeys=[f"k{n}" for n in range(1, 50)])
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "k0", "Value": "new"}]
    nowhere = arn_of("nowhere")
    assert refused(db.list_tags_of_resource, ResourceArn=nowhere) == (
        "ResourceNotFoundException",
        f"Requested resource not found: ResourcArn: {nowhere} not found",
    )


def test_point_in_time_recovery_is_remembered(db: Any, simple: str) -> None:
    def recovery() -> Any:
        backups = db.describe_continuous_backups(TableName=simple)["ContinuousBackupsDescription"]
        return backups["PointInTimeRecoveryDescription"]

    assert recovery() == {"PointInTimeRecoveryStatus": "DISABLED"}
    wanted = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    db.update_continuous_backups(TableName=simple, PointInTimeRecoverySpecification=wanted)
    found = recovery()
    assert (found["PointInTimeRecoveryStatus"], found["RecoveryPeriodInDays"]) == ("ENABLED", 7)
    assert found["EarliestRestorableDateTime"] <= found["LatestRestorableDateTime"]
    assert refused(db.describe_continuous_backups, TableName="nowhere") == (
        "TableNotFoundException",
        "Table not found: nowhere",
    )


def test_a_resource_policy_is_kept_by_revision(db: Any, simple: str) -> None:
    arn = arn_of(simple)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert refused(db.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"
    first = db.put_resource_policy(ResourceArn=arn, Policy=policy, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    assert db.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"] == first
    assert db.get_resource_policy(ResourceArn=arn) | {"ResponseMetadata": {}} == {
        "Policy": policy,
        "RevisionId": first,
        "ResponseMetadata": {},
    }
    stale = refused(db.delete_resource_policy, ResourceArn=arn, ExpectedRevisionId="1")
    assert stale[0] == "PolicyNotFoundException"
    assert db.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=first)["RevisionId"] == first
    assert "RevisionId" not in db.delete_resource_policy(ResourceArn=arn)
    assert refused(db.put_resource_policy, ResourceArn=arn_of("nowhere"), Policy=policy)[0] == (
        "ResourceNotFoundException"
    )


def test_limits_and_endpoints_are_told(db: Any, emulator: Dev) -> None:
    limits = db.describe_limits()
    assert (limits["AccountMaxReadCapacityUnits"], limits["TableMaxWriteCapacityUnits"]) == (80_000, 40_000)
    (endpoint,) = db.describe_endpoints()["Endpoints"]
    assert emulator.endpoint == f"http://{endpoint['Address']}"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_backup", {"TableName": "things", "BackupName": "one"}),
        ("list_global_tables", {}),
        ("export_table_to_point_in_time", {"TableArn": arn_of("things"), "S3Bucket": "bucket"}),
    ],
)
def test_what_is_not_built_is_refused_by_name(db: Any, operation: str, params: Any) -> None:
    code, message = refused(getattr(db, operation), **params)
    assert code == "UnknownOperationException"
    assert "is not built in the local DynamoDB" in message


def test_replicas_are_refused_by_name(db: Any, simple: str) -> None:
    updates = [{"Create": {"RegionName": "eu-west-1"}}]
    assert "ReplicaUpdates is not built" in invalid(db.update_table, TableName=simple, ReplicaUpdates=updates)
