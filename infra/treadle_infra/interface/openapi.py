"""An App -> what its HTTP API looks like to its callers, as an OpenAPI 3.1 document.

Source: https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from treadle_infra.app.model import App, HttpMethod, HttpTrigger, Json, Step
from treadle_infra.app.paths import PathTemplate, path_template, segment_patterns
from treadle_infra.interface.components import Components
from treadle_infra.interface.credentials import Credentials

_JSON = "application/json"
_STATUS = re.compile(r"[1-5](?:\d\d|XX)|default")
_ANY: tuple[HttpMethod, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_SCHEMES: dict[Credentials, Json] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_ERROR: dict[str, Json] = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_DETAIL: Json = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
    "required": ["path", "message"],
}
_VALIDATION_ERROR: dict[str, Json] = {
    "type": "object",
    "properties": {"error": {"const": "Validation error"}, "details": {"type": "array", "items": _DETAIL}},
    "required": ["error", "details"],
}


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What stands at the head of the document; `servers` are the URLs under which the API answers."""

    title: str
    version: str
    servers: tuple[str, ...] = ()


def openapi_document(app: App, info: DocumentInfo, credentials: Callable[[Step], tuple[Credentials, ...]]) -> Json:
    """The document: paths in the order of the steps, the same for the same project."""
    return _Writer(credentials).document(app, info)


class _Writer:
    def __init__(self, credentials: Callable[[Step], tuple[Credentials, ...]]) -> None:
        self._credentials = credentials
        self._components = Components()
        self._schemes: dict[str, Json] = {}
        self._templates: dict[str, PathTemplate] = {}
        self._operation_ids: set[str] = set()

    def document(self, app: App, info: DocumentInfo) -> Json:
        document: dict[str, Json] = {"openapi": "3.1.0", "info": {"title": info.title, "version": info.version}}
        if info.servers:
            document["servers"] = [{"url": url} for url in info.servers]
        document["paths"] = self._paths(app)
        flows = dict.fromkeys(flow for step in app.steps if _routes(step) for flow in step.flows)
        if flows:
            document["tags"] = [{"name": flow} for flow in flows]
        components: dict[str, Json] = {}
        if self._components.schemas:
            components["schemas"] = self._components.schemas
        if self._schemes:
            components["securitySchemes"] = self._schemes
        return {**document, "components": components} if components else document

    def _paths(self, app: App) -> Json:
        paths: dict[str, dict[str, Json]] = {}
        for step in app.steps:
            for trigger in _routes(step):
                written = path_template(trigger.path)
                template = self._templates.setdefault(_shape(written), written)
                item = paths.setdefault(template.text, _path_item(template))
                for method in _ANY if trigger.method == "ANY" else (trigger.method,):
                    item.setdefault(method.lower(), self._operation(step, trigger, method, written, template))
        return {path: paths[path] for path in sorted(paths)}

    def _operation(
        self, step: Step, trigger: HttpTrigger, method: HttpMethod, written: PathTemplate, template: PathTemplate
    ) -> Json:
        operation: dict[str, Json] = {"operationId": self._operation_id(step, method), "summary": step.name}
        description = _description(step, written, template)
        if description:
            operation["description"] = description
        if step.flows:
            operation["tags"] = list(step.flows)
        if trigger.query_parameters:
            parameters = {one.name: _query_parameter(one.name, one.description) for one in trigger.query_parameters}
            operation["parameters"] = list(parameters.values())
        if trigger.body_schema is not None:
            schema = self._components.place(trigger.body_schema, f"{step.name}Body")
            operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
        elif method in _WITH_BODY and step.application is None:
            operation["requestBody"] = {"content": {_JSON: {"schema": {"type": ["object", "array"]}}}}
        operation["responses"] = self._responses(step, trigger, has_body="requestBody" in operation)
        used = self._credentials(step)
        if used:
            self._schemes.update({name: _SCHEMES[name] for name in used})
            operation["security"] = [{name: []} for name in used]
        return operation

    def _operation_id(self, step: Step, method: HttpMethod) -> str:
        """The step's name; with the method, or a number, where it has several operations."""
        names = [step.name, f"{step.name}.{method.lower()}"]
        names += [f"{names[1]}.{number}" for number in range(2, len(self._operation_ids) + 3)]
        name = next(name for name in names if name not in self._operation_ids)
        self._operation_ids.add(name)
        return name

    def _responses(self, step: Step, trigger: HttpTrigger, *, has_body: bool) -> Json:
        responses: dict[str, list[Json]] = {}
        for status, schema in trigger.response_schemas.items():
            if _STATUS.fullmatch(status):
                placed = True if schema is None else self._components.place(schema, f"{step.name}Response{status}")
                responses[status] = [] if placed is True else [placed]
        if not responses:
            responses["default"] = []
        for status, schema in self._refusals(step, trigger, has_body=has_body):
            documented = responses.get(status)
            if documented is None or documented:
                responses.setdefault(status, []).append(schema)
        return {status: _response(status, schemas) for status, schemas in sorted(responses.items())}

    def _refusals(self, step: Step, trigger: HttpTrigger, *, has_body: bool) -> Iterator[tuple[str, Json]]:
        """What is answered in the handler's stead."""
        if step.application is not None:
            return
        error = self._components.define("Error", _ERROR)
        if has_body:
            yield "400", error
            if step.validation == "enforce" and trigger.body_schema is not None:
                yield "400", self._components.define("ValidationError", _VALIDATION_ERROR)
        if segment_patterns(trigger.path):
            yield "404", error
        if trigger.condition is not None:
            yield "422", error
        yield "500", error


