"""Filter patterns of CloudWatch Logs: what they match and what is no pattern."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_local.aws.errors import AwsError
from treadle_local.logs.patterns import parse_pattern
from treadle_local.logs.store import Event, LogGroup

MESSAGES = {
    "unauthorized": "[ERROR 401] UNAUTHORIZED REQUEST",
    "bad": "[ERROR 400] BAD REQUEST",
    "arguments": "ERROR: missing ARGUMENTS",
    "fine": "all is fine",
    "quoted": 'said "no" to it',
}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", set(MESSAGES)),
        ("ERROR", {"unauthorized", "bad", "arguments"}),
        ("error", set[str]()),
        ("ERROR REQUEST", {"unauthorized", "bad"}),
        ('"BAD REQUEST"', {"bad"}),
        ('"REQUEST BAD"', set[str]()),
        ("?ARGUMENTS ?fine", {"arguments", "fine"}),
        ("ERROR -BAD", {"unauthorized", "arguments"}),
        ('-"BAD REQUEST" -fine -quoted', {"unauthorized", "arguments", "quoted"}),
        ("ERROR ?fine", {"unauthorized", "bad", "arguments"}),
        (r'"\"no\""', {"quoted"}),
        ("%40[0-9]%", {"unauthorized", "bad"}),
        ("%^all%", {"fine"}),
        ("%^ERROR% ARGUMENTS", {"arguments"}),
    ],
)
def test_terms_match(pattern: str, names: set[str]) -> None:
    matches = parse_pattern(pattern)

    assert {name for name, text in MESSAGES.items() if matches is None or matches(text)} == names


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ('{ $.level = "error" }', {"level": "error"}, True),
        ('{ $.level = "error" }', {"level": "info"}, False),
        ('{ $.level = "error" }', {"other": "error"}, False),
        ("{ $.level = error }", {"level": "error"}, True),
        ('{ $.level != "error" }', {"level": "info"}, True),
        ('{ $.level != "error" }', {}, False),
        ('{ $.level = "err*" }', {"level": "error"}, True),
        ("{ $.source = 123.123.* }", {"source": "123.123.7.7"}, True),
        ("{ $.name = *o?* }", {"name": "no? yes"}, True),
        ("{ $.name = *o?* }", {"name": "nobody"}, False),
        ("{ $.durationMs > 10 }", {"durationMs": 10.5}, True),
        ("{ $.durationMs > 10 }", {"durationMs": 10}, False),
        ("{ $.durationMs >= 1E1 }", {"durationMs": 10}, True),
        ("{ $.durationMs < -1 }", {"durationMs": -2}, True),
        ("{ $.durationMs > 10 }", {"durationMs": "20"}, False),
        ("{ $.code = 400 }", {"code": 400.0}, True),
        ("{ $.code = 400 }", {"code": "400"}, True),
        ("{ $.code = 1 }", {"code": True}, False),
        ('{ $.level = "error" && $.durationMs > 10 }', {"level": "error", "durationMs": 11}, True),
        ('{ $.level = "error" && $.durationMs > 10 }', {"level": "error", "durationMs": 9}, False),
        ("{ $.a = 1 || $.b = 1 && $.c = 1 }", {"a": 1}, True),
        ("{ ($.a = 1 || $.b = 1) && $.c = 1 }", {"a": 1}, False),
        ("{ $.user.name = ada }", {"user": {"name": "ada"}}, True),
        ("{ $.tags[1] = b }", {"tags": ["a", "b"]}, True),
        ("{ $.tags[2] = b }", {"tags": ["a", "b"]}, False),
        ("{ $.users[*].name = b }", {"users": [{"name": "a"}, {"name": "b"}]}, True),
        ("{ $.['a b'].c = 1 }", {"a b": {"c": 1}}, True),
        ("{ $.x IS NULL }", {"x": None}, True),
        ("{ $.x IS NULL }", {}, False),
        ("{ $.x IS TRUE }", {"x": True}, True),
        ("{ $.x IS FALSE }", {"x": True}, False),
        ("{ $.x NOT EXISTS }", {}, True),
        ("{ $.x NOT EXISTS }", {"x": None}, False),
        ("{ $.x = %^a+$% }", {"x": "aaa"}, True),
        ("{ $.x = %^a+$% }", {"x": "b"}, False),
    ],
)
def test_json_patterns_match(pattern: str, value: object, expected: bool) -> None:
    matches = parse_pattern(pattern)

    assert matches is not None
    assert matches(json.dumps(value)) is expected
    assert not matches(f"not JSON: {json.dumps(value)}")


@pytest.mark.parametrize(
    "pattern",
    [
        '"open',
        "{ $.a = 1",
        "{ }",
        "{ a = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a > b }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a = 1 $.b = 2 }",
        "{ $.a IS MAYBE }",
        "{ $.a = %[% }",
        "%(a)%",
        "%[%",
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(AwsError, match=r"InvalidParameterException: Invalid filter pattern: ."):
        parse_pattern(pattern)


TEXTS = st.text(st.characters(exclude_characters='"\\*%', codec="utf-8"), min_size=1)


@given(text=TEXTS, other=TEXTS)
def test_a_text_matches_itself_however_json_writes_it(text: str, other: str) -> None:
    matches = parse_pattern(f'{{ $.field = "{text}" }}')

    assert matches is not None
    for ascii_only in (True, False):
        assert matches(json.dumps({"field": text}, ensure_ascii=ascii_only))
        assert matches(json.dumps({"field": other}, ensure_ascii=ascii_only)) is (other == text)


@given(times=st.lists(st.integers(0, 50), max_size=60), limit=st.integers(1, 20))
def test_a_group_holds_the_newest_events_in_order_within_its_bound(times: list[int], limit: int) -> None:
    size = 10
    group = LogGroup("g", limit_bytes=limit * (size + 250))
    streams = [group.add_stream(name, 0) for name in "ab"]
    for number, time in enumerate(times):
        stream = streams[number % 2]
        group.add(stream, Event(time, number, 0, stream.name, "x" * size, 0))

    kept: list[tuple[int, int]] = []
    for number, time in enumerate(times):
        kept = sorted([*kept, (time, number)])[-limit:]
    assert [event.key for event in group.events.after((-1, -1), 1000)] == kept
    of_streams = [event.key for stream in streams for event in stream.events.after((-1, -1), 1000)]
    assert sorted(of_streams) == kept
    assert group.stored_bytes == len(kept) * (size + 26)
