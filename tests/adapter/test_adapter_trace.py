"""One trace through everything: requests, messages, retries, dead letters, stream rows and firings."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.trace import Trace, new_trace, trace_of, trace_of_event, trace_of_headers, trace_of_text

from .fake_aws import FakeAws
from .step_folder import EVENT, Run, StepFolder, batch, message, request

W3C_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{W3C_ID}-{SPAN_ID}-01"
MOTIAS_FORM = r"[A-HJKMNP-Z1-9]{5}-\d{7}"
EMIT = "async def handler(req, context):\n    await context.emit({'topic': 'thing.made'})\n    return {'body': 1}\n"

hex_digits = st.text("0123456789abcdef", min_size=32, max_size=32)
fields = st.tuples(
    st.sampled_from(["00", "01", "cc", "fe", "ff", "0", "0A", "000"]),
    hex_digits
    | st.sampled_from(["0" * 32, "4BF92F3577B34DA6A3CE929D0E0E4736", "4bf9", "4bf92f3577b34da6a3ce929d0e0e473g"]),
    hex_digits.map(lambda digits: digits[:16]) | st.sampled_from(["0" * 16, "00f067aa0ba902b", "+0f067aa0ba902b7"]),
    st.sampled_from(["00", "01", "02", "03", "ff", "1", "0x", "001", " 1"]),
    st.sampled_from(["", "-", "-what-the-future-will-be", ".x", " "]),
)


def expected(text: str) -> tuple[str, str, bool] | None:
    """What the W3C's recommendation says of a `traceparent`, written down a second time."""
    known = re.fullmatch(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", text, re.DOTALL)
    if known is None or (known[1] == "00" and known[5] is not None):
        return None
    if known[2] == "0" * 32 or known[3] == "0" * 16:
        return None
    return known[2], known[3], bool(int(known[4], 16) % 2)


@given(fields.map(lambda parts: "-".join(parts[:4]) + parts[4]) | st.text() | st.text("0123456789abcdef-", max_size=60))
def test_a_traceparent_is_read_as_the_recommendation_says(text: str) -> None:
    found, wanted = trace_of(None, text), expected(text)
    if wanted is None:
        assert found.parent_id is None
    else:
        assert (found.w3c_id, found.parent_id, found.sampled) == wanted


@given(
    hex_digits.filter(lambda digits: digits.strip("0") != ""), st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
)
def test_who_has_one_of_the_two_ids_always_gets_the_same_other(w3c_id: str, trace_id: str) -> None:
    by_parent = [trace_of(None, f"00-{w3c_id}-{SPAN_ID}-00") for _ in range(2)]
    assert by_parent[0].trace_id == by_parent[1].trace_id
    assert re.fullmatch(MOTIAS_FORM, by_parent[0].trace_id)
    by_name = [trace_of(trace_id, None) for _ in range(2)]
    assert by_name[0].w3c_id == by_name[1].w3c_id
    assert (by_name[0].parent_id, by_name[0].trace_id) == (None, trace_id)
    assert len({trace.span_id for trace in by_parent + by_name}) == 4


@given(st.text(max_size=70) | st.from_regex(r"[A-Za-z0-9._ \n-]{0,66}", fullmatch=True))
def test_a_callers_name_for_a_trace_is_taken_where_it_is_short_and_plain(name: str) -> None:
    taken_over = re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) is not None
    assert (trace_of(name, None).trace_id == name) is taken_over


def test_the_text_of_a_row_leads_to_a_child_of_the_run_that_wrote_it() -> None:
    for trace in (new_trace(), trace_of_headers({"traceparent": TRACEPARENT[:-1] + "0", "x-trace-id": "mine"})):
        child = trace_of_text(trace.text())
        assert (child.trace_id, child.w3c_id, child.parent_id) == (trace.trace_id, trace.w3c_id, trace.span_id)
        assert child.sampled == trace.sampled
        assert child.span_id != trace.span_id
    assert trace_of_headers({"traceparent": TRACEPARENT}).traceparent.startswith(f"00-{W3C_ID}-")


