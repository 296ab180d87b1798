"""An api step: from API Gateway's event to the handler's request, and from its result to the response."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .step_folder import StepFolder, event_file, request

ECHO = """
def handler(req, context):
    body = req.body if not isinstance(req.body, bytes) else {"bytes": req.body.hex()}
    return {"body": {**req, "body": body, "rawBody": str(req.raw_body), "type": type(req.body).__name__}}
"""

EVALUATE = """
class Reply:
    def __init__(self, status, body):
        self.status = status
        self.body = body

def handler(req, context):
    return eval(req["body"][0])
"""


def echo(folder: StepFolder, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """What an echoing handler was given for each event."""
    run = folder.step(ECHO).run(*events)
    return [json.loads(answer.result["body"]) for answer in run.answers]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def respond(folder: StepFolder, expression: str, imports: str = "") -> dict[str, Any]:
    """The response to a handler that returns this expression."""
    run = folder.step(f"{imports}\n\nasync def handler(req, context):\n    return {expression}\n").run(request())
    response: dict[str, Any] = run.answer.result
    return response


@pytest.mark.motia("4", "the request is a dict of body, lower-case headers, pathParams, queryParams and rawBody")
def test_the_documented_payload_becomes_a_request(folder: StepFolder) -> None:
    folder.manifest(triggers=[{"kind": "api", "routeKey": "POST /my/{resource}"}])
    (given,) = echo(folder, event_file("http_api_request.json"))
    assert given == {
        "body": {"hello": "from Lambda"},
        "headers": {
            "header1": "value1",
            "header2": "value1,value2",
            "content-type": "application/json",
            "cookie": "cookie1; cookie2",
        },
        "pathParams": {"resource": "path"},
        "queryParams": {"parameter1": ["value1", "value2"], "parameter2": "value"},
        "rawBody": '{"hello": "from Lambda"}',
        "type": "dict",
    }


@pytest.mark.motia("4", "the request is mutable and answers attributes, in camelCase and snake_case")
def test_the_request_is_a_dict_that_answers_attributes_and_takes_new_keys(folder: StepFolder) -> None:
    folder.step("""
        def handler(req):
            assert isinstance(req, dict) and req.pathParams is req.path_params is req["pathParams"]
            assert req.query_params is req.queryParams and req.raw_body == req.rawBody == "{}"
            assert not hasattr(req, "user") and req.get("body", {}).get("text") is None
            req["user"] = "u1"
            req.token = "t"
            return {"body": [req.user, req["token"]]}
    """)
    assert json.loads(folder.run(request("{}")).answer.result["body"]) == ["u1", "t"]


@pytest.mark.motia("4", "what `*` stands for is the parameter 0")
def test_a_trailing_star_is_the_parameter_0_as_in_express(folder: StepFolder) -> None:
    folder.manifest(triggers=[{"kind": "api", "routeKey": "GET /files/{proxy+}"}])
    (given,) = echo(folder, request(routeKey="GET /files/{proxy+}", pathParameters={"proxy": "a/b.txt"}))
    assert given["pathParams"] == {"0": "a/b.txt"}


@pytest.mark.motia("4", "query strings are read as by qs")
def test_query_strings_nest_and_repeat_as_in_express(folder: StepFolder) -> None:
    cases: list[tuple[str, object]] = [
        ("", {}),
        ("a=1&a=2&b[c]=3&d=%20z", {"a": ["1", "2"], "b": {"c": "3"}, "d": " z"}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[]=1", {"a": ["1"]}),
        ("a%5B%5D=1&a%5B%5D=2", {"a": ["1", "2"]}),
        ("a[1]=b&a[0]=c", {"a": ["c", "b"]}),
        ("a[21]=b", {"a": {"21": "b"}}),
        ("a[0]=b&a[x]=c", {"a": {"0": "b", "x": "c"}}),
        ("a=b&a[c]=d", {"a": ["b", {"c": "d"}]}),
        ("a[b]=c&a[b]=d", {"a": {"b": ["c", "d"]}}),
        ("a[b][c][d][e][f][g][h]=i", {"a": {"b": {"c": {"d": {"e": {"f": {"[g][h]": "i"}}}}}}}),
        ("a+b=c+d&empty=&flag", {"a b": "c d", "empty": "", "flag": ""}),
        ("a=%zz&b=%ff", {"a": "%zz", "b": "%ff"}),
        ("a=b=c&=x&&", {"a": "b=c"}),
        ("a[b=c", {"a[b": "c"}),
        ("%E2%82%AC=%F0%9F%98%80", {"€": "😀"}),
    ]
    given = echo(folder, *(request(query=query) for query, _ in cases))
    assert [(query, seen["queryParams"]) for (query, _), seen in zip(cases, given, strict=True)] == cases


@pytest.mark.motia("4", "JSON, forms and texts are read; no body is {}")
def test_bodies_are_read_by_their_content_type(folder: StepFolder) -> None:
    cases: list[tuple[str | None, str | None, object]] = [
        ("application/json", '{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("application/json; charset=utf-8", '["é"]', ["é"]),
        ("Application/JSON", "{}", {}),
        ("application/merge-patch+json", '{"a":1}', {"a": 1}),
        ("application/json", "", {}),
        ("application/json", None, {}),
        (None, None, {}),
        ("application/json", '\ufeff{"a":1}', {"a": 1}),
        ("application/x-www-form-urlencoded", "a=1&b=2&b=3&c[d]=4", {"a": "1", "b": ["2", "3"], "c": {"d": "4"}}),
        ("text/plain", "hello", "hello"),
        ("text/plain; charset=utf-8", "{}", "{}"),
        ("application/xml", "<a/>", "<a/>"),
        (None, "loose", "loose"),
    ]
    given = echo(folder, *(request(body, content_type=content_type) for content_type, body, _ in cases))
    for (content_type, body, expected), seen in zip(cases, given, strict=True):
        assert seen["body"] == expected, (content_type, body)


def test_a_base64_body_is_decoded_and_stays_bytes_where_it_is_no_text(folder: StepFolder) -> None:
    text, form, binary, latin = echo(
        folder,
        request(encoded(b'{"a":"\xc3\xa9"}'), base64=True),
        request(encoded(b"a=1"), content_type="application/x-www-form-urlencoded", base64=True),
        request(encoded(b"\xff\x00"), content_type="application/octet-stream", base64=True),
        request(encoded(b"\xe9"), content_type="text/plain; charset=iso-8859-1", base64=True),
    )
    assert text["body"] == {"a": "é"}
    assert form["body"] == {"a": "1"}
    assert binary["body"] == {"bytes": "ff00"}
    assert latin["body"] == "é"


@pytest.mark.motia("4", "malformed JSON is a 400, here without stack and paths")
def test_a_body_that_is_not_what_it_says_never_reaches_the_handler(folder: StepFolder) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        (request("{bad json"), 400, "line 1 column 2"),
        (request('{"a": 1,\n "b": }'), 400, "line 2 column 7"),
        (request('"text"'), 400, "top level must be an object or an array"),
        (request('{"a": NaN}'), 400, "NaN is not JSON"),
        (request('{"a": [1e999]}'), 400, "the number 1e999 is too large"),
        (request("[" * 100_000), 400, "Malformed JSON"),
        (request("[" + "1" * 5000 + "]"), 400, "Malformed JSON"),
        (request("not base64!", base64=True), 400, "not valid base64"),
        (request(base64.b64encode(b'{"a":"\xff"}').decode(), base64=True), 400, "not valid utf-8"),
        (request("eA==", base64=True, content_type="text/plain; charset=klingon"), 415, "klingon"),
        (request(encoded(b"x"), base64=True, content_type="text/plain; charset=undefined"), 400, "not valid undefined"),
        (request(encoded(b"x"), base64=True, content_type="multipart/form-data"), 400, "names no boundary"),
    ]
    run = folder.step("def handler(req, context):\n    raise SystemExit('called')\n").run(*(case[0] for case in cases))
    for (_, status, words), answer, record in zip(cases, run.answers, run.records, strict=True):
        response = answer.result
        assert response["statusCode"] == record["status"] == status
        assert words in json.loads(response["body"])["error"]
        assert response["headers"]["content-type"] == "application/json; charset=utf-8"
        assert response["headers"]["x-trace-id"] == record["traceId"]


@pytest.mark.motia("5", "status, body and headers become the response")
def test_the_source_documents_shape_of_result_becomes_a_response(folder: StepFolder) -> None:
    response = respond(folder, '{"status": 201, "body": {"text": "hé", "n": None}}')
    assert response["headers"].pop("x-trace-id")[5] == "-"
    assert response["headers"].pop("traceparent").startswith("00-")
    assert response == {
        "statusCode": 201,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": '{"text":"hé","n":null}',
    }


@pytest.mark.motia("5", "status is 200 where it is left out, status_code is taken, texts go raw, lists repeat headers")
def test_results_become_responses(folder: StepFolder) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ('{"body": []}', {"statusCode": 200, "body": "[]"}),
        ('{"status_code": 202, "body": 5}', {"statusCode": 202, "body": "5"}),
        ('{"statusCode": 203, "body": None}', {"statusCode": 203, "body": "null"}),
        ('{"status": "201", "body": 1}', {"statusCode": 201, "body": "1"}),
        ("Reply(202, [1])", {"statusCode": 202, "body": "[1]"}),
        ('{"status": 204}', {"statusCode": 204, "headers": {}}),
        ('{"status": 204, "body": {"dropped": True}}', {"statusCode": 204, "headers": {}}),
        (
            '{"body": "<p>"}',
            {"statusCode": 200, "body": "<p>", "headers": {"content-type": "text/html; charset=utf-8"}},
        ),
        ('{"body": "x", "headers": {"Content-Type": "text/plain"}}', {"headers": {"content-type": "text/plain"}}),
        (
            '{"body": b"\\xff"}',
            {"body": "/w==", "isBase64Encoded": True, "headers": {"content-type": "application/octet-stream"}},
        ),
        (
            '{"status": 302, "headers": {"Location": "/x", "Set-Cookie": ["a=1", "b=2"], "v": ["a", "b"], "no": None}}',
            {"cookies": ["a=1", "b=2"], "headers": {"location": "/x", "v": "a, b"}},
        ),
    ]
    run = folder.step(EVALUATE).run(*(request(json.dumps([expression])) for expression, _ in cases))
    for (expression, expected), answer in zip(cases, run.answers, strict=True):
        response = answer.result
        del response["headers"]["x-trace-id"], response["headers"]["traceparent"]
        assert {key: response[key] for key in expected} == expected, expression
        assert response["statusCode"] != 204 or "body" not in response


@pytest.mark.motia("5", "models, dataclasses, objects, dates, Decimal, UUID and bytes in bodies")
def test_python_objects_in_a_body_become_json(folder: StepFolder) -> None:
    imports = """
