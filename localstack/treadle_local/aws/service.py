"""What every emulated AWS service is to the endpoint: operations by AWS's own names, over AWS's own shapes."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

Params = Mapping[str, Any]
Result = dict[str, Any]

ACCOUNT_ID = "000000000000"


@dataclass(frozen=True, slots=True)
class Region:
    """Where the emulator pretends to be; all ARNs are built here."""

    name: str = "us-east-1"
    account: str = ACCOUNT_ID

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.name}:{self.account}:{resource}"


class Caller(NamedTuple):
    """Who calls. `role` is None for the account's root, which may do everything."""

    access_key: str = "root"
    role: str | None = None
    session: str = ""

    @property
    def arn(self) -> str:
        if self.role is None:
            return f"arn:aws:iam::{ACCOUNT_ID}:root"
        return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{self.role}/{self.session}"


ROOT = Caller()


_NO_KEYS: Mapping[str, str | Sequence[str]] = MappingProxyType({})


class Target(NamedTuple):
    """One thing that a call wants to do: an IAM action on a resource ARN, with the condition keys it brings.

    A call may want several (a transaction over two tables).
    """

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = _NO_KEYS


class Service(Protocol):
    """One AWS service in the emulator. All methods run on the event loop's thread."""

    def handle(self, operation: str, params: Params, caller: Caller) -> Result | Awaitable[Result]:
        """Does the operation and returns its response shape.

        Answers at once wherever it can, and with an awaitable only where it must wait (long polling, an invocation):
        the hot path costs no task. Raises AwsError; an operation that is not there is `UnknownOperationException`.
        """
        ...

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """What the caller must be allowed to do for this call."""
        ...
