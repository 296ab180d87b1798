"""Continuous backups as they are switched on and described. Nothing is backed up: there is no restore here.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
"""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.tables.definition import Recovery, TableDefinition

_DAY_SECONDS = 24 * 3600


def recovery_after(table: TableDefinition, params: Params, now: float) -> Recovery:
    """Point-in-time recovery as the request wants it."""
    wanted = params["PointInTimeRecoverySpecification"]
    if not wanted["PointInTimeRecoveryEnabled"]:
        return Recovery()
    since = table.recovery.enabled_at if table.recovery.enabled_at is not None else now
    return Recovery(since, wanted.get("RecoveryPeriodInDays") or Recovery().period_days)


def described(table: TableDefinition, now: float) -> Result:
    """The answer to DescribeContinuousBackups and UpdateContinuousBackups."""
    recovery = table.recovery
    description: dict[str, object] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if recovery.enabled_at is not None:
        description = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": recovery.period_days,
            "EarliestRestorableDateTime": max(recovery.enabled_at, now - recovery.period_days * _DAY_SECONDS),
            "LatestRestorableDateTime": now,
        }
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": description,
        }
    }
