"""`treadle openapi`: the document is valid OpenAPI 3.1 and says what the steps say; a validator of others judges it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.command import treadle
from support.discovered import Files, write
from support.projects import EXAMPLES
from support.schemas import some_document
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import App, HttpTrigger, Json, Step
from treadle_infra.artifacts.bundle import BundleOptions
from treadle_infra.compile import CompileOptions
from treadle_infra.discovery.discover import DiscoverOptions
from treadle_infra.interface.components import references
from treadle_infra.interface.openapi import DocumentInfo, openapi_document
from treadle_infra.interface.project import project_openapi

HANDLER = '\n\nasync def handler(req, context):\n    return {"status": 200, "body": {}}\n'


def api(name: str, method: str, path: str, extra: str = "", before: str = "") -> str:
    keys = f'"type": "api", "name": "{name}", "method": "{method}", "path": r"{path}", {extra}'
    return f"{before}\nconfig = {{{keys}}}{HANDLER}"


def document_of(folder: Path, files: Files) -> Any:
    """The project's document, which is valid."""
    write(folder, files)
    document, _ = project_openapi(folder, CompileOptions(DiscoverOptions(), BundleOptions(folder / ".treadle")))
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()
    return document


def document_of_schemas(*schemas: Json) -> Any:
    """The document of steps that have these schemas for their bodies."""
    steps = tuple(
        Step(f"S{number}", SourceLocation("a_step.py"), (HttpTrigger("POST", f"/{number}", body_schema=schema),))
        for number, schema in enumerate(schemas)
    )
    document: Any = openapi_document(App("app", steps), DocumentInfo("app", "1"), lambda _: ())
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()
    return document


def body_schema(document: Any, number: int = 0) -> Any:
    return document["paths"][f"/{number}"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def names(parameters: list[Any]) -> list[str]:
    return [parameter["name"] for parameter in parameters]


def test_a_route_has_its_parameters_its_body_its_answers_by_status_and_its_flows(tmp_path: Path) -> None:
    extra = (
        '"description": "Takes an order.", "flows": ["shop"], '
        '"queryParams": [{"name": "dry", "description": "Only try"}], '
        '"bodySchema": {"title": "Order", "type": "object", "properties": {"sku": {"type": "string"}}}, '
        '"responseSchema": {201: {"type": "object", "properties": {"id": {"type": "string"}}}, 409: None}'
    )
    files = {
        "steps/a_step.py": api("PlaceOrder", "POST", "/shops/:shop/orders", extra),
        "treadle.toml": 'name = "shop"\n',
    }

    document = document_of(tmp_path / "shop", files)

    assert (document["openapi"], document["info"]) == ("3.1.0", {"title": "shop", "version": "1.0.0"})
    item = document["paths"]["/shops/{shop}/orders"]
    operation = item["post"]
    assert (operation["operationId"], operation["description"]) == ("PlaceOrder", "Takes an order.")
    assert (operation["tags"], document["tags"]) == (["shop"], [{"name": "shop"}])
    assert names(item["parameters"]) == ["shop"]
    assert operation["parameters"] == [
        {"name": "dry", "in": "query", "schema": {"type": "string"}, "description": "Only try"}
    ]
    body = operation["requestBody"]
    assert body == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
    }
    assert list(operation["responses"]) == ["201", "400", "409", "500"]
    assert operation["responses"]["201"]["content"]["application/json"]["schema"]["properties"] == {
        "id": {"type": "string"}
    }
    assert "content" not in operation["responses"]["409"]
    refused = operation["responses"]["400"]["content"]["application/json"]["schema"]["anyOf"]
    assert [schema["$ref"].rpartition("/")[2] for schema in refused] == ["Error", "ValidationError"]


