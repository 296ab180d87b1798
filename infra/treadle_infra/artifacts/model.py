"""An artifact: the zip of one step's function, named after what went into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Artifact:
    """`key` is the SHA-256 (hex) of what went into the zip; `path` is where it lies; `size` is in bytes, unzipped."""

    key: str
    path: Path
    size: int = 0
