"""Paths of routes, from Express's form to API Gateway's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_infra.app.paths import gateway_path, path_problems, route_shape, segment_patterns, without_optional

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
        ("/files/:path(.*)", "/files/{path+}"),
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


@pytest.mark.motia("4", "parameters that are parts of a segment, and regular expressions of parameters")
@pytest.mark.parametrize(
    ("path", "route", "asked", "parameters"),
    [
        ("/:from-:to", "/{from_to}", "a-b-c", {"from": "a", "to": "b-c"}),
        ("/@:user", "/{user}", "@ada", {"user": "ada"}),
        ("/v:version", "/{version}", "w2", None),
        ("/:name.:kind", "/{name_kind}", "a.tar.gz", {"name": "a", "kind": "tar.gz"}),
        (r"/:id(\d+)", "/{id}", "42", {"id": "42"}),
        (r"/:id(\d+)", "/{id}", "42x", None),
        (r"/:id(\d+)", "/{id}", "٤٢", None),
        ("/:kind(cats|dogs)", "/{kind}", "dogs", {"kind": "dogs"}),
        ("/:id([0-9a-f]{4})", "/{id}", "00ff", {"id": "00ff"}),
        ("/:kind((?:cat|dog)s)", "/{kind}", "cats", {"kind": "cats"}),
    ],
)
def test_a_segment_is_one_parameter_that_is_taken_apart(
    path: str, route: str, asked: str, parameters: dict[str, str] | None
) -> None:
    assert list(path_problems(path)) == []
    assert gateway_path(path) == route
    ((name, pattern),) = segment_patterns(path).items()
    assert route == f"/{{{name}}}"
    found = re.fullmatch(pattern, asked, re.ASCII)
    assert (None if found is None else found.groupdict()) == parameters


def test_whole_parameters_and_texts_need_no_pattern() -> None:
    assert segment_patterns("/orders/:id/lines/:line_2/*rest") == {}
    assert without_optional(r"/a/:id(\d+)?") == (r"/a/:id(\d+)", "/a")


@given(st.text("abc:-.()d+?*@/\\", max_size=12))
def test_what_is_taken_of_odd_paths_can_be_a_route(text: str) -> None:
    path = f"/{text}"
    if not list(path_problems(path)):
        for form in without_optional(path):
            assert re.fullmatch(
                r"/|(/([A-Za-z0-9._~-]+|\{[A-Za-z0-9_]+\}))*(/\{[A-Za-z0-9_]+\+\})?", gateway_path(form)
            )
            for pattern in segment_patterns(form).values():
                re.compile(pattern)
