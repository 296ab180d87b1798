"""Forms with files (`multipart/form-data`); loaded by the first request that has one.

Source: https://www.rfc-editor.org/rfc/rfc7578, https://www.rfc-editor.org/rfc/rfc2046#section-5.1
"""

from __future__ import annotations

import re

from treadle.http.query import parse_pairs
from treadle.http.request import BadRequest, decoded_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.http.query import QueryValue

PART_LIMIT = 1000
"""As many parts as a query string may have parameters."""

_BOUNDARY = r";\s*boundary\s*=\s*(?:\"([^\"]+)\"|([^\s;\"]+))"
_PARAMETER = r";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]*))"
_AFTER_DELIMITER = rb"[ \t]*\r\n"
_BROWSER_ESCAPES = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))
"""What browsers write for three characters in a name. Source: https://html.spec.whatwg.org/#multipart-form-data"""
_ATTRIBUTES = {"content_type": "contentType"}


class UploadedFile(dict[str, "Any"]):
    """A file of a form: `filename`, `contentType`, `size` and `content` (bytes), which answer as attributes too."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[_ATTRIBUTES.get(name, name)]
        except KeyError:
            raise AttributeError(f"a file has no `{name}`; it has {', '.join(self)}") from None


def parse_multipart(raw: bytes, content_type: str) -> tuple[dict[str, QueryValue], dict[str, Any]]:
    """The fields of a form, as in an urlencoded one, and its files by field: several under one name are a list.

    Raises: BadRequest.
    """
    fields: list[tuple[str, str]] = []
    files: dict[str, Any] = {}
    for headers, content in _parts(raw, _boundary(content_type)):
        disposition = headers.get("content-disposition", "")
        parameters = _parameters(disposition)
        name = parameters.get("name")
        if name is None or disposition.partition(";")[0].strip().lower() != "form-data":
            raise _malformed("a part has no name")
        filename = _filename(parameters)
        if filename is None:
            fields.append((name, decoded_text(content, headers.get("content-type", ""))))
        elif filename or content:  # browsers send an empty part for a file that was not chosen
            _add(files, name, filename, headers.get("content-type", "application/octet-stream"), content)
    return parse_pairs(fields), files


def _parts(raw: bytes, boundary: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Each part's headers, with lower-case names, and content. What stands before and behind all parts is nothing."""
    sections = (b"\r\n" + raw).split(b"\r\n--" + boundary, PART_LIMIT + 2)[1:]
    parts: list[tuple[dict[str, str], bytes]] = []
    for section in sections:
        if section.startswith(b"--"):
            return parts
        begins = re.match(_AFTER_DELIMITER, section)
        if len(parts) == PART_LIMIT:
            raise BadRequest(f"The form has more than {PART_LIMIT} parts", 413)
        if begins is None:
            raise _malformed("a boundary is not at the end of its line")
        head, found, content = section[begins.end() - 2 :].partition(b"\r\n\r\n")
        if not found:
            raise _malformed("the headers of a part have no end")
        parts.append((_headers(head), content))
    raise _malformed("its last boundary is missing")


def _boundary(content_type: str) -> bytes:
    found = re.search(_BOUNDARY, content_type, re.IGNORECASE)
    if found is None:
        raise _malformed("the content type names no boundary")
    return str(found[1] or found[2]).encode("utf-8", "surrogatepass")


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("utf-8", "replace").split("\r\n")
    return {
        name.strip().lower(): value.strip() for name, found, value in (line.partition(":") for line in lines) if found
    }


def _parameters(disposition: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, quoted, plain in re.findall(_PARAMETER, disposition):
        text = re.sub(r"\\([\"\\])", r"\1", quoted) if quoted else plain
        for escape, character in _BROWSER_ESCAPES:
            text = text.replace(escape, character)
        parameters[name.lower()] = text
    return parameters


def _filename(parameters: dict[str, str]) -> str | None:
    """The file's name, also as `filename*=UTF-8''na%C3%AFve.txt`; None for a plain field."""
    extended = parameters.get("filename*")
    if extended is None:
        return parameters.get("filename")
    charset, _, text = extended.partition("'")
    escaped = text.partition("'")[2]
    content = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), escaped.encode("utf-8", "surrogatepass")
    )
    try:
        return content.decode(charset or "utf-8")
    except (LookupError, ValueError):
        return parameters.get("filename", escaped)


def _add(files: dict[str, Any], name: str, filename: str, content_type: str, content: bytes) -> None:
    file = UploadedFile(filename=filename, contentType=content_type, size=len(content), content=content)
    held = files.get(name)
    if held is None:
        files[name] = file
    elif isinstance(held, list):
        held.append(file)  # pyright: ignore[reportUnknownMemberType]
    else:
        files[name] = [held, file]


def _malformed(reason: str) -> BadRequest:
    return BadRequest(f"Malformed multipart form in the request body: {reason}")
