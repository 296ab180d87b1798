"""Policy variables: `${aws:username}` in a resource or in a condition's value, filled in from the request's context.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol


class Context(Protocol):
    """The condition keys of a request, in lower case, each with all its values."""

    def get(self, key: str, /) -> Sequence[str] | None: ...


# `${*}`, `${?}` and `${$}` are escapes, no variables.
_VARIABLE = re.compile(r"\$\{\s*(?P<key>[^}*?$,\s][^},]*?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?\}")
_WILDCARDS = re.compile(r"[*?$]")


def has_variables(text: str) -> bool:
    """Whether something in the text is to be filled in."""
    return _VARIABLE.search(text) is not None


def fill(text: str, context: Context) -> str | None:
    """The text with its variables' values, none of whose characters is a wildcard.

    None where the context has no value, or more than one, for a variable that has no default.
    """
    pieces: list[str] = []
    end = 0
    for variable in _VARIABLE.finditer(text):
        values = context.get(variable["key"].lower()) or ()
        value = values[0] if len(values) == 1 else variable["default"]
        if value is None:
            return None
        pieces += (text[end : variable.start()], literal(value))
        end = variable.end()
    return "".join((*pieces, text[end:]))


def widen(text: str) -> str:
    """The pattern of everything that the text can become."""
    return _VARIABLE.sub("*", text)


def literal(text: str) -> str:
    """The pattern that matches this text alone."""
    return _WILDCARDS.sub(lambda found: f"${{{found[0]}}}", text)


def without_variables(text: str) -> str:
    """The pattern in which a dollar sign is one, as policies of the version 2008-10-17 have it."""
    return text.replace("$", "${$}")
