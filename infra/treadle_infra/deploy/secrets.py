"""The secrets of a stage: SecureString parameters of Systems Manager, one for each, named by app and stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.names import Names
from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.account import Account

VALUE_LIMIT_BYTES = 4_096
NAMES_PER_CALL = 10
"""Source, of both: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """That a secret has a value, and since when; the value itself is not read."""

    name: str
    changed: datetime


class SecretStore:
    """Where the values of one app's secrets on one stage are. Calls raise what botocore does."""

    def __init__(self, account: Account, app: str, stage: str) -> None:
        self._ssm: Any = account.client("ssm")
        self._names = Names(app, stage)

    def set(self, secret: str, value: str) -> None:
        """Gives the secret a value, in place of one that it may have.

        Raises: TreadleError `secret-value-not-allowed`.
        """
        size = len(value.encode())
        if not 0 < size <= VALUE_LIMIT_BYTES or "\0" in value:
            raise TreadleError(
                "secret-value-not-allowed",
                f"a secret has 1 to {VALUE_LIMIT_BYTES} bytes without a NUL among them; this one has {size}",
            )
        self._ssm.put_parameter(
            Name=self._names.secret(secret),
            Description=f"Secret of the Treadle app {self._names.app}, stage {self._names.stage}",
            Value=value,
            Type="SecureString",
            Overwrite=True,
        )

    def unset(self, secret: str) -> bool:
        """Takes the secret's value away; False where it had none."""
        deleted: list[str] = self._ssm.delete_parameters(Names=[self._names.secret(secret)])["DeletedParameters"]
        return bool(deleted)

    def stored(self) -> tuple[StoredSecret, ...]:
        """The secrets that have a value, by name, those too that the project does not speak of."""
        prefix = self._names.secret("")
        pages = self._ssm.get_paginator("describe_parameters").paginate(
            ParameterFilters=[{"Key": "Path", "Option": "OneLevel", "Values": [prefix.rstrip("/")]}]
        )
        found = (
            StoredSecret(parameter["Name"].removeprefix(prefix), parameter["LastModifiedDate"])
            for page in pages
            for parameter in page["Parameters"]
        )
        return tuple(sorted(found, key=lambda secret: secret.name))

    def missing(self, secrets: Iterable[str]) -> tuple[str, ...]:
        """Those of these that have no value; asked without reading any."""
        missing: list[str] = []
        for batch in _batches(tuple(secrets)):
            by_parameter = {self._names.secret(secret): secret for secret in batch}
            answer = self._ssm.get_parameters(Names=list(by_parameter), WithDecryption=False)
            missing += [by_parameter[name] for name in answer.get("InvalidParameters", ())]
        return tuple(missing)


def check_secrets(account: Account, app: str, stage: str, secrets: Sequence[str]) -> None:
    """Raises TreadleError `secret-missing` where one of these has no value on the stage."""
    missing = SecretStore(account, app, stage).missing(secrets) if secrets else ()
    if missing:
        told = ", ".join(f"`{secret}`" for secret in missing)
        commands = "; ".join(f"treadle secrets set {secret} --stage {stage}" for secret in missing)
        raise TreadleError("secret-missing", f"{told} has no value on the stage {stage}", hint=commands)


def _batches(secrets: Sequence[str]) -> Iterator[Sequence[str]]:
    return (secrets[first : first + NAMES_PER_CALL] for first in range(0, len(secrets), NAMES_PER_CALL))
