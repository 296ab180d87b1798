"""The handler's context: emit, state, streams, logger, and what happens to calls that nobody awaits."""

from __future__ import annotations

import json

import pytest

from treadle.names import Names

from .fake_aws import FakeAws, failure, xml_failure
from .handler_runs import error, errors, run, value
from .step_folder import StepFolder, request

NAMES = Names("shop", "dev")
TOPIC = "arn:aws:sns:us-east-2:123456789012:shop--dev--"


def test_the_source_documents_handler_stores_publishes_and_logs(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(emits=["message.sent"], streams=["messages"], flows=["messaging"])
    folder.step("""
        async def handler(req, context):
            text = req.get("body", {}).get("text")
            user_id = req.get("body", {}).get("userId")
            message = {"text": text, "userId": user_id, "status": "sent"}
            await context.state.set("messages", user_id, message)
            await context.streams.messages.set(user_id, message)
            context.logger.info("Message sent", {"userId": user_id})
            await context.emit({"topic": "message.sent", "data": message})
            return {"status": 201, "body": message}
    """)
    done = folder.run(request('{"text": "hi", "userId": "u1"}'), environment=aws.environment)
    assert json.loads(done.answer.result["body"]) == {"text": "hi", "userId": "u1", "status": "sent"}
    state, stream = aws.of("UpdateItem")
    stored = {"M": {"text": {"S": "hi"}, "userId": {"S": "u1"}, "status": {"S": "sent"}}}
    assert state == {
        "TableName": NAMES.state_table(),
        "Key": {"group": {"S": "messages"}, "key": {"S": "u1"}},
        "UpdateExpression": "SET #value = :value REMOVE #ttl ADD #version :one",
        "ExpressionAttributeNames": {"#value": "value", "#ttl": "ttl", "#version": "version"},
        "ExpressionAttributeValues": {":value": stored, ":one": {"N": "1"}},
        "ReturnConsumedCapacity": "TOTAL",
    }
    assert stream["TableName"] == NAMES.stream_table("messages")
    assert stream["Key"] == {"group": {"S": "default"}, "id": {"S": "u1"}}
    (published,) = aws.of("Publish")
    metadata = json.loads(published["MessageAttributes.entry.1.Value.StringValue"])
    (record,) = done.records
    (emit,) = record["emits"]
    assert published["Message"] == '{"text":"hi","userId":"u1","status":"sent"}'
    assert published["MessageAttributes.entry.1.Name"] == "treadle"
    assert metadata == {
        "traceId": record["traceId"],
        "emitId": emit["emitId"],
        "step": "Step",
        "topic": "message.sent",
        "flows": ["messaging"],
        "hops": 1,
        "traceparent": f"00-{record['w3cId']}-{record['spanId']}-01",
    }
    assert emit["bytes"] == len(published["Message"]) + len("treadleString") + len(
        json.dumps(metadata, separators=(",", ":"))
    )
    assert record["state"] == {"set": 1, "writeUnits": 1.0}
    assert record["streams"] == {"messages": {"set": 1, "writeUnits": 1.0}}
    (line,) = done.lines("info")
    assert line["msg"] == "Message sent"
    assert line["userId"] == "u1"
    assert line["step"] == "Step"
    assert line["flows"] == ["messaging"]


def test_requests_are_signed_with_the_roles_session(folder: StepFolder, aws: FakeAws) -> None:
    run(folder, aws, "await c.state.get('k')\nawait c.emit({'topic': 't', 'data': 1})")
    for asked, service in zip(aws.asked, ("dynamodb", "sns"), strict=True):
        assert asked.headers["x-amz-security-token"] == "token"
        assert (
            f"/us-east-2/{service}/aws4_request, SignedHeaders=content-type;host;x-amz-date"
            in asked.headers["authorization"]
        )


def test_one_connection_serves_a_services_calls(folder: StepFolder, aws: FakeAws) -> None:
    run(folder, aws, "for n in range(5):\n    await c.state.set('k', n)")
    assert len({asked.connection for asked in aws.asked}) == 1
    assert len(aws.asked) == 5


@pytest.mark.motia("6", "state takes a group and a key, by position or keyword")
def test_state_takes_a_group_or_not_and_keywords(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    s = c.state
    out = [await s.get("k"), await s.set("k", {"a": 1})]
    out += [await s.get("default", "k"), await s.get(key="k", group="default")]
    out += [await s.set("g", 7, [1, (2,)]), await s.get("g", "7")]
    out += [await s.set(group="g", key="8", value=None), await s.get("g", "8")]
    out += [sorted(map(str, await s.get_group("g"))), await s.getGroup("none"), len(await s.get_group())]
    out += [await s.delete("g", "7"), await s.delete("g", "7"), await s.delete("k"), await s.get("k")]
    return {"body": out}
    """
    out = value(folder, aws, body)
    assert out[:4] == [None, {"a": 1}, {"a": 1}, {"a": 1}]
    assert out[4:8] == [[1, [2]], [1, [2]], None, None]
    assert out[8:11] == [["None", "[1, [2]]"], [], 1]
    assert out[11:] == [[1, [2]], None, {"a": 1}, None]


def test_a_group_is_read_over_its_pages_and_cleared(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    for n in range(5):
        await c.state.set("g", str(n), n)
    before = await c.state.get_group("g")
    cleared = await c.state.clear("g")
    return {"body": [before, cleared, await c.state.get_group("g")]}
    """
    done = run(folder, aws, body)
    assert json.loads(done.answer.result["body"]) == [[0, 1, 2, 3, 4], None, []]
    assert done.records[0]["state"] == {
        "set": 5,
        "get_group": 2,
        "clear": 1,
        "readUnits": 3 + 3 + 1,
        "writeUnits": 5 + 5,
    }
    assert all(payload["ConsistentRead"] for payload in aws.of("Query"))


def test_what_has_expired_is_not_there(folder: StepFolder, aws: FakeAws) -> None:
    aws.items[NAMES.state_table()] = {
        json.dumps({"group": {"S": "g"}, "key": {"S": key}}): {
            "group": {"S": "g"},
            "key": {"S": key},
            "value": {"S": key},
            "ttl": {"N": str(ttl)},
        }
        for key, ttl in (("old", 1), ("new", 9_999_999_999))
    }
    body = """
    out = [await c.state.get("g", "old"), await c.state.get("g", "new"), await c.state.get_group("g")]
    return {"body": [*out, await c.state.delete("g", "old")]}
    """
    assert value(folder, aws, body) == [None, "new", ["new"], None]


@pytest.mark.motia("6", "streams by attribute or key: set, get, get_group, delete")
def test_streams_give_back_items_with_their_ids(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    m = c.streams["messages"]
    item = await m.set("room", "1", {"text": "hi"})
    again = await c.streams.messages.set(group_id="room", id="2", data={**item, "id": "9"})
    out = [item, again, await m.get("room", "1"), await m.get("1"), await m.get_group("room")]
    return {"body": [*out, await m.delete("room", "1"), await m.getGroup("room")]}
    """
    first, second, got, missing, group, deleted, rest = value(folder, aws, body, streams=["messages"])
    mark = {"type": "state-stream", "streamName": "messages", "groupId": "room", "id": "1"}
    assert first == {"text": "hi", "id": "1", "__motia": mark}
    assert second == {"text": "hi", "id": "2", "__motia": {**mark, "id": "2"}}
    assert got == deleted == {"text": "hi", "id": "1"}
    assert missing is None
    assert group == [{"text": "hi", "id": "1"}, {"text": "hi", "id": "2"}]
    assert rest == [{"text": "hi", "id": "2"}]


def test_what_cannot_be_done_is_said_by_name(folder: StepFolder, aws: FakeAws) -> None:
    cases = [
        ("c.state.set('k')", "TypeError", "state.set() takes 2 or 3 arguments (group, key, value), got 1"),
        ("c.state.get('g', 'k', 'x')", "TypeError", "state.get() takes 1 or 2"),
        ("c.state.get(id='k')", "TypeError", "no argument `id`"),
        ("c.state.get('')", "ValueError", "`key` must not be empty"),
        ("c.state.get(None, 'k')", "TypeError", "`group` must be a text, not NoneType"),
        ("c.state.get(True)", "TypeError", "`key` must be a text, not bool"),
        ("c.state.get('k' * 1025)", "ValueError", "`key` is longer than 1024 bytes"),
        ("c.state.set('k', {'a': [1, float('nan')]})", "InvalidValue", "value.a[1] is nan"),
        ("c.state.set('k', 10**39 + 1)", "InvalidValue", "a number of 40 digits"),
        ("c.state.set('k', {(1,): 2})", "InvalidValue", "value has the key (1,), which is no text"),
        ("c.state.set('k', 'x' * 410_000)", "InvalidValue", "makes an item of 410,"),
        ("c.state.set('k', c)", "InvalidValue", "is a Context"),
        ("c.state.set('k', '\\ud800')", "ValueError", "surrogate"),
        ("c.streams.messages.set('1', 'text')", "TypeError", "`data` must be a dict, not str"),
        ("c.streams.messages.get(id=[])", "TypeError", "`id` must be a text, not list"),
        ("c.streams.other", "UnknownStream", "no stream `other`; the app's streams are: messages"),
        ("c.streams['other']", "UnknownStream", "no stream `other`"),
        ("c.emit('topic')", "TypeError", "emit takes a dict"),
        ("c.emit({'data': 1})", "TypeError", "emit takes a dict"),
        ("c.emit({'topic': 't', 'data': {'a': float('inf')}})", "InvalidValue", "data.a is inf"),
        ("c.emit({'topic': 't', 'data': 'x' * 262_144})", "EmitTooLarge", "a topic takes 262,144"),
        (
            "c.emit({'topic': 't', 'messageGroupId': [5]})",
            "TypeError",
            "`messageGroupId` must be a text or a whole number",
        ),
    ]
    found = errors(folder, aws, [call for call, _, _ in cases], streams=["messages"])
    for (call, kind, words), one in zip(cases, found, strict=True):
        assert (one["type"], words in one["message"]) == (kind, True), (call, one)
    assert aws.asked == []


def test_an_unknown_stream_is_a_missing_attribute_and_a_missing_key(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    try:
        c.streams["other"]
    except KeyError:
        pass
    return {"body": [getattr(c.streams, "other", None), hasattr(c.streams, "messages")]}
    """
    assert value(folder, aws, body, streams=["messages"]) == [None, True]


@pytest.mark.motia("7", "an emit to a topic that is not declared is refused and told")
def test_an_undeclared_emit_is_refused_as_in_motia(folder: StepFolder, aws: FakeAws) -> None:
    done = run(folder, aws, "return {'body': [await c.emit({'topic': 'x', 'data': 1})]}", emits=["a", "b"])
    assert json.loads(done.answer.result["body"]) == [None]
    assert aws.asked == []
    (line,) = done.lines("error")
    assert line["msg"].startswith("[INVALID EMIT] step Step emits to `x`")
    assert "declared: a, b" in line["msg"]
    assert done.records[0]["emits"] == []


def test_an_emit_may_name_its_topic_type_as_motias_first_versions_had_it(folder: StepFolder, aws: FakeAws) -> None:
    done = run(folder, aws, "await c.emit({'type': 'a', 'data': 1}); await c.emit({'type': 'x'})", emits=["a"])
    assert [emit["topic"] for emit in done.records[0]["emits"]] == ["a"]
    assert any(line["msg"].startswith("[INVALID EMIT] step Step emits to `x`") for line in done.lines("error"))


def test_a_topic_that_is_not_there_is_named(folder: StepFolder, aws: FakeAws) -> None:
    aws.replies["Publish"] = [xml_failure("NotFound", "Topic does not exist", 404)]
    found = error(folder, aws, "await c.emit({'topic': 'order.created', 'data': 1})")
    assert found["type"] == "UnknownTopic"
    assert "`order.created` does not exist in shop on stage dev" in found["message"]


def test_a_refused_call_names_action_and_resource(folder: StepFolder, aws: FakeAws) -> None:
    aws.replies["UpdateItem"] = [failure("AccessDeniedException", "User: arn:x is not authorized")]
    aws.replies["Publish"] = [xml_failure("AuthorizationError", "not &quot;authorized&quot;", 403)]
    found = error(folder, aws, "await c.state.set('k', 1)")
    assert found["type"] == "AwsCallError"
    assert f"dynamodb:UpdateItem on table {NAMES.state_table()} failed with AccessDeniedException" in found["message"]
    assert "lacks dynamodb:UpdateItem" in found["message"]
    found = error(folder, aws, "await c.emit({'topic': 'ab', 'data': 1})")
    assert f'sns:Publish on topic {TOPIC}ab failed with AuthorizationError: not "authorized"' in found["message"]


@pytest.mark.motia("7", "messages carry any JSON and a messageGroupId")
def test_emits_carry_any_json_and_a_group(folder: StepFolder, aws: FakeAws) -> None:
    run(
        folder,
        aws,
        r"""
        await c.emit({'topic': 't', 'data': 'é&=+%\x00\uffff\U0001f600', 'messageGroupId': 'g'})
        await c.emit({'topic': 't'})
        """,
    )
    first, second = aws.of("Publish")
    assert first["Message"] == '"é&=+%\\u0000\\uffff😀"'
    assert first["MessageGroupId"] == "g"
    assert second["Message"] == "null"


@pytest.mark.motia("6", "writes that nobody awaits take effect before the invocation ends")
def test_writes_take_effect_without_await_in_the_order_of_the_program(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    data = {"n": 1}
    c.state.set("a", data)
    data["n"] = 2
    c.emit({"topic": "t", "data": data})
    data["n"] = 3
    await c.state.set("b", data)
    c.state.set("c", data)
    c.state.get("c")
    return {"status": 200}
    """
    done = run(folder, aws, body)
    order = [(asked.operation, json.dumps(asked.payload)) for asked in aws.asked]
    assert [operation for operation, _ in order] == ["UpdateItem", "Publish", "UpdateItem", "UpdateItem"]
    assert '{"N": "1"}' in order[0][1]
    assert aws.of("Publish")[0]["Message"] == '{"n":2}'
    assert [line["msg"] for line in done.lines("warn")] == [
        "emit was not awaited; it ran when the handler returned",
        "state.get was not awaited and did nothing",
    ]
    assert done.records[0]["state"] == {"set": 3, "writeUnits": 3.0}


def test_a_write_that_fails_unawaited_fails_the_run(folder: StepFolder, aws: FakeAws) -> None:
    aws.replies["UpdateItem"] = [failure("ValidationException", "no")]
    done = run(folder, aws, "c.state.set('a', 1)\nc.state.set('b', 1)\nreturn {'status': 200}")
    assert done.answer.result["statusCode"] == 500
    assert len(aws.of("UpdateItem")) == 2
    assert done.records[0]["error"]["type"] == "AwsCallError"


def test_writes_before_an_error_take_effect_awaited_or_not(folder: StepFolder, aws: FakeAws) -> None:
    assert error(folder, aws, "c.state.set('a', 1)\nraise LookupError")["type"] == "LookupError"
    assert len(aws.of("UpdateItem")) == 1


def test_an_error_is_raised_where_the_call_is_awaited(folder: StepFolder, aws: FakeAws) -> None:
    aws.replies["UpdateItem"] = [failure("ValidationException", "first")]
    body = """
    first = c.state.set("a", 1)
    await c.state.set("b", 1)
    try:
        await first
    except Exception as error:
        return {"body": [type(error).__name__, await c.state.get("b")]}
    """
    assert value(folder, aws, body) == ["AwsCallError", 1]


def test_asyncio_takes_calls_for_coroutines(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    import asyncio
    await asyncio.sleep(0.001)
    both = await asyncio.gather(c.state.set("a", 1), c.state.set("b", 2))
    task = asyncio.create_task(c.emit({"topic": "t", "data": 1}))
    done = await asyncio.wait_for(c.state.get("a"), 1)
    asyncio.create_task(c.state.set("d", 4))
    async with asyncio.timeout(1):
        await task
    return {"body": [both, done, asyncio.current_task() is not None, asyncio.get_running_loop().is_running()]}
    """
    assert value(folder, aws, body) == [[1, 2], 1, True, True]
    assert len(aws.of("UpdateItem")) == 3


ASYNCIO_BODY = """
    async def slow():
        try:
            await asyncio.sleep(10)
        finally:
            c.logger.info("stopped")
    asyncio.create_task(slow())
    await asyncio.sleep(0)
    first = await asyncio.gather(asyncio.sleep(0.001, 1), asyncio.to_thread(lambda: 2))
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    except TimeoutError:
        first.append("timeout")
    return {"body": first}
"""


@pytest.mark.parametrize(
    "source", ["import asyncio\nasync def handler(req, c):", "async def handler(req, c):\n    import asyncio"]
)
def test_a_handler_may_use_all_of_asyncio_however_it_is_imported(folder: StepFolder, aws: FakeAws, source: str) -> None:
    done = folder.step(source + ASYNCIO_BODY).run(request(), request(), environment=aws.environment)
    for answer in done.answers:
        assert json.loads(answer.result["body"]) == [1, 2, "timeout"]
    assert [line["msg"] for line in done.lines("info")] == ["stopped"] * 2
    assert [line["tasks"] for line in done.lines("warn")] == [["handler.<locals>.slow"]] * 2


FORMS = """
def handler(req):
    return {"body": 1}
---
def handler(req, context=None, more=3):
    return {"body": more}
---
class Handler:
    async def __call__(self, req, c):
        return {"body": 2}
handler = Handler()
---
def handler(req, c):
    import asyncio
    async def main():
        await asyncio.sleep(0)
        return {"body": 4}
    return asyncio.run(main())
---
async def handler(req, c):
    import asyncio
    return {"body": 5}
---
import functools
def wrap(function):
    @functools.wraps(function)
    async def inner(*given):
        return await function(*given)
    return inner
@wrap
async def handler(req, c):
    return {"body": len(c.trace_id)}
---
import functools
async def numbered(number, req, c):
    return {"body": number}
handler = functools.partial(numbered, 6)
---
class Answer:
    def __await__(self):
        return (yield from inner().__await__())
async def inner():
    return {"body": 7}
def handler(req, c):
    return Answer()
---
import types
@types.coroutine
def pause():
    yield
async def handler(req, c):
    await pause()
    return {"body": 8}
---
handler = lambda *given: {"body": len(given)}
"""


FORM_BODIES = (1, 3, 2, 4, 5, 13, 6, 7, 8, 2)


@pytest.mark.parametrize(("source", "expected"), list(zip(FORMS.split("---"), FORM_BODIES, strict=True)), ids=range(10))
def test_handlers_of_every_form_are_called(folder: StepFolder, source: str, expected: int) -> None:
    for answer in folder.step(source).run(request(), request()).answers:
        assert json.loads(answer.result["body"]) == expected


@pytest.mark.motia("6", "the logger takes a text and a dict, and has warning and exception")
def test_the_logger_writes_one_json_object_a_line_and_never_raises(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    class Broken:
        def __repr__(self):
            raise ValueError
        __str__ = __repr__
    c.logger.info("plain")
    c.logger.debug("hidden")
    c.logger.warn("w", {"level": "mine", "step": "mine", "own": 1})
    c.logger.warning("text", ["a"])
    c.logger.error("odd", {"broken": Broken(), "nan": float("nan"), "set": {1}, 5: b"x", "error": KeyError("k")})
    c.logger.info(Broken(), {"nested": {"f": handler}})
    try:
        raise LookupError("gone")
    except LookupError:
        c.logger.exception("caught", {"a": 1})
    return {"status": 200}
    """
    done = run(folder, aws, body)
    plain, warn, listed, odd, broken, caught, _ = done.log
    assert set(plain) == {"level", "time", "msg", "traceId", "step", "flows", "requestId"}
    assert warn["level"] == "warn"
    assert warn["_level"] == warn["_step"] == "mine"
    assert warn["own"] == 1
    assert listed["data"] == ["a"]
    assert odd["broken"] == {}
    assert odd["nan"] == "nan"
    assert odd["set"] == [1]
    assert odd["5"] == "eA=="
    assert odd["error"] == "KeyError('k')"
    assert broken["msg"] == "<handler.<locals>.Broken>"
    assert "function handler" in broken["nested"]
    assert (caught["errorType"], caught["a"]) == ("LookupError", 1)
    assert done.answer.result["statusCode"] == 200


@pytest.mark.motia("6", "the logger also takes what Python's logging takes, and no call of it fails a step")
def test_the_logger_takes_what_pythons_logging_takes(folder: StepFolder, aws: FakeAws) -> None:
    body = """
    c.logger.info("%s of %d", "one", 2)
    c.logger.info("100% done", "sure", {"a": 1})
    c.logger.info("%s", {"a": 1})
    c.logger.warn("fields", {"a": 1}, {"b": 2}, c=3, extra={"d": 4}, level=5, stacklevel=2)
    c.logger.info("keyword", args={"a": 1})
    c.logger.error("nothing is handled", exc_info=True)
    try:
        raise LookupError("gone")
    except LookupError as error:
        import sys
        c.logger.error("true", exc_info=True)
        c.logger.error("itself", {"a": 1}, exc_info=error)
        c.logger.error("as tuple", exc_info=sys.exc_info())
    c.logger.debug("%s", object())
    return {"status": 200}
    """
    done = run(folder, aws, body)
    formatted, percent, mapping, fields, keyword, nothing, *failures, _ = done.log
    assert formatted["msg"] == "one of 2"
    assert (percent["msg"], percent["data"], percent["a"]) == ("100% done", "sure", 1)
    assert (mapping["msg"], mapping["a"]) == ("%s", 1)
    assert {key: fields[key] for key in ("a", "b", "c", "d", "_level")} == {"a": 1, "b": 2, "c": 3, "d": 4, "_level": 5}
    assert "stacklevel" not in fields
    assert keyword["a"] == 1
    assert "stack" not in nothing
    assert [line["msg"] for line in failures] == ["true", "itself", "as tuple"]
    assert all((line["errorType"], line["errorMessage"]) == ("LookupError", "gone") for line in failures)
    assert failures[1]["a"] == 1
    assert done.answer.result["statusCode"] == 200


def test_log_level_leaves_out_what_is_below_it(folder: StepFolder) -> None:
    folder.step("""
        def handler(req, c):
            c.logger.debug("d"), c.logger.info("i"), c.logger.error("e")
            return {"status": 200}
    """)
    for level, expected in (("DEBUG", ["d", "i", "e"]), ("error", ["e"]), ("nonsense", ["i", "e"])):
        done = folder.run(request(), environment={"LOG_LEVEL": level})
        assert [line["msg"] for line in done.log if "msg" in line] == expected
