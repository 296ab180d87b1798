"""What a deployment or a removal tells while it goes on; how it looks is the caller's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from treadle_infra.deploy.origins import Origin

Progress = Literal["started", "done", "failed", "kept"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Where it goes; `endpoint_url` is None on AWS itself."""

    stack: str
    account: str
    region: str
    identity: str
    endpoint_url: str | None


@dataclass(frozen=True, slots=True)
class Working:
    """Something that takes a while begins."""

    text: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The zips of the functions are where AWS finds them; `sent` of them were not there yet."""

    artifacts: int
    sent: int
    sent_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ResourceMoved:
    """AWS began or ended something with one resource.

    `verb` is what it does or did: `create`, `update`, `delete`, `import`; `undoing` while a failed change is rolled
    back. `seconds` since the change began.
    """

    logical_id: str
    type: str
    origin: Origin
    verb: str
    progress: Progress
    reason: str | None
    undoing: bool
    seconds: float


Happening = SignedIn | Working | Uploaded | ResourceMoved
Tell = Callable[[Happening], None]
