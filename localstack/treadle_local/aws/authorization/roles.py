"""What is known of a role where calls are decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RolePolicies:
    """A role's trust policy, its inline and attached policies and its permissions boundary, as JSON values."""

    trust: Document
    documents: tuple[Document, ...]
    boundary: Document | None = None
    arn: str = ""
    id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    longest_session_seconds: int = 3600
