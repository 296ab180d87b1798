"""Tags of tables.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid_parameter

MAXIMUM_TAGS = 50


def tags_of(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags by key.

    Raises: ValidationException for two of one key, or too many.
    """
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) != len(given):
        raise invalid_parameter("Duplicate tag keys are not allowed")
    check_count(tags)
    return tags


def check_count(tags: Mapping[str, str]) -> None:
    """Passes for as many tags as a table may have. Raises ValidationException."""
    if len(tags) > MAXIMUM_TAGS:
        raise AwsError("ValidationException", f"Too many tags: a resource may have {MAXIMUM_TAGS} at most")
