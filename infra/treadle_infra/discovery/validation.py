"""From what a pydantic model says of a config to findings, in Motia's words where Motia has words for it."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from treadle_infra.app.findings import Finding, error
from treadle_infra.discovery.config_models import closest
from treadle_infra.discovery.places import ConfigPlaces, Keys

M = TypeVar("M", bound=BaseModel)

KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "True or False",
    "list_type": "a list",
    "dict_type": "a dict",
    "function_type": "a function",
    "model_type": "a dict",
    "model_attributes_type": "a dict",
}


def validate(
    model: type[M], data: object, places: ConfigPlaces, findings: list[Finding], code: str, above: Keys = ()
) -> M | None:
    """The config as a `model`; None after adding what is wrong with it to `findings`.

    `above`: the keys under which `data` stands in the config.
    """
    try:
        return model.model_validate(data)
    except ValidationError as problems:
        every = problems.errors(include_url=False)
        findings.extend(_finding(details, model, places, code, above) for details in every)
        return None


def _finding(details: ErrorDetails, model: type[BaseModel], places: ConfigPlaces, code: str, above: Keys) -> Finding:
    keys = (*above, *details["loc"])
    name = dotted(keys)
    given: object = details["input"]
    where = places.of(*keys)
    context: dict[str, Any] = details.get("ctx") or {}
    match details["type"]:
        case "treadle":
            return error(context["code"], context["message"], where, context["hint"])
        case "missing":
            return error(code, f"`{name}` is required", where)
        case "extra_forbidden":
            known = known_keys(model, details["loc"][:-1])
            hint = closest(str(keys[-1]), known) or f"the keys are: {', '.join(sorted(known))}"
            return error(code, f"Unrecognized key(s) in object: '{name}'", where, hint)
        case "too_short":
            return error(code, f"`{name}` must not be empty", where)
        case "literal_error":
            return error(code, f"`{name}` must be one of {context['expected']}; got {shown(given)}", where)
        case kind if kind in KINDS:
            return error(code, f"`{name}` must be {KINDS[kind]}; got {shown(given)}", where)
        case _:
            return error(code, f"`{name}`: {details['msg']}", where)


def dotted(keys: Keys) -> str:
    """The keys as one would write them: `infrastructure.queue.maxRetries`, `emits[1].topic`."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def shown(value: object) -> str:
    """A value for a message: short, and as it stands in Python."""
    text = repr(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"


def known_keys(model: type[BaseModel], keys: Keys) -> list[str]:
    """The keys that an object inside the config can have."""
    current: type[BaseModel] | None = model
    for key in keys:
        if current is None or isinstance(key, int):
            continue
        found = [field for name, field in current.model_fields.items() if key in (name, field.alias)]
        current = _model_in(found[0].annotation) if found else None
    return [] if current is None else [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that an annotation such as `list[Model] | None` has in it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
