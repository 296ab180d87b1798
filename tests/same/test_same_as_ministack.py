"""The same random app does the same here and on ministack, from `treadle deploy` to the last dead letter.

`make test` tries a few apps; `make same` fifty of others (TREADLE_SAME_SEEDS, "first-last"). A difference that stays is
explained in docs/fidelity.md and brought to one form in `transcript`; at present there is none.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dev import TREADLE, Dev
from support.judges import Ministack, aws_environment

from .random_app import RandomApp, random_app
from .transcript import ClientOf, Lines, Target, transcript

_STAGE = "same"
_FIRST, _, _LAST = os.environ.get("TREADLE_SAME_SEEDS", "1-2").partition("-")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """The emulator, on the machine's clock as ministack is."""
    with Dev(tmp_path_factory.mktemp("here"), "--no-watch") as running:
        yield running


@pytest.mark.parametrize("seed", range(int(_FIRST), int(_LAST or _FIRST) + 1))
def test_a_random_app_does_the_same_as_on_ministack(here: Dev, ministack: Ministack, tmp_path: Path, seed: int) -> None:
    app = random_app(seed)
    project = app.write(tmp_path)
    ours = _lived(app, project, here.endpoint, here.client)
    theirs = _lived(app, project, ministack.endpoint, ministack.client)
    assert ours == theirs


def _lived(app: RandomApp, project: Path, endpoint: str, client: ClientOf) -> Lines:
    """What an app does from its deployment to its removal."""
    _treadle(endpoint, "deploy", project, "--yes")
    lines = transcript(Target(endpoint, client, f"{app.name}--{_STAGE}"), app)
    _treadle(endpoint, "remove", project, "--yes", "--delete-data")
    return lines


def _treadle(endpoint: str, command: str, project: Path, *options: str) -> None:
    done = subprocess.run(
        [TREADLE, command, project, "--stage", _STAGE, *options],
        env={**os.environ, **aws_environment(endpoint)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"treadle {command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
