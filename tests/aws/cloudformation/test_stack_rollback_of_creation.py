"""Every resource of a rich template fails in turn while a stack is created: afterwards nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.aws import unique
from support.dev import Dev
from support.failing import client, failing
from support.snapshots import changes, snapshot
from support.stacks import create, delete, reasons
from support.templates import everything

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="module")
def before(emulator: Dev) -> Mapping[str, str]:
    """All that is there before the first of these tests; each of them leaves it so."""
    return snapshot(emulator)


@pytest.mark.parametrize("victim", list(everything()))
def test_a_creation_that_fails_leaves_nothing(emulator: Dev, before: Mapping[str, str], victim: str) -> None:
    cloudformation, name = client(emulator), unique("failing")
    assert create(cloudformation, name, failing(everything(), victim)) == "ROLLBACK_COMPLETE"
    assert list(reasons(cloudformation, name)) == [victim]
    assert changes(before, snapshot(emulator)) == {}
    delete(cloudformation, name)
