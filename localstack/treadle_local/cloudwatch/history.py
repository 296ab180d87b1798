"""What happened to alarms: configurations, states, actions; DescribeAlarmHistory.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Result
from treadle_local.cloudwatch.moments import moment, seconds_of
from treadle_local.cloudwatch.refusals import invalid_token, invalid_value

_KEPT = 10_000
_KEPT_SECONDS = 30 * 86_400
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened; `number` counts them all."""

    number: int
    alarm: str
    time: float
    kind: str
    summary: str
    data: str


class History:
    """The last things that happened to all alarms, of a month and of a bounded number."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque(maxlen=_KEPT)
        self._count = 0

    def add(self, alarm: str, time: float, kind: str, summary: str, data: Mapping[str, Any]) -> None:
        self._count += 1
        text = json.dumps({"version": "1.0", **data}, default=str, separators=(",", ":"))
        self._items.append(Item(self._count, alarm, time, kind, summary, text))

    def describe(self, params: Params, now: float) -> Result:
        most = params.get("MaxRecords", _PAGE)
        if not isinstance(most, int) or not 1 <= most <= _PAGE:
            raise invalid_value(f"The value {most} for parameter MaxRecords must be 1 to {_PAGE}.")
        name, kind = params.get("AlarmName"), params.get("HistoryItemType")
        since = seconds_of(params["StartDate"], "StartDate") if params.get("StartDate") is not None else 0.0
        until = seconds_of(params["EndDate"], "EndDate") if params.get("EndDate") is not None else float("inf")
        since = max(since, now - _KEPT_SECONDS)
        is_ascending = params.get("ScanBy") == "TimestampAscending"
        wanted = [
            item
            for item in self._items
            if name in (None, item.alarm) and kind in (None, item.kind) and since <= item.time <= until
        ]
        try:
            found, token = page(
                wanted, lambda item: _key(item, is_ascending=is_ascending), most, params.get("NextToken")
            )
        except ValueError:
            raise invalid_token() from None
        shown = [
            {
                "AlarmName": item.alarm,
                "AlarmType": "MetricAlarm",
                "Timestamp": moment(item.time),
                "HistoryItemType": item.kind,
                "HistorySummary": item.summary,
                "HistoryData": item.data,
            }
            for item in found
        ]
        return {"AlarmHistoryItems": shown} if token is None else {"AlarmHistoryItems": shown, "NextToken": token}


def _key(item: Item, *, is_ascending: bool) -> str:
    return f"{item.number if is_ascending else 10**12 - item.number:012d}"
