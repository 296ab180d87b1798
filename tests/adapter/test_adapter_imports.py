"""What a cold start loads: nothing that its step does not use."""

from __future__ import annotations

import ast
import sys

import pytest

from .step_folder import ADAPTER, API, CRON, EVENT, StepFolder, batch, firing, message, request

HEAVY = {
    "asyncio", "base64", "boto3", "botocore", "dataclasses", "datetime", "decimal", "email", "hashlib", "hmac", "html",
    "http", "inspect", "pathlib", "pydantic", "random", "socket", "ssl", "threading", "typing", "urllib", "urllib3",
    "uuid",
}  # fmt: skip


@pytest.mark.parametrize("entry", ["api", "event", "cron"])
def test_a_step_that_calls_nothing_loads_nothing_heavy(folder: StepFolder, entry: str) -> None:
    traced = request('{"a": 1}', query="a=1", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    sent = message(message_id="059f36b4-87a3-44ab-83d2-661975830a7d")
    run = folder.manifest(triggers=[API, EVENT, CRON]).run(traced, batch(sent), firing(), entry=entry)
    assert [answer.error for answer in run.answers] == [None, None, None]
    assert not {module.partition(".")[0] for module in run.modules} & HEAVY


def test_the_adapter_imports_the_standard_library_and_itself_only() -> None:
    allowed = sys.stdlib_module_names | {"treadle"}
    for file in ADAPTER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file} imports relatively"
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= allowed, file
