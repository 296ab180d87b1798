"""Log groups: made, listed, tagged, and kept for so many days.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.pages import page
from treadle_local.aws.service import Params, Region, Result
from treadle_local.clock import Clock
from treadle_local.logs.refusals import group_not_found, invalid
from treadle_local.logs.store import LogGroup

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
_NAME = re.compile(r"[\.\-_/#A-Za-z0-9]{1,512}")
_CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
_GROUP_OF_ARN = re.compile(r"arn:aws:logs:[^:]+:\d+:log-group:([^:]+)(?::.*)?")
_PAGE = 50
_MOST_TAGS = 50


class Groups:
    """All log groups by name."""

    def __init__(self, region: Region, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._groups: dict[str, LogGroup] = {}
        self.operations: Mapping[str, Callable[[Params], Result]] = {
            "CreateLogGroup": self._create,
            "DeleteLogGroup": self._delete,
            "DescribeLogGroups": self._describe,
            "PutRetentionPolicy": self._put_retention,
            "DeleteRetentionPolicy": self._delete_retention,
            "AssociateKmsKey": lambda params: self._set_key(params, params.get("kmsKeyId")),
            "DisassociateKmsKey": lambda params: self._set_key(params, None),
            "TagResource": lambda params: self._tag(self._by_arn(params), params),
            "UntagResource": lambda params: self._untag(self._by_arn(params), params.get("tagKeys") or ()),
            "ListTagsForResource": lambda params: {"tags": dict(self._by_arn(params).tags)},
            "TagLogGroup": lambda params: self._tag(self.at(params), params),
            "UntagLogGroup": lambda params: self._untag(self.at(params), params.get("tags") or ()),
            "ListTagsLogGroup": lambda params: {"tags": dict(self.at(params).tags)},
        }

    def find(self, name: str) -> LogGroup | None:
        return self._groups.get(name)

    def named(self, name_or_arn: object) -> LogGroup:
        """A group, without what is too old in it. Raises: AwsError ResourceNotFoundException."""
        wanted = str(name_or_arn)
        arn = _GROUP_OF_ARN.fullmatch(wanted)
        group = self._groups.get(arn[1] if arn is not None else wanted)
        if group is None:
            raise group_not_found()
        group.expire(int(self._clock.now() * 1000))
        return group

    def at(self, params: Params) -> LogGroup:
        """The group that a request is about. Raises: AwsError."""
        name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        return self.named(name if identifier is None else identifier)

    def arn(self, name: str) -> str:
        return self._region.arn("logs", f"log-group:{name}")

    def _by_arn(self, params: Params) -> LogGroup:
        return self.named(params.get("resourceArn"))

    def _create(self, params: Params) -> Result:
        name, log_class = str(params.get("logGroupName", "")), str(params.get("logGroupClass") or "STANDARD")
        if not _NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member "
                r"must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
            )
        if log_class not in _CLASSES:
            raise invalid(f"Value '{log_class}' at 'logGroupClass' is not one of {', '.join(_CLASSES)}.")
        if name in self._groups:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        group = LogGroup(name, created=int(self._clock.now() * 1000))
        group.log_class, group.key_id = log_class, params.get("kmsKeyId")
        self._tag(group, params)
        self._groups[name] = group
        return {}

    def _delete(self, params: Params) -> Result:
        del self._groups[self.at(params).name]
        return {}

    def _describe(self, params: Params) -> Result:
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        limit = params.get("limit", _PAGE)
        if not isinstance(limit, int) or not 1 <= limit <= _PAGE:
            raise invalid(
                f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
                f"Member must have value between 1 and {_PAGE}"
            )
        identifiers, log_class = params.get("logGroupIdentifiers"), params.get("logGroupClass")
        chosen = self._groups.values() if not identifiers else [self.named(one) for one in identifiers]
        wanted = [
            group
            for group in chosen
            if (prefix is None or group.name.startswith(prefix))
            and (pattern is None or str(pattern).lower() in group.name.lower())
            and log_class in (None, group.log_class)
        ]
        try:
            found, token = page(wanted, lambda group: group.name, limit, params.get("nextToken"))
        except ValueError:
            raise invalid("The specified nextToken is invalid.") from None
        answer: Result = {"logGroups": [self._shown(group) for group in found]}
        return answer if token is None else {**answer, "nextToken": token}

    def _shown(self, group: LogGroup) -> dict[str, Any]:
        arn = self.arn(group.name)
        shown: dict[str, Any] = {
            "logGroupName": group.name,
            "creationTime": group.created,
            "retentionInDays": group.retention_days,
            "metricFilterCount": len(group.filters),
            "arn": f"{arn}:*",
            "storedBytes": group.stored_bytes,
            "kmsKeyId": group.key_id,
            "logGroupClass": group.log_class,
            "logGroupArn": arn,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _put_retention(self, params: Params) -> Result:
        group, days = self.at(params), params.get("retentionInDays")
        if days not in RETENTION_DAYS:
            raise invalid(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(map(str, RETENTION_DAYS))}]"
            )
        group.retention_days = days
        return {}

    def _delete_retention(self, params: Params) -> Result:
        self.at(params).retention_days = None
        return {}

    def _set_key(self, params: Params, key: str | None) -> Result:
        self.at(params).key_id = key
        return {}

    def _tag(self, group: LogGroup, params: Params) -> Result:
        given: Mapping[str, str] = params.get("tags") or {}
        tags = {**group.tags, **given}
        if len(tags) > _MOST_TAGS:
            message = f"The maximum number of tags for a resource is {_MOST_TAGS}"
            raise AwsError("TooManyTagsException", message, fields={"resourceName": group.name})
        group.tags = tags
        return {}

    def _untag(self, group: LogGroup, keys: Any) -> Result:
        for key in keys:
            group.tags.pop(str(key), None)
        return {}
