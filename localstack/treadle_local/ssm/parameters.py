"""What Parameter Store keeps: parameters, their versions, labels and tags; and what may be one's name.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Region
from treadle_local.ssm.refusals import invalid, parameter_not_found, version_not_found

DEFAULT_KEY = "alias/aws/ssm"
_NAME_LIMIT = 2048
_ARN_LIMIT = 1011
"""Of a name, where it stands at the end of an ARN that has 2,048 characters or fewer."""
_DEEPEST = 15
_NAME = re.compile(r"/?[A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)*")
_RESERVED = re.compile(r"/?(?:aws|ssm)", re.IGNORECASE)


@dataclass(slots=True)
class Version:
    """One version of a parameter. `cipher` stands for the value where nobody asks for decryption."""

    number: int
    type: str
    value: str
    cipher: str
    key_id: str | None
    tier: str
    data_type: str
    description: str | None
    allowed_pattern: str | None
    modified: float
    modified_by: str
    labels: list[str] = field(default_factory=list[str])

    def shown(self, *, decrypted: bool) -> str:
        return self.value if decrypted or self.type != "SecureString" else self.cipher


@dataclass(slots=True)
class Parameter:
    """A parameter; its versions are in order, the last is the current one."""

    name: str
    arn: str
    versions: list[Version]
    tags: dict[str, str]

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def version(self, selector: str) -> Version:
        """The version of a number or label; the current one for an empty selector.

        Raises: AwsError ParameterVersionNotFound.
        """
        if not selector:
            return self.latest
        for version in self.versions:
            if selector == str(version.number) or selector in version.labels:
                return version
        raise version_not_found(self.name, selector)


class Store:
    """All parameters of the region, by name."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._parameters: dict[str, Parameter] = {}

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def add(self, parameter: Parameter) -> None:
        self._parameters[parameter.name] = parameter

    def remove(self, name: str) -> bool:
        """Whether there was one to remove."""
        return self._parameters.pop(self.plain(name), None) is not None

    def find(self, name: str) -> Parameter | None:
        return self._parameters.get(self.plain(name))

    def at(self, name: object) -> Parameter:
        """Raises: AwsError ParameterNotFound."""
        found = self.find(str(name))
        if found is None:
            raise parameter_not_found(str(name))
        return found

    def plain(self, name: str) -> str:
        """A parameter's name, where its ARN may be given instead: that is the same with and without a first slash."""
        prefix = self.region.arn("ssm", "parameter/")
        if not name.startswith(prefix):
            return name
        path = name.removeprefix(prefix)
        return f"/{path}" if f"/{path}" in self._parameters else path

    def arn(self, name: str) -> str:
        return self.region.arn("ssm", f"parameter/{name.removeprefix('/')}")

    def select(self, wanted: str) -> tuple[Parameter, Version, str]:
        """The version that `name`, `name:version` or `name:label` asks for, and the selector with its colon.

        Raises: AwsError: ParameterNotFound, ParameterVersionNotFound.
        """
        start = max(0, wanted.find("parameter/")) if wanted.startswith("arn:") else 0
        head, tail = wanted[:start], wanted[start:]
        name, colon, selector = tail.partition(":")
        parameter = self.at(head + name)
        return parameter, parameter.version(selector), colon + selector


def check_name(region: Region, name: str) -> None:
    """Raises: AwsError: ValidationException, AccessDeniedException, HierarchyLevelLimitExceededException."""
    if not name or len(name) > _NAME_LIMIT or len(name) > _ARN_LIMIT:
        raise invalid(f"Parameter name must be 1 to {_ARN_LIMIT} characters long.")
    if _RESERVED.match(name):
        if name.lower().startswith("/aws"):
            raise AwsError("AccessDeniedException", f"No access to reserved parameter name: {name}.")
        raise invalid(
            'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). If formed as a path, it can '
            "consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers "
            "and the following 3 symbols .-_"
        )
    if "/" in name and not name.startswith("/"):
        raise invalid("Parameter name must be a fully qualified name.")
    if not _NAME.fullmatch(name):
        raise invalid(
            "Parameter name: can be formed as a mix of letters, numbers and the following 3 symbols .-_; sub-paths "
            "are divided by slash symbol."
        )
    if name.count("/") > _DEEPEST:
        message = f"A hierarchy can have a maximum of {_DEEPEST} levels."
        raise AwsError("HierarchyLevelLimitExceededException", message)


def described(parameter: Parameter, version: Version) -> dict[str, Any]:
    """What DescribeParameters and GetParameterHistory both say of a version."""
    settings: dict[str, Any] = {
        "Name": parameter.name,
        "Type": version.type,
        "KeyId": version.key_id,
        "LastModifiedDate": version.modified,
        "LastModifiedUser": version.modified_by,
        "Description": version.description,
        "AllowedPattern": version.allowed_pattern,
        "Version": version.number,
        "Tier": version.tier,
        "DataType": version.data_type,
        "Policies": [],
    }
    return {name: value for name, value in settings.items() if value is not None}
