"""A join in the middle of writes: in whatever order things happen, the client ends with what is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.aws.client import AwsCall, AwsClient
from treadle.aws.connection import Response
from treadle.live.process import SystemProcess
from treadle.names import Names
from treadle.resources import Resources
from treadle.shapes import LambdaContext

from .fake_aws import FakeAws
from .interleaving import Actor, Choose, all_orders, random_orders, run_to_the_end
from .live_app import CREDENTIALS, STREAM, LiveApp, StreamRows, joining, system_folder
from .stream_client import StreamClient

Json = dict[str, Any]
Write = Callable[[StreamRows], Json]
Stop = Callable[[AwsCall], None]

CONNECTION = "c1="


class StoppingClient(AwsClient):
    """Reaches the fake AWS without a network, and calls `stop` before each call."""

    def __init__(self, aws: FakeAws, stop: Stop) -> None:
        super().__init__("us-east-2", "aws", lambda: 30.0)
        self._aws = aws
        self._stop = stop

    def send(self, call: AwsCall) -> Response:
        self._stop(call)
        reply = self._aws.request(call.method, call.path, call.headers, call.body)
        assert 200 <= reply.status < 300, reply
        return Response(reply.status, {}, reply.body)


class StoppingResources(Resources):
    def __init__(self, client: AwsClient) -> None:
        super().__init__("aws", "us-east-2", "123456789012", Names("shop", "dev"), lambda: 30.0)
        self._stopping_client = client

    @property
    def client(self) -> AwsClient:
        return self._stopping_client


class StoppingProcess(SystemProcess):
    """A system function's process whose calls to AWS can be stopped at."""

    def __init__(self, aws: FakeAws, system: str, folder: Path) -> None:
        super().__init__(system, str(system_folder(folder, system)))
        self.stop: Stop = lambda _call: None
        self._stopping = StoppingResources(StoppingClient(aws, lambda call: self.stop(call)))

    def resources(self, lambda_context: LambdaContext) -> Resources:
        return self._stopping


class Stage:
    """The two functions' processes, over a fake AWS."""

    def __init__(self, aws: FakeAws, folder: Path) -> None:
        self.aws = aws
        self.websocket = StoppingProcess(aws, "websocket", folder)
        self.broadcast = StoppingProcess(aws, "broadcast", folder)


@pytest.fixture
def stage(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in {**aws.environment, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    aws.page_items = None
    return Stage(aws, tmp_path)


class Scene:
    """One client that joins while rows are written and the changes are announced, one batch for each."""

    def __init__(self, stage: Stage, before: list[Write], joined: list[str | None], joins: str | None) -> None:
        stage.aws.clear()
        self._stage = stage
        self._joins = joins
        self._app = LiveApp(stage.aws, stage.websocket, stage.broadcast)
        self._client = StreamClient()
        for item_id in (*joined, joins):
            if item_id is None:
                self._client.group(STREAM, "inbox")
            else:
                self._client.item(STREAM, "inbox", item_id)
        for write in before:
            write(self._app.rows)
        self._app.connect(CONNECTION)
        for number, item_id in enumerate(joined):
            self._app.send(joining(CONNECTION, "inbox", item_id, f"s{number}"))

    def play(self, writes: list[Write], choose: Choose) -> None:
        """Joins, writes and announces side by side, and looks at what the client has in the end."""
        records: list[Json] = []

        def write(actor: Actor) -> None:
            for one in writes:
                if records:
                    actor.stop()
                records.append(one(self._app.rows))

        def join(actor: Actor) -> None:
            self._stage.websocket.stop = lambda _call: actor.stop()
            self._app.send(joining(CONNECTION, "inbox", self._joins, "joining"))

        def announce(actor: Actor) -> None:
            self._stage.broadcast.stop = lambda call: actor.stop() if call.service == "execute-api" else None
            for number in range(len(writes)):
                if number:
                    actor.stop(lambda number=number: len(records) > number)  # type: ignore[misc]
                self._app.announce(records[number])

        run_to_the_end([Actor(join), Actor(write), Actor(announce, lambda: bool(records))], choose)
        self._stage.websocket.stop = self._stage.broadcast.stop = lambda _call: None
        self._check()

    def _check(self) -> None:
        frames = self._stage.aws.sockets[CONNECTION]
        for frame in frames:
            self._client.hear(frame)
        there = self._app.rows.items()
        for (_, _, item_id), listener in self._client.items().items():
            assert listener.item == there.get(item_id), frames
        for group in self._client.groups().values():
            assert group.items == there, "\n".join(map(str, frames))


def sets(item_id: str, text: str) -> Write:
    return lambda rows: rows.set(item_id, text)


def deletes(item_id: str) -> Write:
    return lambda rows: rows.delete(item_id)


ORDERS = int(os.environ.get("ORDERS", "25"))
CREATED, CHANGED, GONE = sets("a", "created"), sets("a", "changed"), deletes("a")
SUBSCRIPTIONS: dict[str, tuple[list[str | None], str | None]] = {
    "a group": ([], None),
    "an item": ([], "a"),
    "a group, following its item": (["a"], None),
    "an item, following its group": ([None], "a"),
    "a group, following it": ([None], None),
}
WRITES: dict[str, tuple[list[Write], list[Write]]] = {
    "created": ([], [CREATED]),
    "changed": ([CREATED], [CHANGED]),
    "deleted": ([CREATED], [GONE]),
}
MORE_WRITES: dict[str, tuple[list[Write], list[Write]]] = {
    "created, changed": ([], [CREATED, CHANGED]),
    "created, deleted": ([], [CREATED, GONE]),
    "created, deleted, created": ([], [CREATED, GONE, CHANGED]),
    "changed twice": ([CREATED], [CHANGED, sets("a", "again")]),
    "changed, deleted": ([CREATED], [CHANGED, GONE]),
    "deleted, created": ([CREATED], [GONE, CHANGED]),
    "deleted, created, deleted": ([CREATED], [GONE, CHANGED, GONE]),
    "deleted, created, changed": ([CREATED], [GONE, CREATED, CHANGED]),
    "created, changed twice": ([], [CREATED, CHANGED, sets("a", "again")]),
    "created, deleted, created, changed": ([], [CREATED, GONE, CREATED, CHANGED]),
    "two items": ([CREATED], [sets("b", "new"), GONE, deletes("b"), sets("b", "newer")]),
}


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("subscriptions", SUBSCRIPTIONS)
def test_a_write_at_any_moment_of_a_join_ends_up_with_the_client(
    stage: Stage, subscriptions: str, writes: str
) -> None:
    joined, joins = SUBSCRIPTIONS[subscriptions]
    before, during = WRITES[writes]
    orders = all_orders(lambda choose: Scene(stage, before, joined, joins).play(during, choose))
    print("ORDERS", orders); assert orders > 50


@pytest.mark.parametrize("writes", MORE_WRITES)
@pytest.mark.parametrize("subscriptions", SUBSCRIPTIONS)
def test_several_writes_at_any_moments_of_a_join_end_up_with_the_client(
    stage: Stage, subscriptions: str, writes: str
) -> None:
    joined, joins = SUBSCRIPTIONS[subscriptions]
    before, during = MORE_WRITES[writes]
    for choose in random_orders(ORDERS, seed=7):
        Scene(stage, before, joined, joins).play(during, choose)
