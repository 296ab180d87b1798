"""Bodies and messages that do not fit the schema of their trigger: refused, told, or never looked at."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.validation import PROBLEMS_LIMIT, PayloadSchema
from treadle_infra.app.model import Json
from treadle_infra.app.schemas import checked_schema

from .fake_aws import FakeAws
from .step_folder import API, EVENT, StepFolder, batch, message, request

ORDER = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}},
        }
    },
}
RAN = "async def handler(input, context):\n    context.logger.info('ran')\n    return {'status': 201}\n"


def ran(run: Any) -> int:
    return sum(line["msg"] == "ran" for line in run.log if "msg" in line)


def api(folder: StepFolder, validation: str, schema: object = ORDER) -> StepFolder:
    return folder.step(RAN).manifest(triggers=[{**API, "schema": schema, "validation": validation}])


def event(folder: StepFolder, validation: str) -> StepFolder:
    return folder.step(RAN).manifest(triggers=[{**EVENT, "schema": ORDER, "validation": validation}])


# requests


def test_middleware_refuses_before_the_body_is_looked_at(folder: StepFolder) -> None:
    guard = (
        "async def guard(req, context, next):\n    return {'status': 401}\n\n\nconfig = {'middleware': [guard]}\n\n\n"
    )
    trigger = {**API, "schema": ORDER, "validation": "enforce", "middleware": ["middleware"]}
    run = folder.step(guard + RAN).manifest(triggers=[trigger]).run(request("{}"))

    assert (run.answer.result["statusCode"], ran(run)) == (401, 0)


def test_a_handler_of_motia_1_0_is_guarded_too(folder: StepFolder) -> None:
    trigger = {**API, "schema": ORDER, "validation": "enforce", "path": "/orders"}
    run = folder.step(RAN).manifest(triggers=[trigger], flow=True).run(request("{}"))

    assert (run.answer.result["statusCode"], ran(run)) == (400, 0)


def test_an_enforced_body_that_does_not_fit_is_a_400_with_each_place_and_the_handler_does_not_run(
    folder: StepFolder,
) -> None:
    run = api(folder, "enforce").run(request('{"items": [{"price": "1"}, {}, 3]}'))

    assert run.answer.result["statusCode"] == 400
    assert run.answer.result["headers"]["content-type"] == "application/json; charset=utf-8"
    assert json.loads(run.answer.result["body"]) == {
        "error": "Validation error",
        "details": [
            {"path": "items[0].price", "message": "must be a number"},
            {"path": "items[1].price", "message": "is required"},
            {"path": "items[2]", "message": "must be an object"},
        ],
    }
    assert ran(run) == 0
    assert run.records[0]["status"] == 400
    (line,) = run.lines("warn")
    assert line["details"][0] == {"path": "items[0].price", "message": "must be a number"}


def test_an_enforced_body_that_fits_reaches_the_handler(folder: StepFolder) -> None:
    run = api(folder, "enforce").run(request('{"items": [{"price": 1}]}'))
    assert (run.answer.result["statusCode"], ran(run), run.lines("warn")) == (201, 1, [])


def test_no_body_is_an_empty_object(folder: StepFolder) -> None:
    run = api(folder, "enforce").run(request())
    assert json.loads(run.answer.result["body"])["details"] == [{"path": "items", "message": "is required"}]


@pytest.mark.parametrize("body", ["some text", "[]"])
def test_a_body_that_is_no_object_does_not_fit_an_objects_schema(folder: StepFolder, body: str) -> None:
    content_type = "text/plain" if body == "some text" else "application/json"
    run = api(folder, "enforce").run(request(body, content_type=content_type))
    assert json.loads(run.answer.result["body"])["details"] == [{"path": "", "message": "must be an object"}]


def test_a_body_that_is_only_told_about_reaches_the_handler(folder: StepFolder) -> None:
    run = api(folder, "warn").run(request('{"items": []}'))

    assert (run.answer.result["statusCode"], ran(run)) == (201, 1)
    (line,) = run.lines("warn")
    assert line["details"] == [{"path": "items", "message": "must have at least 1 items"}]


def test_a_body_of_thousands_of_wrong_items_is_answered_with_fifty_lines(folder: StepFolder) -> None:
    run = api(folder, "enforce").run(request(json.dumps({"items": [0] * 10_000})))
    assert len(json.loads(run.answer.result["body"])["details"]) == PROBLEMS_LIMIT


def test_a_body_nested_too_deeply_for_a_schema_that_holds_itself_is_refused_and_not_a_failure(
    folder: StepFolder,
) -> None:
    schema = {"additionalProperties": {"$ref": "#"}, "type": "object"}
    run = api(folder, "enforce", schema).run(request('{"a":' * 900 + "{}" + "}" * 900))
    assert json.loads(run.answer.result["body"])["details"] == [{"path": "", "message": "is nested too deeply"}]


def test_a_step_without_a_schema_does_not_load_what_checks(folder: StepFolder) -> None:
    assert "treadle.validation" not in folder.run(request("{}")).modules


# messages


def test_an_enforced_message_that_does_not_fit_is_dead_lettered_at_once_with_the_reason(
    folder: StepFolder, aws: FakeAws
) -> None:
    run = event(folder, "enforce").run(
        batch(message('{"items": [{}]}'), message('{"items": [{"price": 2}]}', message_id="m2")),
        entry="event",
        environment=aws.environment,
    )

    assert run.answer.result == {"batchItemFailures": []}
    (sent,) = aws.of("SendMessage")
    assert sent["QueueUrl"].endswith("/shop--dev--Step--dead")
    assert sent["MessageBody"] == '{"items": [{}]}'
    attributes = {name: value["StringValue"] for name, value in sent["MessageAttributes"].items()}
    assert attributes["errorType"] == "InvalidMessage"
    assert attributes["errorMessage"] == "the message does not fit `input`: items[0].price is required"
    assert attributes["attempts"] == "1"
    assert aws.of("ChangeMessageVisibility") == []
    assert [record["result"] for record in run.records] == ["dead-letter", "ok"]
    assert ran(run) == 1


def test_a_message_that_is_only_told_about_reaches_the_handler(folder: StepFolder, aws: FakeAws) -> None:
    run = event(folder, "warn").run(batch(message("{}")), entry="event", environment=aws.environment)

    assert (run.answer.result, ran(run), aws.of("SendMessage")) == ({"batchItemFailures": []}, 1, [])
    (line,) = run.lines("warn")
    assert line["details"] == [{"path": "items", "message": "is required"}]


def test_each_topic_of_a_step_has_its_own_schema(folder: StepFolder, aws: FakeAws) -> None:
    other = {"kind": "event", "topic": "thing.sold", "schema": {"type": "string"}, "validation": "enforce"}
    folder.step(RAN).manifest(triggers=[{**EVENT, "schema": ORDER, "validation": "enforce"}, other])
    sold: dict[str, object] = {
        "traceId": "t",
        "emitId": "e",
        "step": "S",
        "flows": [],
        "hops": 1,
        "topic": "thing.sold",
    }
    run = folder.run(
        batch(message('"text"', metadata=sold), message("3", message_id="m2", metadata=sold)),
        entry="event",
        environment=aws.environment,
    )
    assert [record["result"] for record in run.records] == ["ok", "dead-letter"]


# the schema


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": ["string", "null"]}, 1, "must be a string or null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", "must be an integer or null"),
        ({"type": "integer"}, 1.5, "must be an integer"),
        ({"type": "integer"}, True, "must be an integer"),
        ({"enum": ["a", 1]}, True, 'must be one of "a", 1'),
        ({"const": "x"}, "y", 'must be "x"'),
        ({"minLength": 2}, "x", "must have at least 2 characters"),
        ({"pattern": "^a"}, "b", "must match ^a"),
        ({"minimum": 1}, 0, "must be at least 1"),
        ({"multipleOf": 0.1}, 0.35, "must be a multiple of 0.1"),
        ({"uniqueItems": True}, [1, 1.0], "has an item twice"),
        ({"not": {"type": "null"}}, None, "is what it must not be"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 1}]}, 2, "fits 2 schemas of which it may fit one"),
        ({"anyOf": [{"type": "object", "required": ["a"]}, {"type": "null"}]}, {}, "a is required"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(schema: dict[str, Any], value: object, message: str) -> None:
    (problem,) = PayloadSchema(checked_schema(schema).schema, is_enforced=True).problems(value)
    assert f"{problem['path']} {problem['message']}".strip() == message


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"unevaluatedProperties": False}, "`unevaluatedProperties`, a keyword that is not supported"),
        ({"properties": {"a": {"minLenght": 1}}},
         "`properties.a.minLenght`, a keyword that is not supported (did you mean `minLength`?)"),
        ({"type": "text"}, "`type`, which cannot be `'text'`"),
        ({"properties": {"a": {"required": True}}}, "`properties.a.required`, which cannot be `True`"),
        ({"pattern": "("}, "`pattern`, which cannot be `'('`"),
        ({"$ref": "https://example.com/a"}, "`$ref`, which points at no schema of this document: "
         "`'https://example.com/a'`"),
        ({"allOf": [{"$ref": "#"}]}, "`allOf[0].$ref`, which leads back to itself: `'#'`"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_named_and_left_out(schema: dict[str, Any], problem: str) -> None:
    checked = checked_schema(schema)
    assert checked.problems == (problem,)
    assert PayloadSchema(checked.schema, is_enforced=True).problems({"a": 1}) == []


def test_what_is_left_out_makes_nothing_else_refuse_more() -> None:
    schema: Json = {
        "properties": {"a": {"type": "integer"}},
        "not": {"maxContains": 3},
        "oneOf": [{"unknown": 1}, {"type": "object"}],
        "if": {"unknown": 1},
        "then": False,
    }
    checked = PayloadSchema(checked_schema(schema).schema, is_enforced=True)
    assert checked.problems({"a": 1}) == []
    assert checked.problems({"a": "1"}) == [{"path": "a", "message": "must be an integer"}]


NAMES = st.sampled_from(["a", "b", "ab"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
COUNTS = st.integers(0, 3)
KEYWORDS: dict[str, Any] = {
    "type": st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"]),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    "required": st.lists(NAMES, unique=True, max_size=2),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, unique=True, max_size=2), max_size=2),
    "uniqueItems": st.booleans(),
    "pattern": st.sampled_from(["a", "^b", "b$"]),
    "multipleOf": st.sampled_from([0.5, 2, 1]),
    **dict.fromkeys(("minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength"), COUNTS),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS),
}


def _with(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=2)
    one = ("additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else")
    return st.fixed_dictionaries(
        {},
        optional={
            **KEYWORDS,
            **dict.fromkeys(one, inner),
            **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), several),
            **dict.fromkeys(("properties", "patternProperties"), named),
            "$ref": st.just("#/$defs/a"),
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.fixed_dictionaries({}, optional=KEYWORDS), _with, max_leaves=5)


@settings(max_examples=600, deadline=None)
@given(SCHEMAS, SCHEMAS, VALUES)
def test_what_fits_is_what_fits_for_the_judge(schema: Any, named: Any, value: Any) -> None:
    document: Any = {"$defs": {"a": named}, "allOf": [schema]}
    checked = checked_schema(document)
    if checked.problems:  # a circle of references, which the judge follows for ever
        return
    fits = not PayloadSchema(checked.schema, is_enforced=True).problems(value)
    judge: Any = jsonschema.Draft202012Validator(document)
    assert fits == judge.is_valid(value)
