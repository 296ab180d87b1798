"""UpdateTimeToLive and DescribeTimeToLive.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
"""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.errors import invalid
from treadle_local.dynamodb.tables.definition import TableDefinition


def attribute_after(table: TableDefinition, params: Params) -> str | None:
    """The attribute that ends items from now on; None for none.

    Raises: ValidationException when that is so already, or another attribute does.
    """
    wanted = params["TimeToLiveSpecification"]
    attribute: str = wanted["AttributeName"]
    if table.time_to_live is None:
        if not wanted["Enabled"]:
            raise invalid("TimeToLive is already disabled")
        return attribute
    if attribute != table.time_to_live:
        raise invalid(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {table.time_to_live}"
        )
    if wanted["Enabled"]:
        raise invalid("TimeToLive is already enabled")
    return None


def described(table: TableDefinition) -> Result:
    """The answer to DescribeTimeToLive."""
    if table.time_to_live is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": table.time_to_live}}
