"""Every statement of every synthesized policy is needed: a sample here, all of them in `make mutants`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mutants import start, survives
from support.dev import Dev
from support.permission_flow import Flow, statements

_SAMPLE = (
    "role shop--dev--http-api--gateway: Invoke",
    "role shop--dev--Read: State",
    "role shop--dev--_treadle-changes: Queues",
    "queue shop--dev--Ship: Topics",
)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with start(tmp_path_factory.mktemp("mutants")) as running:
        yield running


@pytest.mark.timeout(180)
def test_the_flow_uses_every_statement_and_misses_each_that_is_taken_away(dev: Dev) -> None:
    Flow(dev, patience_seconds=30).run()
    report = dev.request(dev.endpoint, "GET", "/__treadle/iam", None, None).json()
    unused = [
        (holder["name"], grant["sid"])
        for holder in (*report["roles"], *report["resources"])
        for grant in holder["granted"]
        if grant["used"] == 0
    ]
    assert unused == []
    granted = sum(len(holder["granted"]) for holder in (*report["roles"], *report["resources"]))
    every = statements(dev)
    assert granted == len(every)
    sample = [one for one in every if str(one) in _SAMPLE]
    assert len(sample) == len(_SAMPLE)
    assert [one for one in sample if survives(dev, one, patience_seconds=2) is None] == []