import enum, uuid
from pathlib import PurePosixPath
from collections import namedtuple, OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal

class Colour(enum.Enum):
    RED = "red"

@dataclass
class Point:
    x: int
    inner: object = None

Pair = namedtuple("Pair", "left right")

class Model:
    def model_dump(self, mode):
        return {"mode": mode}

class Order:
    def __init__(self):
        self.id, self.point = "o1", Point(1)
"""
    response = respond(
        folder,
        """{"body": {
            "model": Model(), "point": Point(1, [Pair(1, Point(2))]), "pair": Pair(1, 2), "colour": Colour.RED,
            "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "day": date(2026, 1, 2),
            "whole": Decimal("10"), "part": Decimal("1.50"), "id": uuid.UUID(int=5), "set": {1}, "tuple": (1, (2,)),
            "ordered": OrderedDict(a=1), 7: "seven", None: "none", Colour.RED: "by value",
            "order": Order(), "bytes": [b"\\x00\\xff", bytearray(b"ab")], "path": PurePosixPath("/tmp/x"),
            "error": ValueError("no"),
        }}""",
        imports,
    )
    assert json.loads(response["body"]) == {
        "model": {"mode": "json"},
        "point": {"x": 1, "inner": [{"left": 1, "right": {"x": 2, "inner": None}}]},
        "pair": {"left": 1, "right": 2},
        "colour": "red",
        "at": "2026-01-02T03:04:05+00:00",
        "day": "2026-01-02",
        "whole": 10,
        "part": 1.5,
        "id": "00000000-0000-0000-0000-000000000005",
        "set": [1],
        "tuple": [1, [2]],
        "ordered": {"a": 1},
        "order": {"id": "o1", "point": {"x": 1, "inner": None}},
        "bytes": ["AP8=", "YWI="],
        "path": "/tmp/x",
        "error": "no",
        "7": "seven",
        "null": "none",
        "red": "by value",
    }


@pytest.mark.motia("5", "None, {} and what is no response are a 500")
def test_a_result_that_is_no_response_is_a_500_and_the_log_says_why(folder: StepFolder) -> None:
    cases = [
        ("None", "returned nothing"),
        ("{}", "a dict with nothing in it"),
        ("{'message': 'hi'}", "only 'message'"),
        ("['a']", "a list"),
        ("{'status': 'ok'}", "whole number"),
        ("{'status': 42}", "whole number"),
        ("{'status': True}", "whole number"),
        ("{'body': {'prices': [1.0, float('nan')]}}", "body.prices[1] is nan"),
        ("{'body': {'f': handler}}", "body.f is a function"),
        ("{'body': {'a': dict}}", "body.a is a type"),
        ("{'body': {(1, 2): 3}}", "body has the key (1, 2)"),
        ("{'body': '\\ud800'}", "surrogate"),
        ("{'headers': {'x': 'a\\r\\nb'}}", "line break"),
        ("{'headers': ['x']}", '"headers" is a list'),
        ("{'body': 'x' * 7_000_000}", "Lambda's limit is 6,291,556 bytes"),
        ("{'body': ['\"' * 3_000_000]}", "Lambda's limit is 6,291,556 bytes"),
        ("(lambda x: x.append(x) or {'body': x})([])", "contains itself"),
    ]
    run = folder.step(EVALUATE).run(*(request(json.dumps([expression])) for expression, _ in cases))
    for (expression, words), answer, line, record in zip(
        cases, run.answers, run.lines("error"), run.records, strict=True
    ):
        assert words in line["msg"], expression
        assert answer.result["statusCode"] == record["status"] == 500
        assert json.loads(answer.result["body"]) == {"error": "Internal server error"}
        assert record["result"] == "error"


@pytest.mark.motia("5", 'a raising handler is a 500 with {"error": "Internal server error"}')
def test_a_raising_handler_is_a_500_whose_stack_stands_in_the_log_only(folder: StepFolder) -> None:
    run = folder.step("""
        async def helper():
            raise KeyError("secret")

        async def handler(req, context):
            await helper()
    """).run(request())
    response = run.answer.result
    assert response["statusCode"] == 500
    assert response["body"] == '{"error": "Internal server error"}'
    (line,) = run.lines("error")
    assert line["errorType"] == "KeyError"
    assert "in helper" in line["stack"]
    assert "invocation.py" not in line["stack"]
    record = run.records[0]
    assert record["error"]["type"] == "KeyError"
    assert len(record["error"]["fingerprint"]) == 12
    assert record["traceId"] == response["headers"]["x-trace-id"] == line["traceId"]


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "import asyncio; raise asyncio.CancelledError"])
def test_a_handler_that_wants_out_is_a_500_and_not_the_end_of_the_process(folder: StepFolder, ending: str) -> None:
    run = folder.step(f"async def handler(req, context):\n    {ending}\n").run(request(), request())
    assert [answer.result["statusCode"] for answer in run.answers] == [500, 500]


def test_an_edit_elsewhere_keeps_the_fingerprint_and_another_place_changes_it(folder: StepFolder) -> None:
    sources = (
        "def handler(req):\n    raise ValueError(1)\n",
        "\n\n\ndef handler(req):\n    raise ValueError(2)\n",
        "def inner():\n    raise ValueError(1)\n\ndef handler(req):\n    inner()\n",
        "def handler(req):\n    raise TypeError(1)\n",
    )
    prints = [folder.step(source).run(request()).records[0]["error"]["fingerprint"] for source in sources]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_callers_trace_id_is_taken_over_where_it_is_one(folder: StepFolder) -> None:
    run = folder.step("def handler(req, ctx):\n    return {'body': [ctx.trace_id, ctx.traceId]}\n").run(
        request(headers={"X-Trace-Id": "abc.DEF_1-2"}), request(headers={"x-trace-id": "no spaces"})
    )
    first, second = (answer.result for answer in run.answers)
    assert json.loads(first["body"]) == ["abc.DEF_1-2"] * 2
    assert first["headers"]["x-trace-id"] == "abc.DEF_1-2"
    assert second["headers"]["x-trace-id"] == json.loads(second["body"])[0] != "no spaces"


def test_a_step_that_cannot_be_loaded_is_a_500_with_the_reason_in_the_log(folder: StepFolder) -> None:
    run = folder.step("import nowhere_to_be_found\n").run(request())
    assert run.answer.result["statusCode"] == 500
    assert {line["errorType"] for line in run.lines("error")} == {"ModuleNotFoundError"}
    assert run.records[0]["error"]["type"] == "ModuleNotFoundError"
    run = folder.step("handler = 5\n").run(request())
    assert run.records[0]["error"]["type"] == "HandlerMissing"


def test_the_record_tells_what_a_run_did(folder: StepFolder) -> None:
    run = folder.run(request())
    (record,) = run.records
    assert record.pop("durationMs") >= 0
    assert record.pop("startMs") > 1_700_000_000_000
    assert record.pop("traceId")
    assert (len(record.pop("w3cId")), len(record.pop("spanId"))) == (32, 16)
    assert record == {
        "treadle": "invocation",
        "v": 1,
        "requestId": "8f5e1a52-0000-4000-8000-000000000001",
        "parentId": None,
        "step": "Step",
        "version": "7",
        "trigger": {"kind": "api", "routeKey": "POST /things"},
        "hops": 0,
        "result": "ok",
        "status": 200,
        "emits": [],
        "state": {},
        "streams": {},
    }


def test_an_event_that_fits_no_trigger_is_an_error_that_says_so(folder: StepFolder) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (
            request(routeKey="GET /other"),
            "routeKey GET /other fits no trigger of step Step (triggers: route POST /things)",
        ),
        (request(version="1.0"), "payload format 2.0"),
        ({"Records": [{"eventSourceARN": "arn:aws:sqs:us-east-2:1:q"}]}, "records of arn:aws:sqs:us-east-2:1:q"),
        ({"detail": {}, "source": "aws.events"}, "keys detail, source"),
        ({}, "keys none"),
    ]
    for (_, words), answer in zip(cases, folder.run(*(case[0] for case in cases)).answers, strict=True):
        assert answer.error == "UnroutableEvent"
        assert words in answer.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"manifest": 2}, "`manifest` must be 1"),
        ({"triggers": [{"kind": "comet"}]}, "trigger kind `comet` is unknown"),
        ({"triggers": [{"kind": "cron"}]}, "`number` must be a number"),
        ({"telemetry": {"otlpEndpoint": "http://a"}}, "`serviceName` must be a text"),
        ({"triggers": [{"kind": "api"}]}, "`routeKey` must be a text"),
        ({"step": ""}, "`step` must be a text"),
    ],
)
def test_a_manifest_that_cannot_be_read_stops_the_process_with_its_key(
    folder: StepFolder, changes: dict[str, Any], words: str
) -> None:
    folder.manifest(**changes)
    with pytest.raises(AssertionError, match=words.replace("`", ".")):
        folder.run(request())


def test_treadle_invoke_gives_a_step_a_body_or_a_whole_request(folder: StepFolder) -> None:
    whole = {"body": {"a": 1}, "headers": {"X-A": "b"}, "pathParams": {"id": "1"}, "queryParams": {"q": "2"}}
    folder.step("def handler(req, ctx):\n    return {'status': 201, 'body': dict(req)}\n")
    run = folder.run(
        {"treadle.invoke": {"data": {"a": 1}, "traceId": "t-1"}},
        {"treadle.invoke": {"data": {"treadle.request": whole}}},
        {"treadle.invoke": {}},
        {"treadle.invoke": {"dta": 1}},
        {"treadle.invoke": {"data": {"treadle.request": {"path": "/"}}}},
    )
    plain, full, empty, wrong, wrong_request = run.answers
    assert plain.result["traceId"] == "t-1"
    assert plain.result["result"]["body"]["body"] == {"a": 1}
    assert full.result["result"]["body"] == {
        "body": {"a": 1},
        "headers": {"x-a": "b", "content-type": "application/json"},
        "pathParams": {"id": "1"},
        "queryParams": {"q": "2"},
        "rawBody": '{"a": 1}',
    }
    assert empty.result["result"]["body"]["body"] == {}
    assert wrong.error == wrong_request.error == "UnroutableEvent"
    assert run.records[0]["trigger"] == {"kind": "invoke"}


def test_treadle_invoke_raises_what_the_handler_raises(folder: StepFolder) -> None:
    run = folder.step("def handler(req):\n    raise LookupError('gone')\n").run({"treadle.invoke": {"data": None}})
    assert (run.answer.error, run.answer.message) == ("LookupError", "gone")
    assert run.records[0]["result"] == "error"


@pytest.mark.parametrize(
    "body", ['{"a": "\\ud800"}', '{"ä": "\\udfff"}', "[" * 300 + "]" * 300], ids=lambda body: body[:20]
)
def test_what_a_request_brought_can_be_given_back(folder: StepFolder, body: str) -> None:
    run = folder.step("def handler(req, context):\n    return {'body': req.body}\n").run(request(body))

    assert run.answer.result["statusCode"] == 200
    assert json.loads(run.answer.result["body"]) == json.loads(body)
