"""What Secrets Manager keeps: secrets, their versions and the stages at these.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle_local.aws.service import Region
from treadle_local.secretsmanager.refusals import invalid_parameter, invalid_request, not_found

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
_MOST_VERSIONS = 100
_SUFFIX_LETTERS = string.ascii_letters + string.digits
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


@dataclass(slots=True)
class Version:
    """One value of a secret: a text or bytes (in base64, as the wire has it)."""

    id: str
    text: str | None
    binary: str | None
    created: float
    stages: list[str] = field(default_factory=list[str])
    accessed: float | None = None

    @property
    def value(self) -> tuple[str | None, str | None]:
        return self.text, self.binary


@dataclass(slots=True)
class Secret:
    """A secret; `deleted` is when its deletion was asked for, `gone` when it is done; in seconds since the epoch."""

    name: str
    arn: str
    created: float
    changed: float
    description: str | None = None
    key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    versions: dict[str, Version] = field(default_factory=dict[str, Version])
    policy: str | None = None
    accessed: float | None = None
    deleted: float | None = None
    gone: float | None = None

    def at_stage(self, stage: str) -> Version | None:
        return next((version for version in self.versions.values() if stage in version.stages), None)

    def move(self, stage: str, version: Version | None) -> None:
        """Puts a stage at a version, or nowhere; the version that was current becomes the previous one."""
        before = self.at_stage(stage)
        if before is version:
            return
        if before is not None:
            before.stages.remove(stage)
        if version is not None:
            version.stages.append(stage)
        if stage == CURRENT and before is not None:
            self.move(PREVIOUS, before)

    def prune(self) -> None:
        """Forgets the oldest versions that have no stage, beyond so many."""
        idle = [version for version in self.versions.values() if not version.stages]
        for version in idle[: max(0, len(self.versions) - _MOST_VERSIONS)]:
            del self.versions[version.id]

    def stages(self) -> dict[str, list[str]]:
        return {version.id: list(version.stages) for version in self.versions.values() if version.stages}

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.key_id,
            "LastChangedDate": self.changed,
            "LastAccessedDate": self.accessed,
            "DeletedDate": self.deleted,
            "CreatedDate": self.created,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()] or None,
        }
        return {name: value for name, value in found.items() if value is not None}


class Store:
    """All secrets of the region, by name."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._secrets: dict[str, Secret] = {}

    def __iter__(self) -> Iterator[Secret]:
        return iter(self._secrets.values())

    def expire(self, now: float) -> None:
        """Removes the secrets whose recovery window is over."""
        for secret in [one for one in self if one.gone is not None and one.gone <= now]:
            del self._secrets[secret.name]

    def find(self, secret_id: str) -> Secret | None:
        """By name, ARN, or an ARN without the six characters at its end."""
        prefix = self._region.arn("secretsmanager", "secret:")
        if not secret_id.startswith(prefix):
            return self._secrets.get(secret_id)
        rest = secret_id.removeprefix(prefix)
        if _SUFFIX.fullmatch(rest[-7:]):
            whole = self._secrets.get(rest[:-7])
            if whole is not None and whole.arn == secret_id:
                return whole
        return self._secrets.get(rest)

    def at(self, params: Mapping[str, Any], *, even_deleted: bool = False) -> Secret:
        """Raises: AwsError: ResourceNotFoundException; InvalidRequestException for one that is being deleted."""
        secret = self.find(str(params.get("SecretId", "")))
        if secret is None:
            raise not_found()
        if secret.deleted is not None and not even_deleted:
            raise invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
        return secret

    def add(self, name: str, now: float) -> Secret:
        """Raises: AwsError InvalidParameterException."""
        if not _NAME.fullmatch(name):
            raise invalid_parameter(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
                "-/_+=.@!"
            )
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(6))
        arn = self._region.arn("secretsmanager", f"secret:{name}-{suffix}")
        secret = self._secrets[name] = Secret(name, arn, now, now)
        return secret

    def remove(self, secret: Secret) -> None:
        del self._secrets[secret.name]
