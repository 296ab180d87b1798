"""The policies of S3's buckets, remembered as they are set: buckets are moto's, decisions must not wait for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from treadle_local.aws.service import Params


class BucketPolicies:
    """Follows the operations on bucket policies that went well."""

    def __init__(self) -> None:
        self._policies: dict[str, Mapping[str, Any]] = {}

    def changed(self, operation: str, params: Params) -> None:
        """Takes note of an operation of S3's."""
        match operation:
            case "PutBucketPolicy":
                given: object = params["Policy"]
                document: object = json.loads(given if isinstance(given, str | bytes) else "{}")
                if isinstance(document, dict):
                    self._policies[str(params["Bucket"])] = cast("Mapping[str, Any]", document)
            case "DeleteBucketPolicy" | "DeleteBucket":
                self._policies.pop(str(params["Bucket"]), None)
            case _:
                pass

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The policy of the bucket that an ARN is of, or the bucket of the object."""
        return self._policies.get(arn.removeprefix("arn:aws:s3:::").partition("/")[0])
