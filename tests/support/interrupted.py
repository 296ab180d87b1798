"""The engine in the test's process over the services of a running emulator, with one call that fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from support.dev import Dev
from treadle_local.aws.errors import AwsError

_READING = re.compile(r"(Get|List|Describe|Head)")


class Interrupted:
    """All services through boto3; of the calls that change something, the one of number `fail_at` is refused."""

    def __init__(self, emulator: Dev) -> None:
        self._emulator = emulator
        self.calls = 0
        self.fail_at = -1

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if not _READING.match(operation):
            self.calls += 1
            if self.calls == self.fail_at:
                raise AwsError("ServiceUnavailable", f"{operation} is not possible now", status=503)
        client = self._emulator.client(service)
        names = client.meta.method_to_api_mapping
        method = next(name for name, api in names.items() if api == operation)
        try:
            answer = cast("dict[str, Any]", getattr(client, method)(**params))
        except ClientError as error:
            told = cast("dict[str, Any]", error.response)
            status = told["ResponseMetadata"]["HTTPStatusCode"]
            raise AwsError(told["Error"]["Code"], told["Error"]["Message"], status=status) from error
        if hasattr(answer.get("Body"), "read"):
            answer["Body"] = answer["Body"].read()
        return answer
