"""A join in the middle of writes: in whatever order things happen, the client ends with what is there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.aws.client import AwsCall, AwsClient
from treadle.aws.connection import Response
from treadle.live.process import SystemProcess
from treadle.resources import Resources
from treadle.shapes import LambdaContext

from .fake_aws import FakeAws
from .interleaving import Actor, Choose, all_orders, run_to_the_end, stop_here
from .live_app import (
    CREDENTIALS,
    NAMES,
    STREAM,
    LiveApp,
    connected,
    disconnecting,
    joining,
    leaving,
    system_folder,
)
from .stream_client import StreamClient

Json = dict[str, Any]
Targets = list[str | None]
"""Items, None for the whole group."""
Write = tuple[str, str | None]
"""An item and its text, None where it is deleted."""

CONNECTION = "c1="


class StoppingClient(AwsClient):
    """Reaches the fake AWS without a network, and stops before the calls to some operations."""

    def __init__(self, aws: FakeAws, stops_at: frozenset[str]) -> None:
        super().__init__("us-east-2", "aws", lambda: 30.0)
        self._aws = aws
        self._stops_at = stops_at

    def send(self, call: AwsCall) -> Response:
        if call.operation in self._stops_at:
            stop_here()
        reply = self._aws.request(call.method, call.path, call.headers, call.body)
        if not 200 <= reply.status < 300:
            details: Json = json.loads(reply.body or b"{}")
            code = str(details.get("__type", "GoneException")).rpartition("#")[2]
            raise call.failed(code, "refused", reply.status, details)
        return Response(reply.status, {}, reply.body)


class StoppingResources(Resources):
    def __init__(self, client: AwsClient) -> None:
        super().__init__("aws", "us-east-2", "123456789012", NAMES, lambda: 30.0)
        self._stopping_client = client

    @property
    def client(self) -> AwsClient:
        return self._stopping_client


class StoppingProcess(SystemProcess):
    """A system function's process that can be stopped at its calls to AWS."""

    def __init__(self, aws: FakeAws, system: str, folder: Path, *stops_at: str) -> None:
        super().__init__(system, str(system_folder(folder, system)))
        self._stopping = StoppingResources(StoppingClient(aws, frozenset(stops_at)))

    def resources(self, lambda_context: LambdaContext) -> Resources:
        return self._stopping

    def hurried_client(self, lambda_context: LambdaContext, reserved_seconds: Callable[[], float]) -> AwsClient:
        return self._stopping.client


class Stage:
    """The two functions' processes, over a fake AWS: joining stops where it matters to others, announcing at sends."""

    def __init__(self, aws: FakeAws, folder: Path) -> None:
        self.aws = aws
        self.websocket = StoppingProcess(
            aws, "websocket", folder, "GetItem", "Query", "UpdateItem", "ManageConnections"
        )
        self.broadcast = StoppingProcess(aws, "broadcast", folder, "ManageConnections")
        self.broadcast_at_once = StoppingProcess(aws, "broadcast", folder / "at_once")


