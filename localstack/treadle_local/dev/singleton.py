"""One `treadle dev` a project: a second one would write over the first one's assembly and addresses."""

from __future__ import annotations

from pathlib import Path

from treadle_infra.app.findings import TreadleError
from treadle_local.running import read_details


def refuse_second(project: Path) -> None:
    """Raises TreadleError `already-running` where an emulator of this project answers."""
    details = read_details(project)
    if details is not None:
        raise TreadleError(
            "already-running",
            f"`treadle dev` runs for {project} already, as process {details['pid']}, on {details['http']}",
            hint="stop it first, or copy the project to run it twice",
        )
