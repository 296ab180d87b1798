"""Templates in which one resource fails, wherever it stands."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, cast

from support.dev import Dev
from support.templates import Json, template

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def client(emulator: Dev) -> CloudFormationClient:
    return cast("CloudFormationClient", emulator.client("cloudformation"))


def failing(resources: dict[str, Json], victim: str) -> str:
    """The template in which nothing but the victim is wrong, and all that does not need it comes before it."""
    bad = deepcopy(resources[victim])
    bad.setdefault("Properties", {})["NoSuchProperty"] = 1
    return template({**{name: each for name, each in resources.items() if name != victim}, victim: bad})
