"""URL-encoded forms, the requests of the query protocol."""

from __future__ import annotations

import re
from binascii import a2b_qp
from urllib.parse import parse_qsl

from treadle_local.aws.wire import unreadable

# What no client writes, and the fast way would misread: a lone percent sign, a bare equals sign or line break in a value.
_IRREGULAR = re.compile(rb"%(?![0-9A-Fa-f]{2})|=[^&]*=|[\r\n]")


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form by name; the last one where a name is repeated.

    Raises: AwsError SerializationException when a value is no UTF-8.
    """
    try:
        if _IRREGULAR.search(body):
            return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict"))
        return _parse_regular(body)
    except ValueError as error:
        raise unreadable(error) from error


def _parse_regular(body: bytes) -> dict[str, str]:
    pairs = (field.partition(b"=") for field in body.replace(b"+", b" ").split(b"&") if field)
    return {_decode(name): _decode(value) for name, _, value in pairs}


def _decode(text: bytes) -> str:
    """Percent-encoding is quoted-printable under another sign, and for that there is a decoder in C."""
    return a2b_qp(text.replace(b"%", b"=")).decode("utf-8")
