"""The adapter's TLS: the chain and the name are verified, whichever authorities it has read."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, self_signed
from treadle.aws import connection
from treadle.aws.client import AwsClient
from treadle.errors import AwsCallError, ConfigurationError

AMAZON = Authority.named("Amazon", "Amazon Root CA of a test")
OTHER = Authority.named("Somebody", "Somebody's authority")
MANY = [Authority.named("Crowd", f"Authority {number}") for number in range(17)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        _Handler.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        try:
            return self.context.wrap_socket(sock, server_side=True), address
        except OSError:
            sock.close()
            raise


@contextlib.contextmanager
def serving(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, host: str = "localhost") -> Generator[AwsClient]:
    """A client of a server with this certificate, in a process that has made no connection yet."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.context = context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setattr(connection, "trusts", [])
    for name, value in {
        "AWS_ENDPOINT_URL": f"https://{host}:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "ASIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    client = AwsClient("us-east-1", "aws", lambda: 20.0)
    try:
        yield client
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


def bundle(folder: Path, *authorities: Authority) -> str:
    file = folder / "bundle.pem"
    file.write_bytes(b"# a comment\n".join(authority.pem for authority in authorities))
    return str(file)


def call(client: AwsClient) -> object:
    return client.json_call("dynamodb", "Op", "T", "table t", {})


def authorities_read() -> int:
    (trust,) = connection.trusts
    return trust.authorities


@pytest.fixture(params=["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def variable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the variable that names the file of authorities."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    return str(request.param)


def test_amazons_authorities_are_enough_for_amazons_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, bundle(tmp_path, *MANY, AMAZON, OTHER))
    for host in ("localhost", "127.0.0.1"):
        with serving(AMAZON.server(tmp_path, host), monkeypatch, host) as client:
            assert call(client) == {}
            assert authorities_read() == 1


def test_any_authority_of_the_file_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, bundle(tmp_path, *MANY, AMAZON, OTHER))
    with serving(OTHER.server(tmp_path, "localhost"), monkeypatch) as client:
        assert call(client) == {}
        assert authorities_read() == 19


@pytest.mark.parametrize("read", [(OTHER,), (*MANY, OTHER)])
def test_a_file_without_amazons_authorities_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, read: tuple[Authority, ...]
) -> None:
    monkeypatch.setenv(variable, bundle(tmp_path, *read))
    with serving(OTHER.server(tmp_path, "localhost"), monkeypatch) as client:
        assert call(client) == {}
        assert authorities_read() == len(read)


def _wrong_host(folder: Path) -> ssl.SSLContext:
    return AMAZON.server(folder, "dynamodb.us-east-1.amazonaws.com")


def _wrong_address(folder: Path) -> ssl.SSLContext:
    return AMAZON.server(folder, "127.0.0.1")


def _self_signed(folder: Path) -> ssl.SSLContext:
    return self_signed(folder, "localhost")


def _expired(folder: Path) -> ssl.SSLContext:
    return AMAZON.server(folder, "localhost", expired=True)


def _unknown(folder: Path) -> ssl.SSLContext:
    return Authority.named("Amazon", "Amazon Root CA of a test").server(folder, "localhost")


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (_wrong_host, "Hostname mismatch"),
        (_wrong_address, "Hostname mismatch"),
        (_self_signed, "self-signed certificate"),
        (_expired, "certificate has expired"),
        (_unknown, "unable to get local issuer certificate|certificate signature failure"),
    ],
)
def test_a_server_that_is_not_who_it_says_is_not_spoken_to(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    certificate: Callable[[Path], ssl.SSLContext],
    reason: str,
) -> None:
    monkeypatch.setenv(variable, bundle(tmp_path, *MANY, AMAZON, OTHER))
    _Handler.asked = 0
    with serving(certificate(tmp_path), monkeypatch) as client, pytest.raises(AwsCallError, match=reason):
        call(client)
    assert _Handler.asked == 0


def test_a_bundle_goes_before_what_the_system_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle(tmp_path, *MANY, AMAZON))
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle(tmp_path / "own", OTHER))
    with serving(AMAZON.server(tmp_path, "localhost"), monkeypatch) as client, pytest.raises(AwsCallError):
        call(client)
    with serving(OTHER.server(tmp_path, "localhost"), monkeypatch) as client:
        assert call(client) == {}


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n" * 20])
def test_a_bundle_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "no.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with (
        serving(OTHER.server(tmp_path, "localhost"), monkeypatch) as client,
        pytest.raises(ConfigurationError, match=f"AWS_CA_BUNDLE is `{json.dumps(str(file))[1:-1]}`"),
    ):
        call(client)
