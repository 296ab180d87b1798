"""The examples of the page on state and streams: each is a step that runs and answers what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .fake_aws import FakeAws
from .step_folder import StepFolder, request

PAGE = (Path(__file__).parents[2] / "docs" / "state-and-streams.md").read_text()
EXAMPLES: list[tuple[str, str]] = re.findall(
    r"^```python\n(.*?)^```\n\nanswers `(.*?)`[.,]", PAGE, re.MULTILINE | re.DOTALL
)


def test_every_example_of_the_page_has_an_answer() -> None:
    assert len(EXAMPLES) == PAGE.count("```python\nconfig") == 6


@pytest.mark.parametrize(("source", "answer"), EXAMPLES, ids=[source.split('"')[7] for source, _ in EXAMPLES])
def test_an_example_of_the_page_answers_what_it_says(
    folder: StepFolder, aws: FakeAws, source: str, answer: str
) -> None:
    done = folder.step(source).run(request("{}"), environment=aws.environment)

    assert json.loads(done.answer.result["body"]) == json.loads(answer), done.text
