"""One run of a handler that is given as its body; `c` is its context."""

from __future__ import annotations

import json
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .fake_aws import FakeAws
from .step_folder import Run, StepFolder, request


def run(folder: StepFolder, aws: FakeAws, body: str, **manifest: Any) -> Run:
    """What an async handler with this body does with one request."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    folder.manifest(**manifest).step(f"import json\n\nasync def handler(req, c):\n{lines}\n")
    return folder.run(request("{}"), environment=aws.environment)


def value(folder: StepFolder, aws: FakeAws, body: str, **manifest: Any) -> Any:
    """The JSON body that the handler answered."""
    done = run(folder, aws, body, **manifest)
    assert done.answer.result["statusCode"] == 200, done.text
    return json.loads(done.answer.result["body"])


def error(folder: StepFolder, aws: FakeAws, body: str, **manifest: Any) -> dict[str, str]:
    """The error that the handler ended with."""
    done = run(folder, aws, body, **manifest)
    found: dict[str, str] = done.records[0]["error"]
    return found


def errors(folder: StepFolder, aws: FakeAws, calls: list[str], **manifest: Any) -> list[dict[str, str]]:
    """The error that each call ended with; each is an expression, awaited by a handler of its own."""
    folder.manifest(**manifest).step(
        "async def handler(req, c):\n    await eval(req.body[0])\n    return {'body': {}}\n"
    )
    done = folder.run(*(request(json.dumps([call])) for call in calls), environment=aws.environment)
    return [record.get("error", {"type": "none", "message": ""}) for record in done.records]


def values_at_once(path: Path, aws: FakeAws, body: str, **manifest: Any) -> list[Any]:
    """What two processes of the same handler answer that run at once."""

    def one(name: str) -> Any:
        (path / name).mkdir()
        return value(StepFolder(path / name), aws, body, **manifest)

    with ThreadPoolExecutor() as threads:
        return list(threads.map(one, ("first", "second")))
