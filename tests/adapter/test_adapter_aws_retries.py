"""Which calls are sent again, when and how often: decided as botocore decides in its standard mode."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import botocore.retries.standard
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from botocore.retries import quota
from hypothesis import given
from hypothesis import strategies as st

from treadle.aws.client import AwsClient
from treadle.aws.errors import is_retryable, is_throttled
from treadle.aws.retries import RetryQuota, max_attempts, pause_seconds
from treadle.errors import AwsCallError

from .fake_aws import FakeAws, Reply, failure

standard: Any = botocore.retries.standard
"""Its stubs are older than its decisions, most of which are its own business."""
CALLS = [
    ("dynamodb", "PutItem"),
    ("dynamodb", "UpdateItem"),
    ("dynamodb", "GetItem"),
    ("dynamodb", "Query"),
    ("sns", "Publish"),
    ("sqs", "SendMessage"),
    ("sqs", "ChangeMessageVisibility"),
    ("ssm", "GetParametersByPath"),
    ("apigatewaymanagementapi", "PostToConnection"),
]
CODES = sorted(
    {
        *standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
        *standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES,
        *("ConditionalCheckFailedException", "ResourceNotFoundException", "ValidationException", "InternalFailure"),
        *("ReplicatedWriteConflictException", "AccessDenied", "GoneException", "HTTP 400", "HTTP 429", "HTTP 503"),
    }
)
STATUSES = [400, 403, 404, 409, 410, 413, 429, 500, 501, 502, 503, 504, 505]


class Theirs:
    """botocore's decisions on an error."""

    def __init__(self, service: str, operation: str) -> None:
        model = botocore.session.get_session().get_service_model(service)
        self.operation: OperationModel = model.operation_model(operation)
        self.service = model.service_id.hyphenize()
        self.detector = standard.ThrottlingErrorDetector(standard.RetryEventAdapter())
        self.models = standard.ModeledRetryErrorDetector()

    def context(self, code: str, status: int, attempt: int = 1, retry_after: str = "") -> Any:
        headers = {"x-amz-retry-after": retry_after} if retry_after else {}
        return standard.RetryContext(
            attempt_number=attempt,
            operation_model=self.operation,
            parsed_response={"Error": {"Code": code}},
            http_response=AWSResponse("https://a", status, HTTPHeaders.from_dict(headers), None),
            request_context={},
        )

    def retries(self, code: str, status: int) -> bool:
        return bool(standard.StandardRetryConditions(9).is_retryable(self.context(code, status)))

    def throttled(self, code: str, status: int) -> bool:
        return bool(self.detector.is_throttling_error_from_context(self.context(code, status)))

    def pause(self, code: str, status: int, attempt: int, fraction: float, retry_after: str) -> float:
        backoff = standard.ExponentialBackoff(
            random=lambda: fraction, service_name=self.service, throttling_detector=self.detector
        )
        return float(backoff.delay_amount(self.context(code, status, attempt, retry_after)))


THEIRS = {call: Theirs(*call) for call in CALLS}


def error(service: str, operation: str, code: str, status: int | None) -> AwsCallError:
    return AwsCallError(code, "no", service, operation, status=status)


@pytest.mark.parametrize("call", CALLS)
def test_what_is_tried_again_is_what_botocore_tries_again(call: tuple[str, str]) -> None:
    theirs = THEIRS[call]
    for code in CODES:
        for status in STATUSES:
            modeled = theirs.models.is_modeled_error(theirs.context(code, status))
            if modeled and status == 429:
                continue  # no service does that, and botocore asks its models then, which we do not have
            if code == "ReplicatedWriteConflictException" and not modeled:
                continue  # of DynamoDB's writes only
            ours = error(*call, code, status)
            assert is_retryable(ours) == theirs.retries(code, status), (code, status)
            if is_retryable(ours):
                assert is_throttled(ours) == theirs.throttled(code, status), (code, status)


@given(
    call=st.sampled_from(CALLS),
    code=st.sampled_from(["SlowDown", "InternalFailure", "HTTP 503", "RequestTimeout"]),
    status=st.sampled_from([400, 429, 500, 503]),
    attempt=st.integers(1, 12),
    fraction=st.floats(0, 1, exclude_max=True),
    retry_after=st.sampled_from(["", "0", "150", "4000", "900000", "-5", "soon", "1.5"]),
)
def test_pauses_are_botocores(
    call: tuple[str, str], code: str, status: int, attempt: int, fraction: float, retry_after: str
) -> None:
    ours = pause_seconds(error(*call, code, status), attempt, fraction, retry_after)
    assert ours == pytest.approx(THEIRS[call].pause(code, status, attempt, fraction, retry_after))


