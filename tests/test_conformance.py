"""The OpenAPI of the examples against the running examples: schemathesis makes the requests and judges the answers."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from support.command import treadle
from support.dev import Dev
from support.projects import EXAMPLES

TOGETHER = ("todo-api", "human-approval", "ai-agent", "parallel-merge")
"""Those with schemas whose handlers take all that fits; in one project, so that one emulator is enough."""
LEFT_OUT = shutil.ignore_patterns(".treadle", "__pycache__", "tests", "README.md", "treadle.toml")
EXAMPLES_EACH = 8


@dataclass
class Judged:
    """The running examples, their document, and how many answers of each status an operation gave."""

    dev: Dev
    schema: Any
    known_ids: dict[str, str] = field(default_factory=dict[str, str])
    statuses: dict[str, Counter[int]] = field(default_factory=dict[str, Counter[int]])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    project = tmp_path_factory.mktemp("conformance") / "together"
    for name in TOGETHER:
        shutil.copytree(EXAMPLES / name, project, ignore=LEFT_OUT, dirs_exist_ok=True)
    (project / "treadle.toml").write_text('name = "together"\n')
    document: dict[str, Any] = treadle("openapi", project).json()
    with Dev(project, "--no-watch") as dev:
        loaded: Any = schemathesis.openapi.from_dict(document)
        yield Judged(dev, loaded)


def test_every_answer_is_one_that_the_document_tells(judged: Judged) -> None:
    _remember_ids(judged)

    for found in judged.schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            _judge(judged, operation.label, operation.as_strategy(generation_mode=mode))

    statuses = judged.statuses
    assert len(statuses) == 12
    assert statuses["POST /todos"].keys() == {201, 400}
    assert statuses["PATCH /todos/{id}"].keys() == {200, 400, 404}
    assert statuses["GET /todos"].keys() == {200}
    assert statuses["POST /expenses"].keys() == {201, 400}
    assert not [status for counted in statuses.values() for status in counted if status >= 500]


def _remember_ids(judged: Judged) -> None:
    """Makes one of each thing, so that the requests meet things that there are too."""
    for path, body in (
        ("/todos", {"title": "a"}),
        ("/expenses", {"employee": "ada", "amount": 250}),
        ("/questions", {"question": "a"}),
        ("/reports", {"text": "a"}),
    ):
        judged.known_ids[path] = judged.dev.http("POST", path, body).json()["id"]


def _judge(judged: Judged, label: str, strategy: Any) -> None:
    """Sends requests of an operation. Raises where an answer is none of its document's."""
    counted = judged.statuses.setdefault(label, Counter())

    @seed(1)
    @settings(
        max_examples=EXAMPLES_EACH,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        phases=[Phase.generate],
    )
    @given(strategy)
    def send(case: Any) -> None:
        known = judged.known_ids.get("/" + case.path.split("/")[1])
        if known is not None and "id" in case.path_parameters and counted.total() % 2:
            case.path_parameters["id"] = known
        answer = case.call_and_validate(base_url=judged.dev.http_url)
        counted[answer.status_code] += 1

    with contextlib.suppress(Unsatisfiable):  # of an operation that takes any text for a path no request is wrong
        send()
