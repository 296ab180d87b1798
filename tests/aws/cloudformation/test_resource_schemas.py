"""Properties of resources, held against the schemas that AWS publishes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.templates import Json
from treadle_local.cloudformation.providers.registry import PROVIDERS


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
def test_properties_are_those_of_aws_and_replace_where_aws_replaces(kind: str) -> None:
    """Held against the resource schemas that AWS publishes, as cfn-lint carries them."""
    found = find_spec("cfnlint")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "data" / "schemas"
    file = json.loads((folder / "providers" / "us-east-1.json").read_text())[kind]
    published: Json = json.loads((folder / "resources" / f"{file}.json").read_text())

    def names(member: str) -> set[str]:
        return {path.removeprefix("/properties/") for path in published.get(member, [])}

    schema = PROVIDERS[kind].schema
    known: set[str] = (
        set(schema.properties.members) | schema.properties.elsewhere | ({"Tags"} if schema.tags else set())
    )
    assert known == set(published["properties"]) - names("readOnlyProperties")
    assert names("createOnlyProperties") & set(schema.properties.members) <= schema.create_only
    assert set(schema.properties.required) >= set(published.get("required", []))