def test_what_is_answered_without_the_handler_is_there_only_where_it_can_happen(tmp_path: Path) -> None:
    condition = "def asked(input, context):\n    return True\n"
    files = {
        "steps/get_step.py": api("Get", "GET", "/a"),
        "steps/number_step.py": api("Number", "GET", r"/b/:id(\d+)"),
        "steps/warned_step.py": api("Warned", "POST", "/c", '"bodySchema": {"type": "object", "properties": {}}'),
        "steps/flow_step.py": f"{condition}config = {{'name': 'Flow', 'triggers': [{{'type': 'http', 'method': 'GET', "
        f"'path': '/d', 'condition': asked}}]}}{HANDLER}",
    }

    paths = document_of(tmp_path / "app", files)["paths"]

    assert list(paths["/a"]["get"]["responses"]) == ["500", "default"]
    assert list(paths["/b/{id}"]["get"]["responses"]) == ["404", "500", "default"]
    assert paths["/b/{id}"]["parameters"][0]["schema"]["pattern"] == r"^(?:\d+)$"
    warned = paths["/c"]["post"]["responses"]["400"]["content"]["application/json"]["schema"]
    assert warned == {"$ref": "#/components/schemas/Error"}
    assert list(paths["/d"]["get"]["responses"]) == ["422", "500", "default"]


def test_every_form_of_a_path_is_there_and_paths_that_differ_in_names_only_are_one(tmp_path: Path) -> None:
    files = {
        "steps/a_step.py": api("Get", "GET", "/users/:id"),
        "steps/b_step.py": api("Remove", "DELETE", "/users/:userId"),
        "steps/c_step.py": api("Optional", "GET", "/orders/:id?"),
        "steps/d_step.py": api("Range", "GET", "/from/:from-:to"),
        "steps/e_step.py": api("Rest", "GET", "/files/*"),
        "steps/f_step.py": api("Named", "GET", "/tree/*path"),
    }

    paths = document_of(tmp_path / "app", files)["paths"]

    assert list(paths) == [
        *("/files/{0}", "/from/{from}-{to}", "/orders", "/orders/{id}", "/tree/{path}", "/users/{id}"),
    ]
    assert names(paths["/from/{from}-{to}"]["parameters"]) == ["from", "to"]
    assert paths["/files/{0}"]["parameters"][0]["description"] == "May contain slashes."
    assert {"get", "delete"} < set(paths["/users/{id}"])
    assert paths["/users/{id}"]["delete"]["description"] == "`id` is `userId` to this step."
    assert [paths[path]["get"]["operationId"] for path in ("/orders/{id}", "/orders")] == ["Optional", "Optional.get"]


def test_an_applications_path_takes_every_method(tmp_path: Path) -> None:
    config = 'config = {"type": "api", "name": "Shop", "path": "/shop"}'
    source = f"{config}\n\n\nasync def app(scope, receive, send):\n    pass\n"

    paths = document_of(tmp_path / "app", {"steps/shop_step.py": source})["paths"]

    assert list(paths) == ["/shop", "/shop/{0}"]
    assert {"get", "post", "put", "patch", "delete"} <= set(paths["/shop"])
    assert list(paths["/shop"]["post"]["responses"]) == ["default"]


AUTH = """
async def auth(req, context, next):
    if not req["headers"].get("Authorization", "").startswith("{scheme} "):
        return {{"status": 401, "body": {{}}}}
    return await next()
"""


def test_the_headers_that_a_step_reads_are_its_security(tmp_path: Path) -> None:
    guarded = "import os, sys\nfrom middlewares.auth import auth"
    sends = 'import urllib.request\nHEADERS = {"Authorization": "Bearer x"}\n'
    files = {
        "middlewares/auth.py": AUTH.format(scheme="Bearer"),
        "steps/a_step.py": api("Guarded", "GET", "/a", '"middleware": [auth]', guarded),
        "steps/b_step.py": api("Basic", "GET", "/b", '"middleware": [auth]', AUTH.format(scheme="Basic")),
        "steps/c_step.py": api("Key", "GET", "/c", before='def key(req):\n    return req["headers"]["x-api-key"]\n'),
        "steps/d_step.py": api("Open", "GET", "/d", before=sends),
    }

    document = document_of(tmp_path / "app", files)

    found = {path: item["get"].get("security") for path, item in document["paths"].items()}
    assert found == {"/a": [{"bearer": []}], "/b": [{"basic": []}], "/c": [{"apiKey": []}], "/d": None}
    assert document["components"]["securitySchemes"]["apiKey"] == {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
    }


# schemas


