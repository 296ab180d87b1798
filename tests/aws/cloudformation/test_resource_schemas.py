"""What is known of resource types: the generated files, and what the providers make of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from treadle_local.cloudformation.providers.registry import PROVIDERS
from treadle_local.cloudformation.schemas.published import published, type_names

ROOT = Path(__file__).parents[3]


def test_the_generated_files_are_those_that_the_tool_writes_from_cfn_lint() -> None:
    done = subprocess.run(
        [sys.executable, "tools/write_resource_schemas.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_provided_type_is_a_type_of_aws() -> None:
    assert set(PROVIDERS) <= type_names()


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
def test_properties_are_those_of_aws_and_replace_where_aws_replaces(kind: str) -> None:
    schema, aws = PROVIDERS[kind].schema, published(kind)
    known: set[str | None] = {*schema.properties.members, *schema.properties.elsewhere}
    known |= {aws.tags} if schema.tags else set()
    assert known == set(aws.properties) - aws.read_only
    assert schema.create_only >= aws.create_only & set(schema.properties.members)
    assert schema.create_only >= aws.conditional_create_only & set(schema.properties.members)
    assert set(schema.properties.required) >= set(aws.required)
    assert (schema.tags is not None) == (aws.tags is not None)


@pytest.mark.parametrize("kind", sorted(PROVIDERS))
def test_attributes_are_those_that_aws_lets_a_template_ask_for(kind: str) -> None:
    assert PROVIDERS[kind].schema.attributes <= published(kind).attributes
