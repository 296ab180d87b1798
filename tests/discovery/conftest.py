"""The fixture of all tests of discovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.discovered import Files, Find, write
from treadle_infra.discovery.discover import DiscoverOptions, Discovery, discover


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Writes files of a project and discovers it; texts may be indented."""

    def run(files: Files, stage: str = "dev", **options: object) -> Discovery:
        project = tmp_path / "my-app"
        write(project, files)
        return discover(project, DiscoverOptions(**options), stage)  # type: ignore[arg-type]

    return run
