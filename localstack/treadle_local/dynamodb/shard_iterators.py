"""Shard iterators: a place in a stream and when it was given, as text that only this emulator reads."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from treadle_local.aws.errors import AwsError
from treadle_local.dynamodb.errors import invalid

LIFETIME_SECONDS = 15 * 60
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html"""


@dataclass(frozen=True, slots=True)
class ShardIterator:
    """`number` is that of the first record that it will give; `given_at` is in seconds since the epoch."""

    stream_arn: str
    number: int
    given_at: float

    def text(self) -> str:
        """As AWS's, it begins with the ARN of its stream."""
        place = base64.b64encode(json.dumps([self.number, self.given_at]).encode()).decode("ascii")
        return f"{self.stream_arn}|1|{place}"

    def check_age(self, now: float) -> None:
        """Raises ExpiredIteratorException."""
        if self.given_at + LIFETIME_SECONDS < now:
            raise AwsError("ExpiredIteratorException", "The provided iterator exceeds the maximum age allowed.")


def parse(text: str) -> ShardIterator:
    """The iterator that a text is. Raises ValidationException."""
    arn, _, rest = text.partition("|")
    try:
        number, given_at = json.loads(base64.b64decode(rest.removeprefix("1|"), validate=True))
        return ShardIterator(arn, int(number), float(given_at))
    except (TypeError, ValueError) as error:
        raise invalid("Invalid ShardIterator") from error
