"""URL-encoded forms, the requests of the query protocol."""

from __future__ import annotations

from binascii import a2b_qp
from urllib.parse import unquote_to_bytes

from treadle_local.aws.wire import unreadable


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form by name; the last one where a name is repeated.

    Raises: AwsError SerializationException when a text is no UTF-8.
    """
    pairs = (field.partition(b"=") for field in body.replace(b"+", b" ").split(b"&") if field)
    try:
        return {_decode(name): _decode(value) for name, _, value in pairs}
    except UnicodeDecodeError as error:
        raise unreadable(error) from error


def _decode(text: bytes) -> str:
    """The text behind percent-encoding, which is quoted-printable under another sign; for that there is a decoder in C.

    It takes a lone percent sign, a bare equals sign or a line break otherwise than forms do: then the slow way is gone.
    """
    if b"%" not in text:
        return text.decode("utf-8")
    if b"=" in text or b"%%" in text or b"\n" in text or b"\r" in text or text.endswith(b"%"):
        return unquote_to_bytes(text).decode("utf-8")
    decoded = a2b_qp(text.replace(b"%", b"="))
    if b"=" in decoded and decoded.count(b"=") != text.count(b"%3D") + text.count(b"%3d"):
        return unquote_to_bytes(text).decode("utf-8")
    return decoded.decode("utf-8")
