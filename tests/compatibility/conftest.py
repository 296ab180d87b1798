"""What tests of single behaviours share: a step's folder as in its zip, and a server in AWS's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.fake_aws import FakeAws
from adapter.step_folder import StepFolder


@pytest.fixture
def folder(tmp_path: Path) -> StepFolder:
    return StepFolder(tmp_path)


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server
