"""Projects written for tests of discovery, and what is found in them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from treadle_infra.app.findings import Finding
from treadle_infra.app.model import Step
from treadle_infra.discovery.discover import Discovery

Files = Mapping[str, str]
Find = Callable[..., Discovery]


def write(project: Path, files: Files) -> None:
    project.mkdir(exist_ok=True)
    for path, text in files.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def codes(discovery: Discovery) -> list[str]:
    return [finding.code for finding in discovery.findings]


def only(discovery: Discovery, code: str) -> Finding:
    """The one finding with this code."""
    found = [finding for finding in discovery.findings if finding.code == code]
    assert len(found) == 1, "\n".join(str(finding) for finding in discovery.findings)
    return found[0]


def step_of(discovery: Discovery) -> Step:
    assert len(discovery.app.steps) == 1, "\n".join(str(finding) for finding in discovery.findings)
    return discovery.app.steps[0]


HANDLER = "\nasync def handler(input, context):\n    pass\n"


def api(extra: str = "", body: str = "    pass") -> str:
    """An API step whose config has `extra` in line 6 and whose handler begins in line 10."""
    config = '"name": "Hello",\n    "type": "api",\n    "path": "/hello",\n    "method": "GET"'
    return _step(config, extra, body, "req, context")


def event(extra: str = "", body: str = "pass") -> str:
    """An event step whose config has `extra` in line 5 and whose handler begins in line 9."""
    return _step('"name": "Work",\n    "type": "event",\n    "subscribes": ["asked"]', extra, body, "data, context")


def _step(config: str, extra: str, body: str, parameters: str) -> str:
    statements = textwrap.indent(textwrap.dedent(body), "    ").rstrip()
    return f"config = {{\n    {config},\n    {extra}\n}}\n\n\nasync def handler({parameters}):\n{statements}\n"


def one(source: str) -> Files:
    """A project with this step."""
    return {"steps/a_step.py": source}