@pytest.mark.parametrize("text", [None, 5, "", "no trace", "a\nb", f" {TRACEPARENT}x"])
def test_a_text_that_cannot_be_read_begins_a_new_trace(text: object) -> None:
    assert_new(trace_of_text(text))


def assert_new(trace: Trace) -> None:
    assert re.fullmatch(MOTIAS_FORM, trace.trace_id)
    assert (trace.parent_id, len(trace.w3c_id), len(trace.span_id)) == (None, 32, 16)


def test_traces_that_begin_here_are_all_different() -> None:
    traces = [new_trace() for _ in range(1000)]
    assert len({trace.w3c_id for trace in traces}) == len({trace.span_id for trace in traces}) == 1000
    assert len({trace.trace_id for trace in traces}) > 990
    assert_new(traces[0])


@given(st.uuids().map(str) | st.text(min_size=1, max_size=40))
def test_an_event_has_one_trace_however_often_it_is_delivered(event_id: str) -> None:
    first, second = trace_of_event(event_id), trace_of_event(event_id)
    assert (first.trace_id, first.w3c_id, first.parent_id) == (second.trace_id, second.w3c_id, None)
    assert first.span_id != second.span_id
    assert re.fullmatch(MOTIAS_FORM, first.trace_id)


def test_a_request_with_a_traceparent_is_its_callers_child(folder: StepFolder) -> None:
    folder.step("def handler(req, ctx):\n    return {'body': [ctx.trace_id, ctx.traceparent]}\n")
    both = {"Traceparent": TRACEPARENT, "X-Trace-Id": "mine"}
    run = folder.run(request(headers={"traceparent": TRACEPARENT}), request(headers=both))
    for record, answer in zip(run.records, run.answers, strict=True):
        own = f"00-{W3C_ID}-{record['spanId']}-01"
        assert (record["w3cId"], record["parentId"]) == (W3C_ID, SPAN_ID)
        assert answer.result["headers"]["traceparent"] == own
        assert answer.result["headers"]["x-trace-id"] == record["traceId"]
        assert json.loads(answer.result["body"]) == [record["traceId"], own]
    assert run.records[1]["traceId"] == "mine"
    assert re.fullmatch(MOTIAS_FORM, run.records[0]["traceId"])


@pytest.mark.parametrize(
    "value",
    ["", "00-xyz-00-01", TRACEPARENT.upper(), TRACEPARENT + ",", f"{TRACEPARENT},{TRACEPARENT}", TRACEPARENT + "-x"],
)
def test_a_request_with_an_invalid_traceparent_begins_a_trace(folder: StepFolder, value: str) -> None:
    record = folder.run(request(headers={"traceparent": value})).records[0]
    assert (record["parentId"], record["w3cId"] != W3C_ID) == (None, True)


def test_every_answer_to_a_request_names_its_trace(folder: StepFolder) -> None:
    folder.step("def handler(req):\n    return eval(req.body[0])\n")
    run = folder.run(
        request('["{}"]'), request('["1/0"]'), request("{bad"), request("[\"{'status': 204}\"]"), request("[\"'x'\"]")
    )
    assert [answer.result["statusCode"] for answer in run.answers] == [500, 500, 400, 204, 500]
    for answer, record in zip(run.answers, run.records, strict=True):
        headers = answer.result["headers"]
        assert headers["x-trace-id"] == record["traceId"]
        assert headers["traceparent"] == f"00-{record['w3cId']}-{record['spanId']}-01"


def emitted(aws: FakeAws) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads(aws.of("Publish")[-1]["MessageAttributes.entry.1.Value.StringValue"])
    return metadata


def test_what_follows_from_an_emit_is_the_emitters_child(folder: StepFolder, aws: FakeAws) -> None:
    maker = folder.step(EMIT).run(request(headers={"traceparent": TRACEPARENT}), environment=aws.environment).records[0]
    metadata = emitted(aws)
    taker = taken(folder, aws, batch(message(metadata=metadata))).records[0]
    assert metadata["traceparent"] == f"00-{W3C_ID}-{maker['spanId']}-01"
    assert (taker["traceId"], taker["w3cId"]) == (maker["traceId"], W3C_ID)
    assert (taker["parentId"], taker["trigger"]["emitId"]) == (maker["spanId"], maker["emits"][0]["emitId"])
    assert taker["spanId"] != maker["spanId"]
    assert 0 <= maker["emits"][0]["atMs"] <= maker["durationMs"]
    assert len(aws.of("Publish")[-1]["MessageAttributes.entry.1.Value.StringValue"]) < 1024


