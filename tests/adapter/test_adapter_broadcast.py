"""The broadcast function: whoever follows a stream is told of its changes, in order, once, and nothing gets lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake_aws import FakeAws, Reply, failure
from .live_app import CONNECTIONS, CREDENTIALS, NAMES, LiveApp, StreamRows, joining

Json = dict[str, Any]


@pytest.fixture
def app(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApp]:
    for name, value in {**aws.environment, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    aws.page_items = None
    made = LiveApp.over_http(aws, tmp_path)
    yield made
    made.close()


def followers(app: LiveApp, *connections: str, item: str | None = None) -> None:
    """Connects, has all join the group (or the item), and forgets what they were sent for it."""
    app.connect(*connections)
    for connection in connections:
        app.send(joining(connection, "inbox", item))
        app.frames(connection)


def test_changes_are_told_in_order(app: LiveApp) -> None:
    followers(app, "c1=", "c2=")
    records = [app.rows.set("a", "1"), app.rows.set("a", "2"), app.rows.set("b", "3"), app.rows.delete("a")]
    assert app.announce(*records) == []
    for connection in ("c1=", "c2="):
        frames = app.frames(connection)
        print(frames)
        assert [(frame["event"]["type"], frame["event"]["data"]) for frame in frames] == [
            ("create", {"text": "1", "id": "a"}),
            ("update", {"text": "2", "id": "a"}),
            ("create", {"text": "3", "id": "b"}),
            ("delete", {"text": "2", "id": "a"}),
        ]
