"""Fixtures of all tests of CloudFormation."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from support.aws import unique
from support.dev import Dev
from support.stacks import settled, statuses
from support.templates import LAYER_ARCHIVE

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One for each file: many tests compare all there is, which other tests' leavings would make slow."""
    with Dev(tmp_path_factory.mktemp("nothing"), "--clock", "manual", "--no-watch") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def layer_archive(emulator: Dev) -> None:
    """What the layer of `everything()` is made of."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("python/of_the_layer.py", "VALUE = 1")
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=LAYER_ARCHIVE["S3Bucket"])
    s3.put_object(Bucket=LAYER_ARCHIVE["S3Bucket"], Key=LAYER_ARCHIVE["S3Key"], Body=archive.getvalue())


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
