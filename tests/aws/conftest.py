"""Fixtures that tests of several AWS services share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from support.dev import Dev
from support.lambda_account import Account, make_role

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


@pytest.fixture
def sqs(emulator: Dev) -> SQSClient:
    return cast("SQSClient", emulator.client("sqs"))


@pytest.fixture
def sns(emulator: Dev) -> SNSClient:
    return cast("SNSClient", emulator.client("sns"))


@pytest.fixture
def account(emulator: Dev) -> Account:
    return Account(
        emulator,
        emulator.client("lambda"),
        make_role(emulator, actions=("sqs:*", "dynamodb:*", "lambda:InvokeFunction", "logs:*")),
    )
