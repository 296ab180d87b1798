from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .fake_aws import FakeAws
from .live_app import CREDENTIALS, LiveApp
from .step_folder import StepFolder


@pytest.fixture
def folder(tmp_path: Path) -> StepFolder:
    return StepFolder(tmp_path)


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server


@pytest.fixture
def app(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApp]:
    """An app with the stream `messages`, whose system functions run in this process."""
    for name, value in {**aws.environment, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    aws.page_items = None
    made = LiveApp.over_http(aws, tmp_path)
    yield made
    made.close()
