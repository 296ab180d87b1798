"""Pages of what is listed by a key, in its order; the token of a page tells the key of the last thing on it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def page(things: Iterable[T], key: Callable[[T], str], most: int, token: object = None) -> tuple[list[T], str | None]:
    """Up to `most` of the things behind those that `token` tells of, by their keys; and the token of the next page.

    What is added or removed between two pages moves nothing else from one to the other.
    Raises: ValueError for a token that none of these calls gave.
    """
    ordered = sorted(things, key=key)
    if token is not None:
        last = _key_of(str(token))
        ordered = [thing for thing in ordered if key(thing) > last]
    found = ordered[:most]
    return found, _token_of(key(found[-1])) if len(ordered) > most else None


def _token_of(key: str) -> str:
    return base64.urlsafe_b64encode(b"k" + key.encode()).decode("ascii")


def _key_of(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValueError("the token is malformed") from None
    if not text.startswith("k"):
        raise ValueError("the token is malformed")
    return text[1:]
