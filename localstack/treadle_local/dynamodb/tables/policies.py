"""Resource policies of tables and streams, by ARN.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Result
from treadle_local.dynamodb.errors import invalid

MAXIMUM_BYTES = 20 * 1024
_NO_POLICY = "NO_POLICY"


@dataclass(frozen=True, slots=True)
class Policy:
    text: str
    revision: str


class Policies:
    """The policies; whoever calls knows that the resource is there."""

    def __init__(self) -> None:
        self.by_arn: dict[str, Policy] = {}

    def of(self, arn: str) -> Mapping[str, Any] | None:
        """The policy's document, None where the resource has none."""
        policy = self.by_arn.get(arn)
        return None if policy is None else json.loads(policy.text)

    def put(self, params: Params, now: float) -> Result:
        arn, text = str(params["ResourceArn"]), str(params["Policy"])
        self._check_revision(arn, params)
        if len(text.encode()) > MAXIMUM_BYTES:
            raise invalid(f"Resource-based policy size exceeds the maximum of {MAXIMUM_BYTES // 1024} KB")
        try:
            document: object = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict) or "Statement" not in document:
            raise invalid("The resource-based policy is not a valid policy document")
        present = self.by_arn.get(arn)
        # a revision is the moment in milliseconds, and no two are the same
        revision = max(int(now * 1000), int(present.revision) + 1 if present is not None else 0)
        if present is None or json.loads(present.text) != document:
            self.by_arn[arn] = Policy(text, str(revision))
        return {"RevisionId": self.by_arn[arn].revision}

    def get(self, params: Params) -> Result:
        policy = self.by_arn.get(str(params["ResourceArn"]))
        if policy is None:
            raise _not_found("Resource-based policy not found for the provided ResourceArn")
        return {"Policy": policy.text, "RevisionId": policy.revision}

    def delete(self, params: Params) -> Result:
        arn = str(params["ResourceArn"])
        self._check_revision(arn, params)
        policy = self.by_arn.pop(arn, None)
        return {} if policy is None else {"RevisionId": policy.revision}

    def table_deleted(self, arn: str) -> None:
        """Drops the policies of a table and of its streams."""
        for known in [known for known in self.by_arn if known == arn or known.startswith(f"{arn}/")]:
            del self.by_arn[known]

    def _check_revision(self, arn: str, params: Params) -> None:
        expected = params.get("ExpectedRevisionId")
        present = self.by_arn.get(arn)
        actual = present.revision if present is not None else _NO_POLICY
        if expected is not None and expected != actual:
            raise _not_found("The specified revision does not match the current revision of the resource-based policy")


def _not_found(message: str) -> AwsError:
    return AwsError("PolicyNotFoundException", message)