@pytest.fixture
def stage(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in {**aws.environment, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    aws.page_items = None
    return Stage(aws, tmp_path)


class Scene:
    """One client that joins while rows are written and the changes are announced, one batch for each."""

    def __init__(
        self, stage: Stage, before: list[Write], joined: Targets, joins: Targets, *, announces_at_once: bool = False
    ) -> None:
        stage.aws.clear()
        self._aws = stage.aws
        self._joins = joins
        broadcast = stage.broadcast_at_once if announces_at_once else stage.broadcast
        self._app = LiveApp(stage.aws, stage.websocket, broadcast)
        self._client = StreamClient()
        for item_id in (*joined, *joins):
            if item_id is None:
                self._client.group(STREAM, "inbox")
            else:
                self._client.item(STREAM, "inbox", item_id)
        for write in before:
            self._write(write)
        self._app.connect(CONNECTION)
        for item_id in joined:
            self._app.send(joining(CONNECTION, "inbox", item_id, f"joined {item_id}"))

    def play(self, writes: list[Write], choose: Choose) -> None:
        """Joins, writes and announces side by side, and looks at what the client has in the end."""
        records: list[Json] = []

        def write() -> None:
            for one in writes:
                if records:
                    stop_here()
                records.append(self._write(one))

        def announce() -> None:
            for number in range(len(writes)):
                if number:
                    stop_here(lambda number=number: len(records) > number)  # type: ignore[misc]
                assert self._app.announce(records[number]) == []

        joins = [Actor(lambda item_id=item_id: self._join(item_id)) for item_id in self._joins]  # type: ignore[misc]
        run_to_the_end([*joins, Actor(write), Actor(announce, lambda: bool(records))], choose)
        self._check()

    def _join(self, item_id: str | None) -> None:
        self._app.send(joining(CONNECTION, "inbox", item_id, f"joins {item_id}"))

    def _write(self, write: Write) -> Json:
        item_id, text = write
        return self._app.rows.delete(item_id) if text is None else self._app.rows.set(item_id, text)

    def _check(self) -> None:
        frames = self._aws.sockets[CONNECTION]
        for frame in frames:
            self._client.hear(frame)
        there, told = self._app.rows.items(), "\n".join(map(str, frames))
        for (_, _, item_id), listener in self._client.items().items():
            assert listener.item == there.get(item_id), told
        for group in self._client.groups().values():
            assert group.items == there, told


SUBSCRIPTIONS: dict[str, tuple[Targets, Targets]] = {
    "a group": ([], [None]),
    "an item": ([], ["a"]),
    "a group whose item is followed": (["a"], [None]),
    "an item whose group is followed": ([None], ["a"]),
    "a group that is followed": ([None], [None]),
    "an item that is followed": (["a"], ["a"]),
    "a group and its item": ([], [None, "a"]),
}


@pytest.mark.parametrize("subscriptions", ["a group", "an item", "a group whose item is followed"])
@pytest.mark.parametrize(
    ("before", "write"), [([], ("a", "created")), ([("a", "old")], ("a", "changed")), ([("a", "old")], ("a", None))]
)
def test_a_write_at_any_moment_of_a_join_ends_up_with_the_client(
    stage: Stage, subscriptions: str, before: list[Write], write: Write
) -> None:
    joined, joins = SUBSCRIPTIONS[subscriptions]
    orders = all_orders(lambda choose: Scene(stage, before, joined, joins).play([write], choose))
    assert orders > 20


@pytest.mark.parametrize(
    ("before", "writes"),
    [
        ([], [("a", "created"), ("a", None)]),
        ([], [("a", "created"), ("a", "changed")]),
        ([("a", "old")], [("a", None), ("a", "created")]),
        ([("a", "old")], [("a", "changed"), ("a", None)]),
    ],
)
def test_two_writes_at_any_moments_of_a_join_end_up_with_the_client(
    stage: Stage, before: list[Write], writes: list[Write]
) -> None:
    orders = all_orders(lambda choose: Scene(stage, before, [], [None], announces_at_once=True).play(writes, choose))
    assert orders > 100


@pytest.mark.parametrize("subscriptions", SUBSCRIPTIONS)
def test_writes_at_any_moments_of_a_join_end_up_with_the_client(stage: Stage, subscriptions: str) -> None:
    joined, joins = SUBSCRIPTIONS[subscriptions]
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311
        texts = {item_id: chance.choice([None, "old"]) for item_id in "ab"}
        before: list[Write] = [(item_id, text) for item_id, text in texts.items() if text is not None]
        writes: list[Write] = []
        for number in range(chance.randint(2, 5)):
            item_id = chance.choice("aaab")
            text = f"text {number}" if texts[item_id] is None or chance.random() < 0.5 else None
            texts[item_id] = text
            writes.append((item_id, text))
        Scene(stage, before, joined, joins).play(writes, chance.randrange)


@pytest.mark.parametrize(
    ("earlier", "events", "left"),
    [
        ([], ["join", "leave"], set[str]()),
        (["join"], ["leave", "join"], {'["messages","inbox"]'}),
        ([], ["join", "leave", "join"], {'["messages","inbox"]'}),
        ([], ["join", "disconnect"], None),
        (["join"], ["leave", "join", "disconnect"], None),
    ],
)
def test_what_a_client_says_last_counts_in_whatever_order_it_is_served(
    aws: FakeAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    earlier: list[str],
    events: list[str],
    left: set[str] | None,
) -> None:
    """API Gateway hands the messages of a connection over side by side. `left`: the rooms that are followed then."""
    for name, value in {**aws.environment, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    process = StoppingProcess(aws, "websocket", tmp_path, "PutItem", "UpdateItem", "DeleteItem", "Query")
    build: dict[str, Callable[[], Json]] = {
        "join": lambda: joining(CONNECTION, "inbox"),
        "leave": lambda: leaving(CONNECTION, "inbox"),
        "disconnect": lambda: disconnecting(CONNECTION),
    }
    app = LiveApp(aws, process, process)

    def serving(event: Json) -> Callable[[], None]:
        def serve() -> None:
            app.send(event)

        return serve

    def run(choose: Choose) -> None:
        aws.clear()
        app.connect(CONNECTION)
        for kind in earlier:
            app.send(build[kind]())
        said = [build[kind]() for kind in events]
        run_to_the_end([Actor(serving(event)) for event in said], choose)
        rooms = {row["room"]["S"] for row in connected(aws)}
        if left is None:
            assert rooms == set()
        else:
            assert {room for room in rooms if not room.startswith("connection/")} == left

    numbers = random.Random(7)  # noqa: S311
    for _ in range(150):
        run(numbers.randrange)