def test_definitions_stand_once_and_another_of_the_same_name_gets_a_number() -> None:
    item: Json = {"type": "object", "properties": {"sku": {"type": "string"}}}
    other: Json = {"type": "object", "properties": {"sku": {"type": "integer"}}}
    ordered: Json = {"title": "Order", "properties": {"item": {"$ref": "#/$defs/Item"}}, "$defs": {"Item": item}}
    returned: Json = {"title": "Return", "properties": {"item": {"$ref": "#/$defs/Item"}}, "$defs": {"Item": item}}
    counted: Json = {"title": "Count", "items": {"$ref": "#/$defs/Item"}, "$defs": {"Item": other}}

    document = document_of_schemas(ordered, returned, counted, ordered)

    schemas = document["components"]["schemas"]
    assert set(schemas) == {"Order", "Return", "Count", "Item", "Item2", "Error"}
    assert schemas["Order"]["properties"]["item"] == schemas["Return"]["properties"]["item"]
    assert schemas["Count"]["items"] == {"$ref": "#/components/schemas/Item2"}
    assert body_schema(document, 3) == body_schema(document, 0) == {"$ref": "#/components/schemas/Order"}


def test_schemas_that_contain_themselves_stay_finite() -> None:
    tree: Json = {"$ref": "#/$defs/Node", "$defs": {"Node": {"properties": {"left": {"$ref": "#/$defs/Node"}}}}}
    own: Json = {"type": "object", "properties": {"next": {"$ref": "#"}, "same": {"$ref": "#/properties/next"}}}

    document = document_of_schemas(tree, own)

    schemas = document["components"]["schemas"]
    assert body_schema(document) == {"$ref": "#/components/schemas/Node"}
    assert schemas["Node"]["properties"]["left"] == {"$ref": "#/components/schemas/Node"}
    assert schemas["S1Body"]["properties"]["next"] == {"$ref": "#/components/schemas/S1Body"}
    assert schemas["S1Body"]["properties"]["same"] == {"$ref": "#/components/schemas/S1Body/properties/next"}


def test_a_discriminator_leads_to_the_same_schemas_as_the_union() -> None:
    cat: Json = {"type": "object", "properties": {"kind": {"const": "cat"}}}
    schema: Json = {
        "oneOf": [{"$ref": "#/$defs/Cat"}],
        "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat"}},
        "$defs": {"Cat": cat},
    }

    shown = body_schema(document_of_schemas(schema))

    assert (
        shown["discriminator"]["mapping"] == {"cat": shown["oneOf"][0]["$ref"]} == {"cat": "#/components/schemas/Cat"}
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "required": True}}},
        {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/x", "type": "object"},
        {"$ref": "https://example.com/elsewhere.json"},
        {"$ref": "#/$defs/Missing"},
        {"title": 3, "description": None, "examples": "no list", "deprecated": "yes"},
        True,
        {},
    ],
    ids=str,
)
def test_what_json_schema_does_not_have_is_left_out(schema: Json) -> None:
    document_of_schemas(schema)


@given(st.lists(some_document(), min_size=1, max_size=3))
def test_the_document_of_any_schemas_is_valid_and_no_reference_of_it_is_dead(bodies: list[Json]) -> None:
    document = document_of_schemas(*bodies)

    for reference in references(document):
        part = document
        for key in reference.removeprefix("#/").split("/"):
            part = part[key.replace("~1", "/").replace("~0", "~")]


# the command


def test_the_command_prints_the_document_and_writes_it_where_it_is_told(tmp_path: Path) -> None:
    project = EXAMPLES / "messaging"
    file = tmp_path / "api.json"

    shown = treadle("openapi", project)
    written = treadle(
        "openapi", "-C", project, "--output", file, "--title", "M", "--version", "2", "--server", "https://example.com"
    )

    assert (shown.code, written.code, written.out) == (0, 0, "")
    document = json.loads(file.read_text())
    assert document["info"] == {"title": "M", "version": "2"}
    assert document["servers"] == [{"url": "https://example.com"}]
    assert document["paths"] == shown.json()["paths"]
    assert list(document["paths"]) == ["/messages"]


def test_a_project_with_an_error_has_no_document(tmp_path: Path) -> None:
    write(tmp_path / "app", {"steps/a_step.py": api("A", "FETCH", "/a")})

    done = treadle("openapi", tmp_path / "app", "-o", tmp_path / "api.json")

    assert (done.code, done.out) == (1, "")
    assert "`method` must be one of" in done.err
    assert not (tmp_path / "api.json").exists()


def test_a_file_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    done = treadle("openapi", EXAMPLES / "messaging", "-o", tmp_path / "missing" / "api.json")

    assert done.code == 1
    assert "error[output-not-writable]" in done.err