def _routes(step: Step) -> list[HttpTrigger]:
    return [trigger for trigger in step.triggers if isinstance(trigger, HttpTrigger)]


def _shape(template: PathTemplate) -> str:
    """The same for paths that differ only in the names of their parameters, which OpenAPI takes for one path."""
    return re.sub(r"\{[^}]*\}", "{}", template.text)


def _path_item(template: PathTemplate) -> dict[str, Json]:
    if not template.parameters:
        return {}
    return {"parameters": [_path_parameter(template, name) for name in template.parameters]}


def _path_parameter(template: PathTemplate, name: str) -> Json:
    schema: dict[str, Json] = {"type": "string", "minLength": 1}
    if name in template.expressions:
        schema["pattern"] = f"^(?:{template.expressions[name]})$"
    parameter: dict[str, Json] = {"name": name, "in": "path", "required": True, "schema": schema}
    if name in template.greedy:
        parameter["description"] = "May contain slashes."
    return parameter


def _query_parameter(name: str, description: str | None) -> Json:
    parameter: dict[str, Json] = {"name": name, "in": "query", "schema": {"type": "string"}}
    return {**parameter, "description": description} if description else parameter


def _description(step: Step, written: PathTemplate, template: PathTemplate) -> str:
    """The step's own words, and how it calls the parameters where the path has them under other names."""
    renamed = [
        f"`{ours}` is `{theirs}` to this step."
        for theirs, ours in zip(written.parameters, template.parameters, strict=True)
        if theirs != ours
    ]
    return "\n\n".join(filter(None, [step.description, " ".join(renamed)]))


def _response(status: str, schemas: list[Json]) -> Json:
    response: dict[str, Json] = {"description": _REASONS.get(status, "An answer of the step.")}
    if schemas:
        schema: Json = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        response["content"] = {_JSON: {"schema": schema}}
    return response


_REASONS = {
    "200": "Done.",
    "201": "Made.",
    "202": "Taken; the work goes on.",
    "204": "Done; there is nothing to say.",
    "400": "The request is not as it must be.",
    "401": "The caller has not said who they are.",
    "403": "The caller may not do this.",
    "404": "There is no such thing.",
    "409": "It does not go with what is there.",
    "422": "The step does not take this request.",
    "500": "The step failed; why stands in its log.",
    "default": "Whatever the step answers.",
}
