"""GetParameter(s), GetParametersByPath, GetParameterHistory and DescribeParameters.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from treadle_local.aws.errors import AwsError
from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Result
from treadle_local.ssm.filters import Filter, older_filters, parse_filters
from treadle_local.ssm.parameters import Parameter, Store, Version, described
from treadle_local.ssm.refusals import constraint, invalid

T = TypeVar("T")
_NAMES_LIMIT = 10
_PATH_PAGE = 10
_PAGE, _DEFAULT_PAGE = 50, 10


def get_parameter(store: Store, params: Params) -> Result:
    parameter, version, selector = store.select(str(params.get("Name", "")))
    return {"Parameter": _shown(parameter, version, params, selector)}


def get_parameters(store: Store, params: Params) -> Result:
    """Those that there are, each once; the names of the others are InvalidParameters."""
    names = list(dict.fromkeys(str(name) for name in params.get("Names") or ()))
    if not 1 <= len(names) <= _NAMES_LIMIT:
        raise constraint(f"[{', '.join(names)}]", "names", f"have length less than or equal to {_NAMES_LIMIT}")
    found: list[Result] = []
    missing: list[str] = []
    for name in names:
        try:
            parameter, version, selector = store.select(name)
        except AwsError:
            missing.append(name)
        else:
            found.append(_shown(parameter, version, params, selector))
    return {"Parameters": found, "InvalidParameters": missing}


def get_parameters_by_path(store: Store, params: Params) -> Result:
    path = str(params.get("Path", ""))
    if not path.startswith("/"):
        raise invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "
            'slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, '
            "numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not "
            'allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
            "/get/parameters2-/by1./path0_."
        )
    prefix = path if path.endswith("/") else f"{path}/"
    is_recursive = bool(params.get("Recursive"))
    filters = parse_filters(params.get("ParameterFilters") or (), by_path=True)

    def is_below(parameter: Parameter) -> bool:
        rest = parameter.name[len(prefix) :]
        return parameter.name.startswith(prefix) and bool(rest) and (is_recursive or "/" not in rest)

    below = _filtered(filter(is_below, store), filters)
    found, answer = _page(below, lambda one: one.name, params, _PATH_PAGE, _PATH_PAGE)
    label = next((wanted.values[0] for wanted in filters if wanted.key == "Label"), "")
    shown = [_shown(parameter, parameter.version(label), params, f":{label}" if label else "") for parameter in found]
    return {"Parameters": shown, **answer}


def describe_parameters(store: Store, params: Params) -> Result:
    newer, older = params.get("ParameterFilters") or (), params.get("Filters") or ()
    if newer and older:
        raise invalid("You can use either Filters or ParameterFilters in a single request.")
    filters = parse_filters(newer, by_path=False) if newer else older_filters(older)
    matching = _filtered(store, filters)
    found, answer = _page(matching, lambda one: one.name, params, _PAGE, _DEFAULT_PAGE)
    shown = [{**described(parameter, parameter.latest), "ARN": parameter.arn} for parameter in found]
    return {"Parameters": shown, **answer}


def get_parameter_history(store: Store, params: Params) -> Result:
    parameter = store.at(params.get("Name"))
    found, answer = _page(parameter.versions, lambda one: f"{one.number:012d}", params, _PAGE, _PAGE)
    decrypted = bool(params.get("WithDecryption"))
    shown = [
        {
            **described(parameter, version),
            "Value": version.shown(decrypted=decrypted),
            "Labels": list(version.labels),
        }
        for version in found
    ]
    return {"Parameters": shown, **answer}


def _shown(parameter: Parameter, version: Version, params: Params, selector: str) -> Result:
    shown: Result = {
        "Name": parameter.name,
        "Type": version.type,
        "Value": version.shown(decrypted=bool(params.get("WithDecryption"))),
        "Version": version.number,
        "LastModifiedDate": version.modified,
        "ARN": parameter.arn,
        "DataType": version.data_type,
    }
    return {**shown, "Selector": selector} if selector else shown


def _filtered(parameters: Iterable[Parameter], filters: Iterable[Filter]) -> list[Parameter]:
    wanted = list(filters)
    return [parameter for parameter in parameters if all(one.matches(parameter) for one in wanted)]


def _page(
    things: Iterable[T], key: Callable[[T], str], params: Params, most: int, default: int
) -> tuple[list[T], dict[str, Any]]:
    size = params.get("MaxResults", default)
    if not isinstance(size, int) or not 1 <= size <= most:
        raise constraint(size, "maxResults", f"have value between 1 and {most}")
    try:
        found, token = page(things, key, size, params.get("NextToken"))
    except ValueError:
        raise AwsError("InvalidNextToken", "The specified token isn't valid.") from None
    return found, {} if token is None else {"NextToken": token}
