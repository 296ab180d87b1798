"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.dev import Dev


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The emulator with nothing deployed, on the manual clock. Shared: tests use names of their own."""
    with Dev(tmp_path_factory.mktemp("nothing"), "--clock", "manual", "--no-watch") as running:
        yield running
