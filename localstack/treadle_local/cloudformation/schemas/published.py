"""What AWS publishes of a resource type, read from the files that `tools/write_resource_schemas.py` writes.

A file is read when its type is first met: a stack pays for the types that it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "types"
NAMES_FILE = Path(__file__).parent / "type_names.txt"


@dataclass(frozen=True, slots=True)
class Published:
    """One type. Paths of nested properties are written with slashes, `*` for each item: `Rules/*/Prefix`.

    `properties` and `definitions` are shapes of JSON Schema. `attributes` are what Fn::GetAtt may ask for. `tags` is
    the property that holds the tags. Only what is `readable` is ever checked for drift.
    """

    type: str
    properties: Mapping[str, Any]
    definitions: Mapping[str, Any]
    required: tuple[str, ...]
    required_any: tuple[tuple[str, ...], ...]
    create_only: frozenset[str]
    conditional_create_only: frozenset[str]
    read_only: frozenset[str]
    write_only: frozenset[str]
    primary_identifier: tuple[str, ...]
    attributes: frozenset[str]
    tags: str | None
    readable: bool


@cache
def published(kind: str) -> Published:
    """What is published of a type that the emulator provides. Raises: FileNotFoundError for any other."""
    file: dict[str, Any] = json.loads((FOLDER / file_name(kind)).read_bytes())
    return Published(
        type=kind,
        properties=file["properties"],
        definitions=file.get("definitions", {}),
        required=tuple(file.get("required", ())),
        required_any=tuple(tuple(names) for names in file.get("requiredAny", ())),
        create_only=frozenset(file.get("createOnly", ())),
        conditional_create_only=frozenset(file.get("conditionalCreateOnly", ())),
        read_only=frozenset(file.get("readOnly", ())),
        write_only=frozenset(file.get("writeOnly", ())),
        primary_identifier=tuple(file.get("primaryIdentifier", ())),
        attributes=frozenset(file.get("attributes", ())),
        tags=file.get("tags"),
        readable=file["readable"],
    )


@lru_cache(maxsize=1)
def type_names() -> frozenset[str]:
    """The names of all types that AWS has, those that the emulator does not provide included."""
    return frozenset(NAMES_FILE.read_text(encoding="utf-8").split())


def file_name(kind: str) -> str:
    """The file of a type.

    >>> file_name("AWS::SQS::Queue")
    'aws-sqs-queue.json'
    """
    return f"{kind.replace('::', '-').lower()}.json"
