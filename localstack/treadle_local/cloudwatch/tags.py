"""Tags of alarms.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from treadle_local.cloudwatch.refusals import invalid

_MOST_TAGS = 50
_KEY_LIMIT, _VALUE_LIMIT = 128, 256


def checked_tags(pairs: Iterable[Mapping[str, str]], present: Mapping[str, str]) -> dict[str, str]:
    """The tags present, with the given ones over them. Raises: AwsError ValidationError."""
    tags = {pair["Key"]: pair["Value"] for pair in pairs}
    if any(not 1 <= len(key) <= _KEY_LIMIT or len(value) > _VALUE_LIMIT for key, value in tags.items()):
        raise invalid(f"A tag has a key of 1 to {_KEY_LIMIT} characters and a value of {_VALUE_LIMIT} at most.")
    if len(present.keys() | tags.keys()) > _MOST_TAGS:
        raise invalid(f"A resource can have at most {_MOST_TAGS} tags.")
    return {**present, **tags}
