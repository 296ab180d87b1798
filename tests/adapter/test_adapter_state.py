"""State beyond get and set: times to live, versions, the list of groups."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from treadle.names import Names

from .fake_aws import FakeAws
from .handler_runs import errors, run, value, values_at_once
from .step_folder import StepFolder

TABLE = Names("shop", "dev").state_table()


def row(aws: FakeAws, key: str = "k", group: str = "default") -> dict[str, Any]:
    (found,) = [one for one in aws.rows(TABLE) if (one["group"]["S"], one["key"]["S"]) == (group, key)]
    return found


def expired(key: str, value: Any, group: str = "default") -> dict[str, Any]:
    """A row whose time is over and that DynamoDB has not yet deleted."""
    return {
        "group": {"S": group},
        "key": {"S": key},
        "value": {"S": value} if isinstance(value, str) else value,
        "version": {"N": "4"},
        "ttl": {"N": str(int(time.time()) - 5)},
    }


INCREMENT = '[{"type": "increment", "path": "n", "by": 1}]'

# times to live


@pytest.mark.motia("6", "values of state may have a time to live")
def test_a_value_may_be_set_for_a_time_and_then_for_good(folder: StepFolder, aws: FakeAws) -> None:
    before = time.time()
    value(folder, aws, "await c.state.set('k', {'n': 1}, ttl_seconds=90)\nreturn {'body': 1}")
    ttl = int(row(aws)["ttl"]["N"])

    assert before + 90 <= ttl <= time.time() + 91

    value(folder, aws, f"await c.state.update('k', {INCREMENT})\nreturn {{'body': 1}}")
    assert row(aws)["ttl"] == {"N": str(ttl)}

    value(folder, aws, "await c.state.set('k', 1)\nreturn {'body': 1}")
    assert "ttl" not in row(aws)


def test_a_time_to_live_is_a_positive_number_of_seconds(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("0", "ValueError", "state.set: `ttl_seconds` must be more than 0 and at most 100 years, not 0"),
        ("-1", "ValueError", "not -1"),
        ("float('nan')", "ValueError", "not nan"),
        ("float('inf')", "ValueError", "not inf"),
        ("1e300", "ValueError", "at most 100 years"),
        ("'60'", "TypeError", "`ttl_seconds` must be a number, not str"),
        ("True", "TypeError", "`ttl_seconds` must be a number, not bool"),
    ]
    found = errors(folder, aws, [f"c.state.set('k', 1, ttl_seconds={ttl})" for ttl, _, _ in cases])

    for (ttl, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (ttl, one)
    assert aws.asked == []


def test_what_has_expired_counts_as_absent_everywhere(folder: StepFolder, aws: FakeAws) -> None:
    for key in ("read", "deleted", "updated", "set", "kept"):
        aws.put(TABLE, expired(key, {"M": {"n": {"N": "7"}}}))
    body = f"""
    s = c.state
    out = [await s.get("read"), await s.get_with_version("read"), await s.get_group(), await s.list_groups()]
    out += [await s.delete("deleted"), await s.update("updated", {INCREMENT})]
    out += [await s.set("set", 1, expected_version=0), await s.get("set"), await s.get("updated")]
    try:
        await s.set("kept", 1, expected_version=4)
    except Exception as failed:
        out.append([type(failed).__name__, failed.version])
    return {{"body": out}}
    """
    found = value(folder, aws, body)

    assert found[:4] == [None, [None, 0], [], []]
    assert found[4:6] == [None, {"old_value": None, "new_value": {"n": 1}}]
    assert found[6:] == [1, 1, {"n": 1}, ["VersionConflict", 0]]
    assert "ttl" not in row(aws, "updated")


# versions


def test_every_write_counts_the_version_up(folder: StepFolder, aws: FakeAws) -> None:
    body = f"""
    s, out = c.state, [await c.state.get_with_version("k")]
    await s.set("k", {{}})
    out.append(await s.get_with_version("k"))
    await s.update("k", {INCREMENT})
    out.append(await s.get_with_version("k"))
    await s.set("k", 1, expected_version=2)
    out.append(await s.get_with_version(key="k", group="default"))
    await s.delete("k", expected_version=3)
    return {{"body": [*out, await s.get_with_version("k")]}}
    """
    assert value(folder, aws, body) == [[None, 0], [{}, 1], [{"n": 1}, 2], [1, 3], [None, 0]]


def test_a_write_of_another_version_is_refused_with_the_present_one(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("set('g', 'k', 2, expected_version=0)", "set: `k` of group `g` was to have no value and has version 2"),
        ("set('g', 'k', 2, expected_version=1)", "set: `k` of group `g` was to have version 1 and has version 2"),
        ("set('g', 'x', 2, expected_version=1)", "set: `x` of group `g` was to have version 1 and has no value"),
        ("delete('g', 'k', expected_version=3)", "delete: `k` of group `g` was to have version 3 and has version 2"),
    ]
    value(folder, aws, "for n in (0, 1):\n    await c.state.set('g', 'k', n)\nreturn {'body': 1}")
    found = errors(folder, aws, [f"c.state.{call}" for call, _ in cases])

    assert [(one["type"], one["message"]) for one in found] == [
        ("VersionConflict", f"state.{words}") for _, words in cases
    ]
    (kept,) = aws.rows(TABLE)
    assert (kept["value"], kept["version"]) == ({"N": "1"}, {"N": "2"})


def test_an_expected_version_is_a_whole_number(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("set('k', 1, expected_version='1')", "TypeError", "`expected_version` must be a whole number, not str"),
        ("set('k', 1, expected_version=True)", "TypeError", "not bool"),
        ("delete('k', expected_version=1.0)", "TypeError", "state.delete: `expected_version` must be a whole"),
        ("delete('k', expected_version=-1)", "ValueError", "must not be negative"),
    ]
    found = errors(folder, aws, [f"c.state.{call}" for call, _, _ in cases])

    for (call, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (call, one)
    assert aws.asked == []


def test_two_processes_that_expect_a_version_write_one_after_the_other(tmp_path: Path, aws: FakeAws) -> None:
    body = """
    done = lost = 0
    while done < 40:
        seen, version = await c.state.get_with_version("k")
        try:
            await c.state.set("k", (seen or 0) + 1, expected_version=version)
            done += 1
        except Exception as failed:
            assert type(failed).__name__ == "VersionConflict", failed
            lost += 1
    return {"body": lost}
    """
    values_at_once(tmp_path, aws, body)

    assert row(aws)["value"] == row(aws)["version"] == {"N": "80"}


# groups


@pytest.mark.motia("6", "groups of state are listed")
def test_groups_are_listed_once_each_in_order(folder: StepFolder, aws: FakeAws) -> None:
    aws.put(TABLE, expired("k", "gone", "old"))
    body = """
    for group, key in (("b", "1"), ("a", "1"), ("b", "2"), ("a", "2"), ("ü", "1")):
        await c.state.set(group, key, 1)
    await c.state.delete("ü", "1")
    return {"body": await c.state.list_groups()}
    """
    done = run(folder, aws, body)

    assert json.loads(done.answer.result["body"]) == ["a", "b"]
    assert done.records[0]["state"]["list_groups"] == 1
    assert all(payload["ConsistentRead"] for payload in aws.of("Scan"))
    assert len(aws.of("Scan")) > 1