@given(st.lists(st.tuples(st.sampled_from(["SlowDown", "InternalFailure"]), st.booleans()), max_size=150))
def test_the_quota_is_botocores(happened: list[tuple[str, bool]]) -> None:
    """A walk of calls that fail once and then go through or, where the quota lets them, fail for good."""
    theirs = standard.RetryQuotaChecker(quota.RetryQuota(), THEIRS["sqs", "SendMessage"].detector)
    ours = RetryQuota()
    for code, recovers in happened:
        context = THEIRS["sqs", "SendMessage"].context(code, 400)
        taken = ours.take(error("sqs", "SendMessage", code, 400))
        assert bool(taken) == theirs.acquire_retry_quota(context)
        if taken and recovers:
            ours.give_back(taken)
            theirs.release_retry_quota(context.request_context, AWSResponse("https://a", 200, HTTPHeaders(), None))


def test_attempts_are_botocores() -> None:
    for service in ("dynamodb", "sns", "sqs", "ssm"):
        assert max_attempts(service) == standard._SERVICE_MAX_ATTEMPTS.get(service, standard.DEFAULT_MAX_ATTEMPTS)


@pytest.fixture
def client(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsClient]:
    for name, value in {**aws.environment, "AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    made = AwsClient("us-east-1", "aws", lambda: 30.0)
    yield made
    made.close()


def call(client: AwsClient, service: str = "sqs") -> dict[str, object]:
    return client.json_call(service, "Op", "Target", "thing t", {})


def test_dynamodb_is_tried_four_times_and_others_three(aws: FakeAws, client: AwsClient) -> None:
    for service, attempts in (("dynamodb", 4), ("sqs", 3)):
        aws.clear()
        aws.replies["Op"] = [failure("InternalFailure", status=500)] * attempts + [Reply()]
        with pytest.raises(AwsCallError, match="InternalFailure"):
            call(client, service)
        assert len(aws.asked) == attempts
        aws.replies["Op"] = []


def test_calls_that_keep_failing_use_the_quota_up_and_successes_refill_it(aws: FakeAws, client: AwsClient) -> None:
    asked: list[int] = []
    for _ in range(20):
        aws.asked = []
        aws.replies["Op"] = [failure("InternalFailure", status=500)] * 3
        with pytest.raises(AwsCallError):
            call(client)
        asked.append(len(aws.asked))
    assert asked == [3] * 17 + [2, 1, 1]  # 35 retries of 14 out of 500
    aws.replies["Op"] = []
    for _ in range(4):  # 10 are left
        call(client)
    aws.asked, aws.replies["Op"] = [], [failure("InternalFailure", status=500)]
    call(client)
    assert len(aws.asked) == 2


def test_services_have_quotas_of_their_own(aws: FakeAws, client: AwsClient) -> None:
    for _ in range(20):
        aws.replies["Op"] = [failure("InternalFailure", status=500)] * 3
        with pytest.raises(AwsCallError):
            call(client)
    aws.replies["Op"] = [failure("InternalFailure", status=500)]
    assert call(client, "dynamodb") == {}


def test_aws_says_how_long_to_wait(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [failure("InternalFailure", status=503, headers={"x-amz-retry-after": "300"})]
    started = time.monotonic()
    call(client)
    assert time.monotonic() - started >= 0.3


def test_a_pause_that_the_invocation_has_no_time_for_is_not_made(aws: FakeAws, client: AwsClient) -> None:
    hurried = AwsClient("us-east-1", "aws", lambda: 1.0)
    aws.replies["Op"] = [failure("InternalFailure", status=503, headers={"x-amz-retry-after": "4000"})]
    started = time.monotonic()
    with pytest.raises(AwsCallError, match="InternalFailure"):
        call(hurried)
    assert (len(aws.asked), time.monotonic() - started < 0.5) == (1, True)
    hurried.close()


def test_an_answer_without_its_checksum_is_asked_for_again(aws: FakeAws, client: AwsClient) -> None:
    body = json.dumps({"Item": {"a": {"S": "ü"}}}).encode()
    right, wrong = ({"x-amz-crc32": str(zlib.crc32(body) + change)} for change in (0, 1))
    aws.replies["Op"] = [Reply(body=body, headers=wrong), Reply(body=body, headers=right)]
    assert call(client, "dynamodb") == {"Item": {"a": {"S": "ü"}}}
    assert len(aws.asked) == 2


def test_an_answer_that_breaks_off_is_asked_for_again(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [Reply(body=b'{"a":', headers={"content-length": "90"}, close=True), Reply(body=b'{"a":1}')]
    assert call(client) == {"a": 1}


def test_an_answer_that_is_no_json_is_an_error_with_the_calls_name(aws: FakeAws, client: AwsClient) -> None:
    aws.replies["Op"] = [Reply(body=b"<html>")]
    with pytest.raises(AwsCallError, match="sqs:Op on thing t failed with MALFORMED"):
        call(client)
    assert len(aws.asked) == 1
