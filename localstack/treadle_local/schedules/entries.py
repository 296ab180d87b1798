"""Events as EventBridge makes them: of PutEvents' entries, and of schedules.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle_local.aws.service import Params, Region, Result
from treadle_local.schedules.inputs import Event
from treadle_local.schedules.moments import moment_of, written
from treadle_local.schedules.refusals import invalid
from treadle_local.schedules.rules import read_pattern

# Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_ENTRIES_BYTES = 1_048_576
_TIME_BYTES = 14
_REQUIRED = ("Source", "DetailType", "Detail")


def new_event(
    region: Region, kind: str, source: str, moment: datetime, resources: Sequence[str], detail: object
) -> Event:
    """An event with an id of its own.

    Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": region.account,
        "time": written(moment),
        "region": region.name,
        "resources": list(resources),
        "detail": detail,
    }


def event_of(region: Region, entry: Mapping[str, Any], now: float) -> Event:
    """The event of an entry that `refusal_of` has nothing against. Raises: AwsError SerializationException."""
    moment, resources = moment_of(entry.get("Time") or now), entry.get("Resources") or ()
    return new_event(region, entry["DetailType"], entry["Source"], moment, resources, json.loads(entry["Detail"]))


def refusal_of(entry: Mapping[str, Any]) -> Result | None:
    """The result of an entry that makes no event."""
    for name in _REQUIRED:
        if not entry.get(name):
            return _refused("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if str(entry["Source"]).startswith("aws."):
        return _refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    return None if _is_object(entry["Detail"]) else _refused("MalformedDetail", "Detail is malformed.")


def check_size(entries: Sequence[Mapping[str, Any]]) -> None:
    """Returns when the entries are within the limit on one call. Raises: AwsError ValidationException."""
    if sum(map(_bytes_of, entries)) > _ENTRIES_BYTES:
        raise invalid("Total size of the entries in the request is over the limit.")


def test_pattern(params: Params) -> Result:
    """The answer of TestEventPattern. Raises: AwsError ValidationException, InvalidEventPatternException."""
    if not _is_object(params["Event"]):
        raise invalid("Parameter Event is not valid.")
    return {"Result": read_pattern(params["EventPattern"]).fits(json.loads(params["Event"]))}


def _refused(code: str, message: str) -> Result:
    return {"ErrorCode": code, "ErrorMessage": message}


def _bytes_of(entry: Mapping[str, Any]) -> int:
    texts = [entry.get(name) or "" for name in _REQUIRED] + list(entry.get("Resources") or ())
    return sum(len(str(text).encode()) for text in texts) + (_TIME_BYTES if entry.get("Time") else 0)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
