"""Paths of routes, from Express's form to API Gateway's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_infra.app.paths import gateway_path, path_problems, route_shape, without_optional

segments = st.one_of(
    st.from_regex(r"[A-Za-z0-9._~-]{1,8}", fullmatch=True), st.from_regex(r":[A-Za-z0-9_]{1,8}", fullmatch=True)
)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/", "/orders"),
        ("/orders/:id", "/orders/{id}"),
        ("/orders/:order_id/lines/:line", "/orders/{order_id}/lines/{line}"),
        ("/files/*", "/files/{proxy+}"),
        ("/*", "/{proxy+}"),
        ("/files/*path", "/files/{path+}"),
    ],
)
def test_a_path_is_written_as_api_gateway_writes_it(path: str, wanted: str) -> None:
    assert list(path_problems(path)) == []
    assert gateway_path(path) == wanted


@given(st.lists(segments, max_size=6), st.booleans())
def test_what_is_taken_has_a_form_that_api_gateway_takes(parts: list[str], greedy: bool) -> None:
    path = "/" + "/".join([*parts, *(["*"] if greedy else [])])
    names = [part for part in parts if part.startswith(":")]
    if list(path_problems(path)):
        assert len(set(names)) < len(names) or (greedy and ":proxy" in names)
        return
    assert re.fullmatch(r"/|(/([A-Za-z0-9._~-]+|\{[A-Za-z0-9_]+\}))*(/\{proxy\+\})?", gateway_path(path))


@given(st.text(max_size=20))
def test_any_text_is_judged_without_failing(path: str) -> None:
    if not list(path_problems(path)):
        assert gateway_path(path).startswith("/")


def test_paths_that_catch_the_same_requests_have_one_shape() -> None:
    assert route_shape("/a/:id/b") == route_shape("/a/:name/b/")
    assert route_shape("/a/:id") != route_shape("/a/*")
    assert route_shape("/a/:id") != route_shape("/a/id")


@pytest.mark.motia("4", "an optional parameter is two routes")
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", ("/",)),
        ("/orders/:id", ("/orders/:id",)),
        ("/orders/:id?", ("/orders/:id", "/orders")),
        ("/orders/:id?/", ("/orders/:id/", "/orders/")),
        ("/:id?", ("/:id", "/")),
        ("/a/:b?/c/:d?", ("/a/:b/c/:d", "/a/:b/c", "/a/c/:d", "/a/c")),
        ("/a/:b?/*", ("/a/:b/*", "/a/*")),
    ],
)
def test_an_optional_parameter_is_there_or_not(path: str, wanted: tuple[str, ...]) -> None:
    assert list(path_problems(path)) == []
    assert without_optional(path) == wanted
