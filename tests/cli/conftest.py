"""Projects that several tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.projects import BAD_METHOD_STEP, messaging, write


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The messaging example; tests leave its steps alone."""
    return messaging(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The messaging example and a step with a method that there is not; tests leave its steps alone."""
    return write(messaging(tmp_path_factory.mktemp("broken")), "steps/bad_step.py", BAD_METHOD_STEP)
