"""Percent-encoding, as forms and the paths of signed requests have it: everything but letters, digits and `-_.~`."""

from __future__ import annotations

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

_ESCAPES = [chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in range(256)]
_MANY = 64


def percent_encoded(text: str, kept: str = "") -> str:
    """`text` encoded, but for the characters `kept`.

    One replacement per distinct character: texts are long, their alphabets small.
    """
    special = set(text) - _UNRESERVED
    if not special:
        return text
    special.difference_update(kept)
    if len(special) > _MANY and not kept:
        return "".join([_ESCAPES[byte] for byte in text.encode("utf-8")])
    if "%" in special:
        text = text.replace("%", "%25")
        special.remove("%")
    for character in special:
        text = text.replace(character, "".join([f"%{byte:02X}" for byte in character.encode("utf-8")]))
    return text
