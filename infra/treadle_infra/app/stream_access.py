"""Streams of which nobody has said who may follow them."""

from __future__ import annotations

from collections.abc import Iterator

from treadle_infra.app.findings import Finding, warning
from treadle_infra.app.model import App


def undeclared_access(app: App) -> Iterator[Finding]:
    """What `treadle dev` lets everybody follow, and a stage on AWS nobody."""
    for stream in app.streams:
        if not (stream.checks_access or stream.is_open):
            yield warning(
                "stream-access-not-declared",
                f"nobody may follow the stream `{stream.name}` where it is deployed: it does not say who may",
                stream.where,
                'give it a `canAccess`, or `"access": "open"` where everybody may follow it',
            )
