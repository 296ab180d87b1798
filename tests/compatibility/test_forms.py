"""Forms with files (`multipart/form-data`), which Motia leaves unread."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.step_folder import StepFolder, request
from treadle.http.multipart import parse_multipart
from treadle.http.request import BadRequest

pytestmark = pytest.mark.motia("4", "a form with files gives fields and files, where Motia gives nothing")

TYPE = "multipart/form-data; boundary=xx"


def part(disposition: str, content: bytes = b"v", *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    return b"--xx\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes, content_type: str = TYPE) -> tuple[dict[str, Any], dict[str, Any]]:
    return parse_multipart(b"".join(parts) + b"--xx--\r\n", content_type)


def test_fields_are_those_of_an_urlencoded_form() -> None:
    names = ["a", "b", "b", "c[d]", "e[]"]
    fields, files = form(*(part(f'form-data; name="{name}"', str(at).encode()) for at, name in enumerate(names)))
    assert fields == {"a": "0", "b": ["1", "2"], "c": {"d": "3"}, "e": ["4"]}
    assert files == {}


def test_files_stand_by_their_fields() -> None:
    fields, files = form(
        part('form-data; name="doc"; filename="x.txt"', b"one", "Content-Type: text/plain"),
        part('form-data; name="doc"; filename="y"', b"two\r\n--x"),
        part('form-data; name="none"; filename=""', b"", "Content-Type: application/octet-stream"),
        part('form-data; name="empty"; filename="e"', b""),
    )
    assert fields == {}
    assert files == {
        "doc": [
            {"filename": "x.txt", "contentType": "text/plain", "size": 3, "content": b"one"},
            {"filename": "y", "contentType": "application/octet-stream", "size": 8, "content": b"two\r\n--x"},
        ],
        "empty": {"filename": "e", "contentType": "application/octet-stream", "size": 0, "content": b""},
    }
    assert files["doc"][0].content_type == files["doc"][0].contentType == "text/plain"
    with pytest.raises(AttributeError, match="it has filename"):
        _ = files["doc"][0].data


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="f"; filename="a \\"b\\".txt"', 'a "b".txt'),
        ('form-data; name="f"; filename="a %22b%22.txt"', 'a "b".txt'),
        ('form-data; name="f"; filename="naïve;x.txt"', "naïve;x.txt"),
        ("form-data; name=f; filename=plain.txt", "plain.txt"),
        ('form-data; name="f"; filename="n.txt"; filename*=UTF-8\'\'na%C3%AFve.txt', "naïve.txt"),
        ('form-data; name="f"; filename="n.txt"; filename*=bogus\'\'x', "n.txt"),
        ('form-data; name="f"; filename="C:\\dir\\x.txt"', "C:\\dir\\x.txt"),
    ],
)
def test_file_names_as_clients_write_them(disposition: str, filename: str) -> None:
    assert form(part(disposition))[1]["f"]["filename"] == filename


def test_a_preamble_padding_and_a_quoted_boundary_are_read() -> None:
    raw = b'ignored\r\n--x y  \r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x y--\r\nignored'
    assert parse_multipart(raw, 'multipart/form-data; charset=utf-8; boundary="x y"') == ({"a": "1"}, {})


def test_the_charset_of_a_field_is_its_own() -> None:
    fields, _ = form(part('form-data; name="a"', b"\xe9", "Content-Type: text/plain; charset=latin-1"))
    assert fields == {"a": "é"}


@pytest.mark.parametrize(
    ("raw", "content_type", "words"),
    [
        (b"", "multipart/form-data", "names no boundary"),
        (b"nothing", TYPE, "last boundary is missing"),
        (part('form-data; name="a"'), TYPE, "last boundary is missing"),
        (b"--xxyz\r\n", TYPE, "not at the end of its line"),
        (b"--xx\r\nno end\r\n--xx--", TYPE, "headers of a part have no end"),
        (part('form-data; filename="a"') + b"--xx--", TYPE, "a part has no name"),
        (part('attachment; name="a"') + b"--xx--", TYPE, "a part has no name"),
        (part('form-data; name="a"', b"\xff") + b"--xx--", TYPE, "not valid utf-8"),
        (part('form-data; name="a"') * 1001 + b"--xx--", TYPE, "more than 1000 parts"),
    ],
)
def test_what_is_no_form_is_refused(raw: bytes, content_type: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_multipart(raw, content_type)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(raw: bytes) -> None:
    with contextlib.suppress(BadRequest):
        parse_multipart(b"--xx\r\n" + raw, TYPE)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_every_text_comes_back(texts: list[str]) -> None:
    fields, _ = form(*(part('form-data; name="t"', text.encode()) for text in texts))
    assert fields.get("t", []) == (texts[0] if len(texts) == 1 else texts)


def test_a_request_without_files_has_no_such_key_and_does_not_load_the_parser(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path).step("def handler(req, context):\n    return {'body': list(req)}\n")
    run = folder.run(request("{}"))
    assert json.loads(run.answer.result["body"]) == ["body", "headers", "pathParams", "queryParams", "rawBody"]
    assert "treadle.http.multipart" not in run.modules


def test_a_handler_gets_fields_and_files(tmp_path: Path) -> None:
    source = """
    def handler(req, context):
        file = req.files["f"]
        return {"body": {"fields": req["body"], "size": file.size, "text": file.content.decode()}}
    """
    raw = part('form-data; name="a"') + part('form-data; name="f"; filename="x"', b"hi") + b"--xx--\r\n"
    event = request(base64.b64encode(raw).decode(), content_type=TYPE, base64=True)
    run = StepFolder(tmp_path).step(source).run(event, request("{", content_type=TYPE))
    assert json.loads(run.answers[0].result["body"]) == {"fields": {"a": "v"}, "size": 2, "text": "hi"}
    assert run.answers[1].result["statusCode"] == 400
