"""The stream clients that Motia's users have, unmodified from npm, follow Treadle's streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clients import Browser, NodeClient, build_pages, served
from support.dev import Dev, wait_until
from support.projects import api_step, messaging, write


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    project = messaging(tmp_path_factory.mktemp("clients"))
    body = (
        '    body = req["body"]\n'
        '    await getattr(context.streams.messages, body["do"])(*body["arguments"])\n'
        '    return {"status": 204}'
    )
    write(project, "steps/write_step.py", api_step("Write", body))
    with Dev(project, "--no-watch") as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    build_pages(folder)
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    running = Browser()
    yield running
    running.close()


@pytest.fixture
def node(dev: Dev) -> Iterator[NodeClient]:
    client = NodeClient(dev.ready["ws"])
    yield client
    client.close()


def do(dev: Dev, method: str, *arguments: object) -> None:
    """Calls `context.streams.messages.<method>(*arguments)` in a step."""
    answer = dev.http("POST", "/write", {"do": method, "arguments": arguments})
    assert answer.status == 204, answer.body


def message(text: str, **fields: object) -> dict[str, object]:
    return {"text": text, "userId": "u1", "status": "sent", **fields}


# Node


@pytest.mark.motia("8", "the npm client for Node follows groups")
def test_a_group_is_there_at_once_and_follows_every_change(dev: Dev, node: NodeClient) -> None:
    do(dev, "set", "node", "a", message("one"))
    node.do("group", name="all", stream="messages", group="node", sortKey="id")
    wait_until("the sync", lambda: node.states("all")[-1:] == [[{**message("one"), "id": "a"}]])
    do(dev, "set", "node", "b", message("two"))
    wait_until("the create", lambda: [item["id"] for item in node.states("all")[-1]] == ["a", "b"])
    do(dev, "set", "node", "a", message("three"))
    wait_until("the update", lambda: node.states("all")[-1][0] == {**message("three"), "id": "a"})
    do(dev, "delete", "node", "b")
    wait_until("the delete", lambda: [item["id"] for item in node.states("all")[-1]] == ["a"])


@pytest.mark.motia("8", "an item is followed from nothing to its end, with no sync while it is missing")
def test_an_item_is_followed_from_nothing_to_its_end(dev: Dev, node: NodeClient) -> None:
    node.do("item", name="one", stream="messages", group="items", id="x")
    node.do("group", name="ready", stream="messages", group="items")
    wait_until("the sync of the group, behind the join of the item", lambda: node.states("ready"))
    do(dev, "set", "items", "x", message("here"))
    wait_until("the create", lambda: node.states("one")[-1:] == [{**message("here"), "id": "x"}])
    do(dev, "delete", "items", "x")
    wait_until("the end", lambda: node.states("one")[-1] is None)


@pytest.mark.motia("8", "an item's followers hear of its own group only")
def test_the_same_id_in_another_group_is_another_item(dev: Dev, node: NodeClient) -> None:
    do(dev, "set", "left", "same", message("left"))
    do(dev, "set", "right", "same", message("right"))
    node.do("item", name="left", stream="messages", group="left", id="same")
    wait_until("the sync", lambda: node.states("left"))
    do(dev, "set", "right", "same", message("right again"))
    do(dev, "set", "left", "same", message("left again"))
    wait_until("the update", lambda: node.states("left")[-1]["text"] == "left again")
    assert [state["text"] for state in node.states("left")] == ["left", "left again"]


@pytest.mark.motia("8", "ephemeral events reach followers and are not kept")
def test_an_event_reaches_whoever_follows_and_is_not_kept(dev: Dev, node: NodeClient) -> None:
    node.do("group", name="all", stream="messages", group="events")
    wait_until("the sync", lambda: node.states("all"))
    node.do("on", name="all", type="ping")
    for number in range(5):
        do(dev, "send", {"groupId": "events"}, {"type": "ping", "data": {"number": number}})
    wait_until("five events", lambda: len(node.events("all")) == 5)
    assert [event["number"] for event in node.events("all")] == [0, 1, 2, 3, 4]
    assert node.states("all") == [[]]


@pytest.mark.motia("8", "timestamps of an item strictly increase")
def test_updates_faster_than_a_millisecond_are_all_seen_in_order(dev: Dev, node: NodeClient) -> None:
    do(dev, "set", "fast", "x", message("-1"))
    node.do("item", name="one", stream="messages", group="fast", id="x")
    wait_until("the sync", lambda: node.states("one"))
    for number in range(30):
        do(dev, "set", "fast", "x", message(str(number)))
    wait_until("the last", lambda: node.states("one")[-1]["text"] == "29")
    assert [int(state["text"]) for state in node.states("one")] == [*range(-1, 30)]


def test_a_connection_that_breaks_mid_stream_comes_back_to_the_latest_state(dev: Dev, node: NodeClient) -> None:
    do(dev, "set", "breaks", "x", message("before"))
    node.do("group", name="all", stream="messages", group="breaks")
    node.do("item", name="one", stream="messages", group="breaks", id="x")
    wait_until("both syncs", lambda: node.states("all") and node.states("one"))
    node.do("break")
    for number in range(20):
        do(dev, "set", "breaks", "x", message(str(number)))
    do(dev, "set", "breaks", "y", message("new"))
    wait_until("the group as it is", lambda: {item["id"] for item in node.states("all")[-1]} == {"x", "y"})
    wait_until("the item as it is", lambda: node.states("one")[-1]["text"] == "19")
    do(dev, "set", "breaks", "x", message("after"))
    wait_until("changes again", lambda: node.states("one")[-1]["text"] == "after")


def test_a_closed_subscription_hears_nothing_more(dev: Dev, node: NodeClient) -> None:
    node.do("group", name="closed", stream="messages", group="closing")
    node.do("group", name="open", stream="messages", group="open")
    wait_until("both syncs", lambda: node.states("closed") and node.states("open"))
    node.do("close", name="closed")
    do(dev, "set", "closing", "x", message("unheard"))
    do(dev, "set", "open", "x", message("heard"))
    wait_until("the other", lambda: len(node.states("open")) == 2)
    assert node.states("closed") == [[]]


# In a browser


@pytest.mark.motia("8", "the npm client for browsers, in Chromium")
@pytest.mark.parametrize("client", ["stable", "newest"])
def test_a_page_follows_a_group_and_an_item(dev: Dev, pages: str, browser: Browser, client: str) -> None:
    group = f"browser-{client}"
    do(dev, "set", group, "x", message("first"))
    browser.do("open", f"{pages}/browser_page.html?client={client}")
    browser.evaluate(f"connect({json.dumps(dev.ready['ws'])})")
    browser.evaluate(f"followGroup('messages', '{group}'); followItem('messages', '{group}', 'x')")

    def shown() -> list[Any]:
        texts = browser.evaluate("[...document.querySelectorAll('pre')].map(place => place.textContent)")
        return [json.loads(text) if text else None for text in texts]

    first = {**message("first"), "id": "x"}
    wait_until("both syncs", lambda: shown() == [[first], first])
    do(dev, "set", group, "x", message("second"))
    do(dev, "set", group, "y", message("other"))
    second, other = {**message("second"), "id": "x"}, {**message("other"), "id": "y"}
    wait_until("the changes", lambda: shown() == [[second, other], second])
    assert browser.do("problems") == []


@pytest.mark.motia("8", "the npm client for React, in Chromium")
@pytest.mark.parametrize("client", ["stable", "newest"])
def test_a_react_app_shows_what_the_steps_write(
    dev: Dev, pages: str, browser: Browser, client: str, tmp_path: Path
) -> None:
    browser.do("open", f"{pages}/react_page.html?client={client}&address={dev.ready['ws']}")
    wait_until("the page", lambda: browser.evaluate("document.querySelector('#first') !== null"))
    assert dev.http("POST", "/messages", {"text": f"hello {client}", "userId": "u1"}).status == 201

    def text(selector: str) -> str:
        found: str = browser.evaluate(f"document.querySelector('{selector}')?.textContent ?? ''")
        return found

    wait_until("the message", lambda: f"hello {client}" in text("#message-u1"))
    wait_until("the item", lambda: text("#first") == f"hello {client}")
    do(dev, "send", {"groupId": "default"}, {"type": "ping", "data": None})
    wait_until("the event", lambda: text("#pings") == "1")
    browser.do("screenshot", str(tmp_path / "page.png"))
    assert browser.do("problems") == []
