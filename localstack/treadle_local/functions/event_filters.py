"""Filter criteria of event source mappings: which records a function is invoked with at all.

Patterns are those of EventBridge, which a subscription's filter policies are made of too.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.functions.refusals import invalid
from treadle_local.sns.filter_policy import Pattern, compile_pattern


@dataclass(frozen=True, slots=True)
class EventFilters:
    """The patterns of a mapping, of which one must match; without any, everything passes."""

    patterns: tuple[_Filter, ...]

    def pass_record(self, record: Mapping[str, Any]) -> bool:
        """Whether a record of a stream is for the function."""
        return not self.patterns or any(one.pattern.fits(record) for one in self.patterns)

    def pass_message(self, record: Mapping[str, Any]) -> bool:
        """Whether a queue's record is: a pattern for fields of the body needs a body that is JSON, and one for its text
        a body that is not.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
        """
        if not self.patterns:
            return True
        document = _document(str(record["body"]))
        return any(one.pass_message(record, document) for one in self.patterns)


@dataclass(frozen=True, slots=True)
class _Filter:
    """`body` is what kind of body the pattern is about, None where it is not about the body."""

    pattern: Pattern
    body: type[dict[str, Any]] | type[str] | None

    def pass_message(self, record: Mapping[str, Any], document: object) -> bool:
        if self.body is None:
            return self.pattern.fits(record)
        if (self.body is str) != (document is None):
            return False
        return self.pattern.fits(record if document is None else {**record, "body": document})


@lru_cache(maxsize=256)
def compile_filters(patterns: Sequence[str]) -> EventFilters:
    """The filters as they decide; `patterns` are JSON texts. Raises InvalidParameterValueException."""
    return EventFilters(tuple(_compiled(pattern) for pattern in patterns))


def _compiled(text: str) -> _Filter:
    try:
        definition: object = json.loads(text)
        if not isinstance(definition, dict):
            raise ValueError(text)
        fields = cast("dict[str, object]", definition)
        body = fields.get("body")
        return _Filter(compile_pattern(fields), None if body is None else dict if isinstance(body, dict) else str)
    except (AwsError, RecursionError, ValueError) as error:
        raise invalid("Invalid filter pattern definition.") from error


def _document(body: str) -> object:
    """The JSON object or array that a body is; None where it is plain text."""
    try:
        document: object = json.loads(body)
    except (RecursionError, ValueError):
        return None
    return cast("object", document) if isinstance(document, dict | list) else None
