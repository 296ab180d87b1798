"""How long WebSocket connections last, on the manual clock; how they end with the emulator; who reads too slowly.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from support.dev import Dev
from support.lambda_account import Account, make_role
from support.websocket import PING, PONG, WebSocketClient, encode
from support.websocket_api import SocketApi
from treadle_local.clock import ManualClock
from treadle_local.gateway.websocket_limits import Limits


@pytest.fixture(scope="module")
def account(emulator: Dev) -> Account:
    return Account(emulator, emulator.client("lambda"), make_role(emulator, actions=("execute-api:*",)))


@pytest.fixture(scope="module")
def api(account: Account) -> SocketApi:
    api = SocketApi(account)
    for key in ("$connect", "$disconnect", "$default"):
        api.route(key)
    return api


@pytest.fixture(scope="module")
def management(emulator: Dev) -> Any:
    return emulator.client("apigatewaymanagementapi")


def is_open(client: WebSocketClient) -> bool:
    """Whether a ping is answered. A ping is activity."""
    client.frame(PING, b"?")
    return client.receive().opcode == PONG


def test_a_silent_connection_ends_after_10_minutes(api: SocketApi, emulator: Dev) -> None:
    with api.connect() as client:
        emulator.advance(599)
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.socket.settimeout(20)
        emulator.advance(1)
        assert client.closing() == (1001, "Going away")
        context = api.event("DISCONNECT", client)["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


def test_any_frame_of_the_clients_counts(api: SocketApi, emulator: Dev) -> None:
    with api.connect() as client:
        for _ in range(3):
            emulator.advance(400)
            assert is_open(client)
        emulator.advance(600)
        assert client.closing()[0] == 1001


def test_a_post_counts(api: SocketApi, emulator: Dev, management: Any) -> None:
    with api.connect() as client:
        identity = api.connection_id(client)
        for _ in range(3):
            emulator.advance(400)
            management.post_to_connection(ConnectionId=identity, Data=b"x")
            assert client.message() == "x"
        assert is_open(client)


def test_a_connection_ends_after_2_hours_however_busy(api: SocketApi, emulator: Dev) -> None:
    with api.connect() as client:
        for _ in range(14):
            emulator.advance(500)
            assert is_open(client)
        emulator.advance(199)
        assert is_open(client)
        emulator.advance(1)
        assert client.closing() == (1001, "Going away")


def test_connections_have_limits_of_their_own(api: SocketApi, emulator: Dev) -> None:
    with api.connect() as first:
        emulator.advance(300)
        with api.connect() as second:
            emulator.advance(300)
            assert first.closing()[0] == 1001
            assert is_open(second)
            emulator.advance(600)
            assert second.closing()[0] == 1001


def test_one_turn_of_the_clock_may_jump_over_all_limits(api: SocketApi, emulator: Dev) -> None:
    with api.connect() as client:
        emulator.advance(86_400)
        assert client.closing()[0] == 1001


def test_the_end_of_the_emulator_is_1001_and_leaves_nothing(tmp_path: Path) -> None:
    with Dev(tmp_path, "--no-watch") as dev:
        account = Account(dev, dev.client("lambda"), make_role(dev))
        api = SocketApi(account)
        for key in ("$connect", "$disconnect", "$default"):
            api.route(key)
        with api.connect() as polite, api.connect() as deaf:
            api.event("CONNECT", deaf)
            polite.text('{"wait": 30}')
            api.event("MESSAGE", polite)
            dev.process.send_signal(signal.SIGINT)
            assert polite.closing() == (1001, "Going away")
            polite.close(1001)
            assert polite.is_ended()
            assert dev.stop() == 0
            assert "Traceback" not in dev.text()
            assert deaf.closing() == (1001, "Going away")
            assert deaf.is_ended()
        assert not [line for line in api.lines("EVENT ") if "DISCONNECT" in line]


def test_a_client_that_only_sends_is_not_read_without_bound(api: SocketApi) -> None:
    with api.connect() as client:
        client.socket.settimeout(1)
        pings = encode(PING, b"x" * 125) * 1000
        with pytest.raises(socket.timeout):
            send_for_ever(client, pings)
        client.socket.settimeout(20)
        assert client.receive().payload == b"x" * 125


def send_for_ever(client: WebSocketClient, data: bytes) -> None:
    for _ in range(100_000_000 // len(data)):
        client.socket.sendall(data)


class Silent:
    """A connection as its limits see it."""

    def __init__(self, clock: ManualClock) -> None:
        self.connected_at = self.last_active_at = clock.now()
        self.expired = asyncio.Event()

    def expire(self) -> None:
        self.expired.set()


def test_what_a_turn_of_the_clock_sets_off_counts_before_connections_are_judged() -> None:
    async def turned() -> bool:
        clock, open_ones, works_left = ManualClock(1_000_000.0), dict[str, Silent](), [True] * 5
        limits = Limits(clock, open_ones.values, lambda: not works_left)
        open_ones.update(served=Silent(clock), silent=Silent(clock))
        limits.watch()
        clock.advance(3600)
        while works_left:
            works_left.pop()
            await asyncio.sleep(0.01)
            open_ones["served"].last_active_at = clock.now()
        await asyncio.wait_for(open_ones["silent"].expired.wait(), 20)
        await limits.close()
        return open_ones["served"].expired.is_set()

    assert asyncio.run(turned()) is False
