"""Writes what CloudFormation knows of resource types from AWS's published schemas; `--check` exits 1 where one differs.

The schemas come with cfn-lint, which carries them offline. Of each type that has a provider in the emulator, a small
file is written that has only what the emulator reads; of all others the name.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "localstack"))

from treadle_local.cloudformation.providers.registry import PROVIDERS  # noqa: E402
from treadle_local.cloudformation.schemas.published import FOLDER, NAMES_FILE, file_name  # noqa: E402

Json = dict[str, Any]

_LIMITS = (
    *("additionalProperties", "enum", "insertionOrder", "maxItems", "maxLength", "maximum", "minItems", "minLength"),
    *("minimum", "required", "type", "uniqueItems"),
)
_LISTS = {
    "conditionalCreateOnlyProperties": "conditionalCreateOnly",
    "createOnlyProperties": "createOnly",
    "primaryIdentifier": "primaryIdentifier",
    "readOnlyProperties": "readOnly",
    "writeOnlyProperties": "writeOnly",
}
_DEFINITIONS = "#/definitions/"


def expected_files() -> dict[Path, str]:
    """The text of every generated file."""
    published = _published()
    files = {FOLDER / file_name(kind): _text(_extract(kind, published(kind))) for kind in PROVIDERS}
    files[NAMES_FILE] = "".join(f"{kind}\n" for kind in _type_names())
    return files


def _data() -> Path:
    found = find_spec("cfnlint")
    if found is None or found.origin is None:
        sys.exit("cfn-lint is not installed: run `make setup`")
    return Path(found.origin).parent / "data" / "schemas"


def _index() -> dict[str, str]:
    index: dict[str, str] = json.loads((_data() / "providers" / "us-east-1.json").read_text())
    return index


def _type_names() -> list[str]:
    return sorted(kind for kind in _index() if kind.startswith("AWS::"))


def _published() -> Any:
    index, folder = _index(), _data() / "resources"

    def read(kind: str) -> Json:
        if kind not in index:
            sys.exit(f"AWS publishes no schema of {kind}")
        schema: Json = json.loads((folder / f"{index[kind]}.json").read_text())
        return schema

    return read


def _extract(kind: str, schema: Json) -> Json:
    """What the emulator needs of one type's schema."""
    definitions: Json = schema.get("definitions", {})
    properties = {name: _shape(value) for name, value in schema["properties"].items()}
    used: dict[str, Json] = {}
    _follow(properties, definitions, used)
    extracted: Json = {
        "type": kind,
        "attributes": _attributes(kind),
        "definitions": used,
        "properties": properties,
        "readable": "read" in schema.get("handlers", {}),
        "required": sorted(schema.get("required", [])),
        "requiredAny": _required_any(schema),
        "tags": schema.get("tagging", {}).get("tagProperty", "/properties/Tags").removeprefix("/properties/"),
    }
    for member, name in _LISTS.items():
        extracted[name] = sorted(path.removeprefix("/properties/") for path in schema.get(member, []))
    if extracted["tags"] not in properties:
        del extracted["tags"]
    return {name: value for name, value in sorted(extracted.items()) if value not in ([], {})}


def _attributes(kind: str) -> list[str]:
    """The names that Fn::GetAtt may ask for: those that are read-only, and a few more of old types."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).get_atts
    return sorted(found)


def _shape(value: Json) -> Json:
    """One shape of JSON Schema, without descriptions and without what is only of use to cfn-lint."""
    alternatives: list[Json] = [
        each for word in ("oneOf", "anyOf", "allOf") for each in value.get(word, []) if _has_shape(each)
    ]
    if alternatives:
        return _shape(_merged(value, alternatives))
    shape: Json = {name: value[name] for name in _LIMITS if name in value}
    if shape.get("additionalProperties") is False or not isinstance(shape.get("additionalProperties", {}), dict):
        del shape["additionalProperties"]
    elif "additionalProperties" in shape:
        shape["additionalProperties"] = _shape(shape["additionalProperties"])
    if value.get("format") == "json" and "type" not in value:
        return {"type": ["object", "string"]}
    if "const" in value:
        shape["enum"] = [value["const"]]
    if "$ref" in value:
        shape["$ref"] = value["$ref"]
    if "pattern" in value and _is_readable(value["pattern"]):
        shape["pattern"] = value["pattern"]
    if "items" in value:
        shape["items"] = _shape(value["items"])
    if value.get("properties") and value.get("type", "object") != "array":
        shape["properties"] = {name: _shape(each) for name, each in value["properties"].items()}
    if "patternProperties" in value:
        shape["patternProperties"] = {key: _shape(each) for key, each in value["patternProperties"].items()}
    if needed := _required_any(value):
        shape["requiredAny"] = needed
    return shape


def _has_shape(value: Json) -> bool:
    return bool({"$ref", "properties", "items", "patternProperties"} & value.keys())


def _merged(value: Json, alternatives: list[Json]) -> Json:
    """One shape for all alternatives: the first that is no free JSON, with the members of all of them."""
    rest = {name: each for name, each in value.items() if name not in ("oneOf", "anyOf", "allOf", "type", "format")}
    members = {name: each for one in alternatives for name, each in one.get("properties", {}).items()}
    first = {name: each for name, each in alternatives[0].items() if name != "required" or len(alternatives) == 1}
    return {**rest, **first, **({"properties": {**rest.get("properties", {}), **members}} if members else {})}


def _required_any(value: Json) -> list[list[str]]:
    """The sets of members of which at least one set must be there."""
    needed: list[list[str]] = []
    for word in ("anyOf", "oneOf"):
        alternatives: list[Json] = value.get(word, [])
        if alternatives and all(each.keys() == {"required"} for each in alternatives):
            needed = [sorted(each["required"]) for each in alternatives]
    return needed


def _is_readable(pattern: str) -> bool:
    """Whether Python's `re` takes a pattern: Unicode's classes, as in `\\p{L}`, it does not know."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _follow(value: Any, definitions: Json, used: dict[str, Json]) -> None:
    """Adds all definitions that a shape leads to."""
    if isinstance(value, list):
        for each in value:
            _follow(each, definitions, used)
    if not isinstance(value, dict):
        return
    target = value.get("$ref")
    if isinstance(target, str):
        name = target.removeprefix(_DEFINITIONS)
        if name not in used:
            used[name] = _shape(definitions[name])
            _follow(used[name], definitions, used)
    for each in value.values():
        _follow(each, definitions, used)


def _text(extracted: Json) -> str:
    return json.dumps(extracted, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    files = expected_files()
    stale = {path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    stale |= {path for path in FOLDER.glob("*.json") if path not in files}
    if "--check" in sys.argv[1:]:
        if stale:
            names = ", ".join(sorted(path.name for path in stale))
            sys.exit(f"generated schemas are out of date ({names}): run `python tools/write_resource_schemas.py`")
        return
    FOLDER.mkdir(exist_ok=True)
    for path in sorted(stale):
        if path in files:
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()


if __name__ == "__main__":
    main()
