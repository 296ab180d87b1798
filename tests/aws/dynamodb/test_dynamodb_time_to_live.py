"""Items that end with the clock."""

from __future__ import annotations

from typing import Any

import pytest

from support.change_streams import make_table, records, stream_arn
from support.dev import Dev
from support.dynamodb import key, now_of, number, put, query, sort_keys, text


def test_expired_items_are_deleted_by_the_clock(db: Any, table: str, emulator: Dev) -> None:
    now = now_of(emulator)
    db.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    put(db, table, {**key(sk="soon"), "until": number(now + 1000)})
    put(db, table, {**key(sk="later"), "until": number(now + 5000)})
    put(db, table, {**key(sk="renewed"), "until": number(now + 1000)})
    put(db, table, {**key(sk="renewed"), "until": number(now + 5000)})
    put(db, table, {**key(sk="text"), "until": text(str(now))})
    put(db, table, {**key(sk="long ago"), "until": number(now - 6 * 365 * 24 * 3600)})
    put(db, table, key(sk="never"))
    emulator.advance(1100)
    assert sort_keys(query(db, table)) == ["later", "long ago", "never", "renewed", "text"]
    emulator.advance(5000)
    assert sort_keys(query(db, table)) == ["long ago", "never", "text"]


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set[str]()),
        ("NEW_IMAGE", set[str]()),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"OldImage"}),
    ],
)
def test_an_expiry_is_recorded_as_the_services_own_deletion(
    db: Any, emulator: Dev, view: str, images: set[str]
) -> None:
    table = make_table(emulator, view)
    db.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    gone = {**key(), "until": number(now_of(emulator) + 10), "t": text("x")}
    put(db, table, gone)
    put(db, table, key(sk="kept"))
    emulator.advance(120)
    removal = records(emulator, stream_arn(emulator, table))[-1]
    assert removal["eventName"] == "REMOVE"
    assert removal["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert removal["dynamodb"]["Keys"] == key()
    shown = {name: removal["dynamodb"][name] for name in ("OldImage", "NewImage") if name in removal["dynamodb"]}
    assert shown.keys() == images
    assert all(image == gone for image in shown.values())
    db.delete_table(TableName=table)


def test_time_to_live_turned_off_deletes_no_more_and_turned_on_what_is_there(
    db: Any, table: str, emulator: Dev
) -> None:
    def set_to(*, enabled: bool) -> None:
        wanted = {"Enabled": enabled, "AttributeName": "until"}
        db.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)

    put(db, table, {**key(), "until": number(now_of(emulator) + 10)})
    set_to(enabled=True)
    set_to(enabled=False)
    emulator.advance(120)
    assert sort_keys(query(db, table)) == ["1"]
    set_to(enabled=True)
    emulator.advance(120)
    assert sort_keys(query(db, table)) == []
