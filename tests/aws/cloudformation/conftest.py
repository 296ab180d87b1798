"""Fixtures of all tests of CloudFormation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from support.aws import unique
from support.dev import Dev
from support.stacks import settled, statuses

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


@pytest.fixture
def cloudformation(emulator: Dev) -> CloudFormationClient:
    return cast("CloudFormationClient", emulator.client("cloudformation"))


@pytest.fixture
def stack(cloudformation: CloudFormationClient) -> Iterator[str]:
    """A stack name of the test's own; what stands under it is deleted at the end."""
    name = unique("test")
    yield name
    for found in statuses(cloudformation, name):
        if found != "DELETE_COMPLETE":
            cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
            cloudformation.delete_stack(StackName=name)
            settled(cloudformation, name)
