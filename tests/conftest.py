"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support.dev import Dev
from support.judges import Ministack

# A function has a /tmp of its own; what one writes for a test to read lies elsewhere.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/var/tmp")

# Machines are shared and noisy: a slow example is no failure. `make test` tries the same examples every time.
settings.register_profile(
    "treadle", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("treadle")

LONG_FILES = ("test_stack_rollback_at_any_call.py", "test_deploy_interrupted.py", "test_deployers_at_once.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first: a worker has a whole file, and the other one would wait for it at the end."""
    items.sort(key=lambda item: item.path.name not in LONG_FILES)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The emulator with nothing deployed, on the manual clock. Shared: tests use names of their own."""
    with Dev(tmp_path_factory.mktemp("nothing"), "--clock", "manual", "--no-watch") as running:
        yield running


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """Another emulator, to be compared with. Shared: tests use names of their own, and do not reset it."""
    with Ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running
