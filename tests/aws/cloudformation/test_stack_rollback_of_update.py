"""Every resource of a rich template fails in turn while a stack is updated: afterwards all is as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle

import pytest

from support.aws import unique
from support.dev import Dev
from support.failing import client, failing
from support.snapshots import changes, snapshot
from support.stacks import create, delete, id_of, physical_ids, reasons, update
from support.templates import SOURCE, Json, everything, template

# Properties whose change is made in place; a logical id that is missing changes by its reference to another.
IN_PLACE: dict[str, Json] = {
    "Alarm": {"Threshold": 2},
    "Alias": {"Description": "changed"},
    "Bucket": {"VersioningConfiguration": {"Status": "Suspended"}},
    "DeadLetters": {"MessageRetentionPeriod": 600},
    "Function": {"MemorySize": 512, "Code": {"ZipFile": SOURCE + "# changed\n"}},
    "InvokeConfig": {"MaximumRetryAttempts": 2},
    "Logs": {"RetentionInDays": 30},
    "Mapping": {"BatchSize": 5},
    "Parameter": {"Value": "changed"},
    "Queue": {"VisibilityTimeout": 90, "DelaySeconds": 3},
    "Role": {"MaxSessionDuration": 7200},
    "Rule": {"ScheduleExpression": "rate(2 days)"},
    "Schedule": {"ScheduleExpression": "rate(2 days)"},
    "Subscription": {"RawMessageDelivery": False},
    "Table": {"TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": False}},
    "Topic": {"DisplayName": "changed"},
}
# Properties whose change needs a new resource; `*` stands for a name of the test's own.
REPLACED: dict[str, Json] = {
    "Alarm": {"AlarmName": "*"},
    "DeadLetters": {"QueueName": "*"},
    "Group": {"Name": "*"},
    "Parameter": {"Name": "*"},
    "Queue": {"QueueName": "*"},
    "Role": {"RoleName": "*"},
    "Rule": {"Name": "*"},
    "Table": {"TableName": "*"},
    "Topic": {"TopicName": "*"},
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A stack of everything, to be updated in vain, and all that is there as long as that is in vain."""

    name: str
    before: Mapping[str, str]
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def standing(emulator: Dev) -> Iterator[Standing]:
    cloudformation, name = client(emulator), unique("standing")
    assert create(cloudformation, name, template(everything())) == "CREATE_COMPLETE", reasons(cloudformation, name)
    yield Standing(name, snapshot(emulator), physical_ids(cloudformation, name))
    delete(cloudformation, name)


def changed(properties: Mapping[str, Json]) -> dict[str, Json]:
    resources, name = deepcopy(everything()), unique("new")
    for logical_id, new in properties.items():
        named = {key: f"{name}-{logical_id.lower()}" if value == "*" else value for key, value in new.items()}
        resources[logical_id].setdefault("Properties", {}).update(named)
    return resources


@pytest.mark.parametrize(("victim", "properties"), list(zip(everything(), cycle([IN_PLACE, REPLACED]), strict=False)))
def test_an_update_that_fails_leaves_all_as_it_was(
    emulator: Dev, standing: Standing, victim: str, properties: Mapping[str, Json]
) -> None:
    cloudformation = client(emulator)
    resources = changed(properties)
    assert update(cloudformation, standing.name, failing(resources, victim)) == "UPDATE_ROLLBACK_COMPLETE"
    assert changes(standing.before, snapshot(emulator)) == {}
    assert physical_ids(cloudformation, standing.name) == standing.ids


def test_without_a_failure_these_changes_are_made(emulator: Dev, standing: Standing) -> None:
    cloudformation, name = client(emulator), standing.name
    for properties in (IN_PLACE, REPLACED):
        status = update(cloudformation, name, template(changed(properties)))
        assert status == "UPDATE_COMPLETE", reasons(cloudformation, id_of(cloudformation, name))
    assert changes(standing.before, snapshot(emulator)) != {}
