"""Small projects written for a test."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

BAD_METHOD_STEP = """\
config = {
    "name": "Bad",
    "type": "api",
    "path": "/bad",
    "method": "FETCH",
}


async def handler(req, context):
    return {}
"""
"""A step with an error in line 5."""


def messaging(folder: Path) -> Path:
    """A copy of the messaging example, under the app name `messaging`."""
    project = folder / "messaging"
    shutil.copytree(EXAMPLES / "messaging", project, ignore=shutil.ignore_patterns(".treadle", "__pycache__"))
    return project


def write(project: Path, path: str, text: str) -> Path:
    """Writes one file of a project; the folders on the way are made."""
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return project


def api_step(name: str, body: str, *, path: str | None = None, method: str = "POST", extra: str = "") -> str:
    """The source of an API step whose handler is `body`, indented by four spaces."""
    return (
        f'config = {{"name": "{name}", "type": "api", "path": "{path or "/" + name.lower()}", '
        f'"method": "{method}", "emits": []{extra}}}\n\n\n'
        f"async def handler(req, context):\n{body}\n"
    )


def event_step(name: str, topic: str, body: str, *, extra: str = "") -> str:
    """The source of an event step whose handler is `body`, indented by four spaces."""
    return (
        f'config = {{"name": "{name}", "type": "event", "subscribes": ["{topic}"], "emits": []{extra}}}\n\n\n'
        f"async def handler(data, context):\n{body}\n"
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """The contents of all files below a folder, by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
