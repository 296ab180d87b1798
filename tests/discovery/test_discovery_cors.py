"""CORS headers that steps set, beside those of the API."""

from __future__ import annotations

import pytest

from support.discovered import Find, api, codes, event, one, only


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        ('{"Access-Control-Allow-Origin": "https://shop.example"}', 11),
        ('{\n"access-control-allow-origin": req["headers"]["origin"]}', 12),
        ('{"Access-Control-Allow-Origin": "*",\n"Access-Control-Allow-Credentials": "true"}', 12),
        ('{"Access-Control-Expose-Headers": "x-total"}', 11),
    ],
)
def test_a_header_that_does_not_reach_the_browser_is_told(find: Find, headers: str, line: int) -> None:
    found = only(find(one(api(body=f'return {{"headers": {headers}}}'))), "cors-header-dropped")
    assert found.severity == "warning"
    assert str(found.where) == f"steps/a_step.py:{line}"


def test_a_header_set_in_a_helper_is_told_once(find: Find) -> None:
    helper = 'def shared(response):\n    response["headers"]["ACCESS-CONTROL-ALLOW-ORIGIN"] = "null"\n'
    step = f"from helper import shared\n{api()}"
    other = step.replace("Hello", "Other").replace("/hello", "/other")
    found = only(find({"steps/a_step.py": step, "steps/b_step.py": other, "helper.py": helper}), "cors-header-dropped")
    assert str(found.where) == "helper.py:2"


@pytest.mark.parametrize(
    "source",
    [
        api(body='return {"headers": {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET"}}'),
        event(body='print({"Access-Control-Allow-Origin": "https://shop.example"})'),
    ],
)
def test_headers_that_say_the_same_and_steps_without_routes_are_left_alone(find: Find, source: str) -> None:
    assert "cors-header-dropped" not in codes(find(one(source)))
