"""The page of the todo example, in Chromium: it shows what others do, and others see what it does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clients import CLIENTS, Browser
from support.dev import Dev, wait_until
from support.projects import EXAMPLES

pytestmark = pytest.mark.skipif(not (CLIENTS / "node_modules").exists(), reason="`make clients` has not been run")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    project = tmp_path / "todo-api"
    shutil.copytree(EXAMPLES / "todo-api", project, ignore=shutil.ignore_patterns(".treadle", "__pycache__", "tests"))
    with Dev(project, "--no-watch") as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    running = Browser()
    yield running
    running.close()


def test_the_page_shows_every_change_and_changes_the_list(dev: Dev, browser: Browser) -> None:
    def shown() -> Any:
        return browser.evaluate("[...document.querySelectorAll('li')].map(row => row.className + row.innerText)")

    browser.do("open", dev.http_url)
    wait_until("live", lambda: browser.evaluate("state.textContent === 'live'"))

    todo = dev.http("POST", "/todos", {"title": "<b>milk</b>"}).json()
    wait_until("the todo", lambda: shown() and "<b>milk</b>" in shown()[0])
    browser.evaluate("document.querySelector('li input').click()")
    wait_until("done", lambda: dev.http("GET", "/todos?done=true").json() == [{**todo, "done": True}])
    wait_until("done on the page", lambda: shown() and shown()[0].startswith("done"))
    browser.evaluate("document.querySelector('input[name=title]').value = 'tea'")
    browser.evaluate("document.querySelector('form button').click()")
    wait_until("a second one", lambda: len(shown()) == 2)
    dev.http("DELETE", f"/todos/{todo['id']}")
    wait_until("only the second one", lambda: len(shown()) == 1 and "tea" in shown()[0])

    assert browser.do("problems") == []
