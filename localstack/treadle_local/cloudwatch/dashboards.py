"""Dashboards: kept and given back as they are.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock
from treadle_local.cloudwatch.moments import moment

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class Dashboards:
    """All dashboards by name: their bodies, and when they were changed."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._bodies: dict[str, tuple[str, float]] = {}
        self.operations: Mapping[str, Callable[[Params], Result]] = {
            "PutDashboard": self._put,
            "GetDashboard": self._get,
            "ListDashboards": self._list,
            "DeleteDashboards": self._delete,
        }

    def _put(self, params: Params) -> Result:
        name, body = str(params.get("DashboardName") or ""), str(params.get("DashboardBody") or "")
        problem = (
            None if _NAME.fullmatch(name) else f"The name {name} has characters other than letters, digits, - and _"
        )
        try:
            json.loads(body)
        except ValueError as error:
            problem = problem or f"The field DashboardBody must be valid JSON: {error}"
        if problem is not None:
            raise AwsError("DashboardInvalidInputError", problem, query_code="InvalidParameterInput")
        self._bodies[name] = body, self._clock.now()
        return {"DashboardValidationMessages": []}

    def _get(self, params: Params) -> Result:
        name = str(params.get("DashboardName"))
        if name not in self._bodies:
            raise _no_such(name)
        return {"DashboardArn": self._arn(name), "DashboardBody": self._bodies[name][0], "DashboardName": name}

    def _list(self, params: Params) -> Result:
        prefix = str(params.get("DashboardNamePrefix") or "")
        entries = [
            {
                "DashboardName": name,
                "DashboardArn": self._arn(name),
                "LastModified": moment(modified),
                "Size": len(body.encode()),
            }
            for name, (body, modified) in sorted(self._bodies.items())
            if name.startswith(prefix)
        ]
        return {"DashboardEntries": entries}

    def _delete(self, params: Params) -> Result:
        names = [str(name) for name in params.get("DashboardNames") or ()]
        for name in names:
            if name not in self._bodies:
                raise _no_such(name)
        for name in names:
            self._bodies.pop(name, None)
        return {}

    def _arn(self, name: str) -> str:
        return f"arn:aws:cloudwatch::{self._region.account}:dashboard/{name}"


def _no_such(name: str) -> AwsError:
    message = f"Dashboard {name} does not exist"
    return AwsError("DashboardNotFoundError", message, status=404, query_code="ResourceNotFound")
