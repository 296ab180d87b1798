"""From a template's text to its JSON value; YAML is read with its short forms."""

from __future__ import annotations

import importlib
import importlib.util
import json
from functools import cache
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.cloudformation.errors import not_here, template_error, validation_error
from treadle_local.cloudformation.json_values import is_object

# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAXIMUM_INLINE_BYTES = 51_200
MAXIMUM_STORED_BYTES = 1_000_000

# Short forms whose long form is not `Fn::` and the tag's name.
_PLAIN_TAGS = frozenset({"Ref", "Condition"})


def check_inline_size(text: str) -> None:
    """Refuses a TemplateBody that AWS refuses for its length. Raises: ValidationError."""
    if len(text.encode()) > MAXIMUM_INLINE_BYTES:
        raise validation_error(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAXIMUM_INLINE_BYTES}"
        )


def check_stored_size(text: bytes) -> None:
    """Refuses a template at a TemplateURL that AWS refuses for its length. Raises: ValidationError."""
    if len(text) > MAXIMUM_STORED_BYTES:
        raise validation_error(f"Template may not exceed {MAXIMUM_STORED_BYTES} bytes in size.")


def read(text: str) -> dict[str, Any]:
    """The template's JSON value. Raises: ValidationError for text that is neither JSON nor YAML of an object."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text, object_pairs_hook=_without_repetition)
        except json.JSONDecodeError as error:
            raise template_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None
    else:
        value = _read_yaml(text)
    if not is_object(value):
        raise template_error("unsupported structure.")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _repeated(name)
            seen.add(name)
    return value


def _repeated(name: str) -> AwsError:
    return template_error(f"duplicate key: {name}")


def _read_yaml(text: str) -> Any:
    if importlib.util.find_spec("yaml") is None:
        raise not_here("A template in YAML, where PyYAML is not installed,")
    yaml = importlib.import_module("yaml")
    try:
        return yaml.load(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise template_error(f"YAML not well-formed.{where}") from None
    except yaml.YAMLError:
        raise template_error("YAML not well-formed.") from None


@cache
def _loader() -> Any:
    """A safe YAML loader that reads `!GetAtt a.b` as `{"Fn::GetAtt": "a.b"}` and dates as text."""
    yaml = importlib.import_module("yaml")

    def construct_function(loader: Any, tag: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            argument = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            argument = loader.construct_sequence(node, deep=True)
        else:
            argument = loader.construct_mapping(node, deep=True)
        return {tag if tag in _PLAIN_TAGS else f"Fn::{tag}": argument}

    def construct_object(loader: Any, node: Any) -> dict[str, Any]:
        loader.flatten_mapping(node)
        return _without_repetition(
            [
                (str(loader.construct_object(key)), loader.construct_object(value, deep=True))
                for key, value in node.value
            ]
        )

    loader: Any = type("TemplateLoader", (yaml.SafeLoader,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    loader.add_constructor("tag:yaml.org,2002:map", construct_object)
    loader.add_multi_constructor("!", construct_function)
    return loader
