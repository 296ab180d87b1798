"""Secrets are fetched once when the process starts, ten at a time, and again where that failed."""

from __future__ import annotations

import json

from .fake_aws import FakeAws, Reply, failure
from .step_folder import StepFolder, request

STEP = """
    import os
    KEY = os.environ["KEY"]

    def handler(req):
        return {"body": [KEY, os.environ.get("OTHER")]}
"""


def found(*secrets: str, missing: tuple[str, ...] = ()) -> Reply:
    """The answer to GetParameters; each value is the name in lower case."""
    parameters = [{"Name": f"/treadle/shop/dev/{name}", "Value": name.lower()} for name in secrets]
    invalid = [f"/treadle/shop/dev/{name}" for name in missing]
    return Reply(200, json.dumps({"Parameters": parameters, "InvalidParameters": invalid}).encode())


def test_a_module_finds_the_secrets_when_it_is_loaded_and_they_are_fetched_once(
    folder: StepFolder, aws: FakeAws
) -> None:
    folder.manifest(secrets=["KEY", "OTHER"]).step(STEP)
    aws.replies["GetParameters"] = [found("KEY", "OTHER")]

    run = folder.run(request(), request(), environment=aws.environment)

    assert [json.loads(answer.result["body"]) for answer in run.answers] == [["key", "other"]] * 2
    assert aws.of("GetParameters") == [
        {"Names": ["/treadle/shop/dev/KEY", "/treadle/shop/dev/OTHER"], "WithDecryption": True}
    ]
    assert next(asked for asked in aws.asked).headers["content-type"] == "application/x-amz-json-1.1"


def test_more_than_ten_are_fetched_in_tens_and_a_throttled_call_is_repeated(folder: StepFolder, aws: FakeAws) -> None:
    names = [f"S{number:02}" for number in range(11)]
    folder.manifest(secrets=["KEY", *names]).step(STEP)
    aws.replies["GetParameters"] = [failure("ThrottlingException"), found("KEY", *names[:9]), found(*names[9:])]

    run = folder.run(request(), environment=aws.environment)

    assert run.answer.result["statusCode"] == 200
    assert [len(payload["Names"]) for payload in aws.of("GetParameters")] == [10, 10, 2]


def test_what_the_environment_has_already_is_not_fetched(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(secrets=["KEY"]).step(STEP)

    run = folder.run(request(), environment={**aws.environment, "KEY": "mine"})

    assert json.loads(run.answer.result["body"]) == ["mine", None]
    assert aws.asked == []


def test_a_secret_without_a_value_is_told_with_the_remedy(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(secrets=["KEY", "OTHER"]).step(STEP)
    aws.replies["GetParameters"] = [found("KEY", missing=("OTHER",))]

    run = folder.run(request(), environment=aws.environment)

    assert json.loads(run.answer.result["body"]) == ["key", None]
    (line,) = run.lines("error")
    assert line["msg"] == "the secret OTHER has no value on this stage: treadle secrets set OTHER --stage dev"


def test_a_start_that_was_refused_is_tried_again_by_the_next_invocation(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(secrets=["KEY"]).step(STEP)
    refused = failure("AccessDeniedException", "User: arn:x is not authorized")
    aws.replies["GetParameters"] = [refused, refused, found("KEY")]

    run = folder.run(request(), request(), environment=aws.environment)

    assert [answer.result["statusCode"] for answer in run.answers] == [500, 200]
    assert "AccessDeniedException" in run.text


def test_no_value_of_a_secret_is_in_the_log(folder: StepFolder, aws: FakeAws) -> None:
    folder.manifest(secrets=["KEY"]).step(STEP)
    aws.replies["GetParameters"] = [Reply(200, b'{"Parameters": [{"Name": "/treadle/shop/dev/KEY", "Value": "hush"}]}')]

    run = folder.run(request(), environment=aws.environment)

    assert json.loads(run.answer.result["body"])[0] == "hush"
    assert "hush" not in run.text
