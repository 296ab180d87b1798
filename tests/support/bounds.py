"""Bounds of AWS: what is taken at n and refused at n + 1, and clients that check nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from support.aws import refusal
from support.dev import Dev

Settings = Mapping[str, Any]


@contextmanager
def unchecked(emulator: Dev, service: str) -> Generator[Any]:
    """A boto3 client that sends what it is given, for what botocore's own checks would keep from the service."""
    session: Any = boto3.session.Session(region_name="us-east-1")
    client = session.client(
        service,
        endpoint_url=emulator.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    try:
        yield client
    finally:
        client.close()


def check_bound(call: Callable[..., object], taken: Settings, refused: Settings, code: str, words: str) -> None:
    """Passes when the call takes the one and refuses the other, with this code and these words in its message."""
    call(**taken)
    found, message = refusal(call, **refused)
    assert (found, words in message) == (code, True), f"{found}: {message[:500]}"
