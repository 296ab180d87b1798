"""What becomes of bodies and messages that do not fit: by step, by project, and for a plain Motia project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import pytest

from support.discovered import Files, Find, api, codes, event, one, only, step_of
from treadle_infra.app.model import Step
from treadle_infra.artifacts.manifest_slice import manifest_slice


def triggers(step: Step) -> list[dict[str, Any]]:
    found: Any = manifest_slice(step)["triggers"]
    return list(found)


SITE_PACKAGES = str(Path(pydantic.__file__).parents[1])
SCHEMA = '"bodySchema": {"type": "object", "title": "A", "required": ["a"]}, '


@pytest.mark.parametrize(
    ("files", "validation"),
    [
        ({}, "warn"),
        ({"pyproject.toml": '[project]\nname = "x"'}, "warn"),
        ({"pyproject.toml": "[tool.treadle]"}, "enforce"),
        ({"treadle.toml": ""}, "enforce"),
        ({"treadle.toml": 'validation = "off"'}, "off"),
        ({"treadle.toml": 'validation = "warn"'}, "warn"),
    ],
)
def test_validation_is_enforced_where_the_project_has_settings(find: Find, files: Files, validation: str) -> None:
    assert step_of(find({**files, **one(api(SCHEMA))})).validation == validation


def test_a_step_has_the_last_word(find: Find) -> None:
    files = {"treadle.toml": 'validation = "off"', **one(api(SCHEMA + '"validation": "enforce"'))}
    assert step_of(find(files)).validation == "enforce"


def test_the_functions_manifest_has_the_schema_without_what_says_nothing(find: Find) -> None:
    (trigger,) = triggers(step_of(find(one(api(SCHEMA)))))
    assert trigger == {
        "kind": "api",
        "routeKey": "GET /hello",
        "schema": {"type": "object", "required": ["a"]},
        "validation": "warn",
    }


def test_a_pydantic_class_is_checked_by_its_json_schema(find: Find) -> None:
    model = (
        "try:\n    from pydantic import BaseModel, Field\nexcept ImportError:\n    BaseModel = object\n\n\n"
        "class Order(BaseModel):\n    note: str | None = Field(None)\n\n\n"
    )
    found = find(one(model + event('"input": Order')), extra_paths=(SITE_PACKAGES,))
    (trigger,) = triggers(step_of(found))
    assert trigger["schema"] == {
        "properties": {"note": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "type": "object",
    }


@pytest.mark.parametrize("schema", ['"bodySchema": {}', '"bodySchema": True', '"bodySchema": {"title": "A"}'])
def test_a_schema_that_takes_everything_is_no_part_of_the_manifest(find: Find, schema: str) -> None:
    (trigger,) = triggers(step_of(find(one(api(schema)))))
    assert trigger == {"kind": "api", "routeKey": "GET /hello"}


def test_a_schema_is_no_part_of_the_manifest_where_validation_is_off(find: Find) -> None:
    step = step_of(find(one(api(SCHEMA + '"validation": "off"'))))
    assert manifest_slice(step)["triggers"] == [{"kind": "api", "routeKey": "GET /hello"}]


def test_a_keyword_that_is_not_checked_is_found_and_the_step_runs(find: Find) -> None:
    discovery = find(one(event('"input": {"properties": {"a": {"minLenght": 1}}}')))
    found = only(discovery, "schema-keyword-unchecked")

    assert (found.severity, str(found.where)) == ("warning", "steps/a_step.py:5")
    assert "`input` is checked without `properties.a.minLenght`" in found.message
    assert step_of(discovery).name == "Work"


def test_no_keyword_is_found_where_nothing_is_checked(find: Find) -> None:
    files = one(event('"input": {"minLenght": 1}, "validation": "off"'))
    assert "schema-keyword-unchecked" not in codes(find(files))


def test_a_wrong_word_for_validation_is_found(find: Find) -> None:
    in_step = only(find(one(api('"validation": "strict"'))), "step-config-invalid")
    assert (str(in_step.where), "must be one of 'enforce', 'warn' or 'off'" in in_step.message) == (
        "steps/a_step.py:6",
        True,
    )


def test_a_wrong_word_for_validation_in_the_project_is_found(find: Find) -> None:
    found = only(find({"treadle.toml": 'name = "a"\nvalidation = true'}), "project-setting-invalid")
    assert (str(found.where), "`enforce`, `warn` or `off`" in found.message) == ("treadle.toml:2", True)