def taken(folder: StepFolder, aws: FakeAws, event: dict[str, Any]) -> Run:
    return folder.manifest(triggers=[EVENT]).run(event, entry="event", environment=aws.environment)


def test_the_messages_of_a_batch_have_each_their_own_trace_and_span(folder: StepFolder, aws: FakeAws) -> None:
    metadata = [{"traceId": f"t-{n}", "traceparent": f"00-{n:032x}-{SPAN_ID}-01"} for n in (1, 2)]
    records = [message(message_id=f"m{n}", metadata=given) for n, given in enumerate(metadata)]
    run = taken(folder, aws, batch(*records))
    assert [(record["traceId"], record["w3cId"]) for record in run.records] == [
        ("t-1", f"{1:032x}"),
        ("t-2", f"{2:032x}"),
    ]
    assert len({record["spanId"] for record in run.records}) == 2


@pytest.mark.motia("7", "a retry keeps its trace id")
def test_every_attempt_at_a_message_is_in_the_same_trace(folder: StepFolder, aws: FakeAws) -> None:
    folder.step("def handler(data):\n    raise ValueError\n")
    message_id = "059f36b4-87a3-44ab-83d2-661975830a7d"
    for metadata in (None, {"step": "Older"}, {"traceId": "t-1"}, {"traceId": "t-1", "traceparent": TRACEPARENT}):
        attempts = [message(message_id=message_id, attempt=number, metadata=metadata) for number in (1, 4)]
        run = taken(folder, aws, batch(*attempts))
        first, last = run.records
        assert (first["traceId"], first["w3cId"]) == (last["traceId"], last["w3cId"])
        assert (first["result"], last["result"]) == ("retry", "dead-letter")
        assert first["parentId"] == last["parentId"] == (SPAN_ID if metadata and "traceparent" in metadata else None)
        dead = aws.of("SendMessage")[-1]["MessageAttributes"]
        assert dead["traceId"]["StringValue"] == first["traceId"]
        assert dead.get("treadle") == (metadata and {"DataType": "String", "StringValue": json.dumps(metadata)})


def test_a_row_of_a_stream_carries_the_trace_of_the_run_that_wrote_it(folder: StepFolder, aws: FakeAws) -> None:
    folder.step(
        "async def handler(req, c):\n    await c.streams.things.set('g', 'i', {'a': 1})\n    return {'body': 1}\n"
    )
    run = folder.manifest(streams=["things"]).run(request(headers={"x-trace-id": "mine"}), environment=aws.environment)
    record = run.records[0]
    row = json.dumps(aws.of("UpdateItem")[0]["ExpressionAttributeValues"])
    assert f"mine 00-{record['w3cId']}-{record['spanId']}-01" in row


def test_treadle_invoke_stays_in_the_trace_that_it_is_given(folder: StepFolder) -> None:
    run = folder.step("def handler(req):\n    return 1\n").run(
        {"treadle.invoke": {"traceId": "t-1"}}, {"treadle.invoke": {"traceId": "t-1"}}, {"treadle.invoke": {}}
    )
    first, second, other = run.records
    assert (first["traceId"], first["w3cId"]) == (second["traceId"], second["w3cId"])
    assert other["w3cId"] != first["w3cId"]
    assert [answer.result["traceId"] for answer in run.answers] == [record["traceId"] for record in run.records]


def test_a_caller_that_does_not_sample_is_followed_all_the_same(folder: StepFolder, aws: FakeAws) -> None:
    unsampled = TRACEPARENT[:-1] + "0"
    run = folder.step(EMIT).run(request(headers={"traceparent": unsampled}), environment=aws.environment)
    assert run.records[0]["w3cId"] == W3C_ID
    assert run.answer.result["headers"]["traceparent"].endswith("-00")
    assert emitted(aws)["traceparent"].endswith("-00")
