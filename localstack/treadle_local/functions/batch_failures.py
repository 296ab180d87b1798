"""What a function's answer says of its batch: which of the records failed.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
.../services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from treadle_local.functions.model import EventSourceMapping, InvokeOutcome


def failures(
    mapping: EventSourceMapping, identifiers: Sequence[str], outcome: InvokeOutcome
) -> tuple[set[str], str | None]:
    """Those of the identifiers whose records failed, and why where all of them did."""
    everything = set(identifiers)
    if outcome.function_error is not None:
        return everything, _reason(outcome.payload)
    if not mapping.report_batch_item_failures:
        return set(), None
    try:
        answer = json.loads(outcome.payload or b"null")
    except ValueError:
        return everything, "the function's answer is not JSON"
    if answer is None or answer == {} or not isinstance(answer, dict):
        return set(), None
    entries = cast("Sequence[Mapping[str, Any]]", cast("Mapping[str, Any]", answer).get("batchItemFailures") or [])
    try:
        failed = {str(entry["itemIdentifier"]) for entry in entries}
    except (TypeError, KeyError):
        return everything, "batchItemFailures is malformed"
    # an identifier that is not in the batch fails all of it: Lambda cannot tell what was meant
    return (failed, None) if failed <= everything else (everything, "batchItemFailures names an unknown record")


def _reason(payload: bytes) -> str:
    try:
        document = json.loads(payload)
        return f"{document['errorType']}: {document['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return "the function failed"
