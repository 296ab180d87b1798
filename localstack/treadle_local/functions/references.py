"""The many ways to name a function: name, partial ARN, ARN, each with a version or an alias behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from treadle_local.aws.service import Region
from treadle_local.functions.refusals import constraint, function_not_found, invalid, not_found

# Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html (FunctionName)
_FORMS = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:"
    r"|(?:(?P<partial_account>\d{12}):)?function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_MAXIMUM_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A function, and the version or alias of it that is meant (None: not said)."""

    name: str
    qualifier: str | None
    region: Region

    @property
    def arn(self) -> str:
        return self.region.arn("lambda", f"function:{self.name}")

    @property
    def qualified_arn(self) -> str:
        return self.arn if self.qualifier is None else f"{self.arn}:{self.qualifier}"


@lru_cache(maxsize=4096)
def parse(text: str, qualifier: str | None, region: Region) -> FunctionReference:
    """The function meant by `text` and an explicit qualifier. Raises ValidationException, ResourceNotFoundException."""
    match = _FORMS.fullmatch(text)
    if match is None:
        raise constraint(text, "functionName", f"Member must satisfy regular expression pattern: {_FORMS.pattern}")
    name, inner = match["name"], match["qualifier"]
    if len(name) > _MAXIMUM_NAME_LENGTH:
        raise constraint(name, "functionName", f"Member must have length less than or equal to {_MAXIMUM_NAME_LENGTH}")
    if (match["region"] or region.name) != region.name:
        raise not_found(f"Functions from '{match['region']}' are not reachable in this region ('{region.name}')")
    if (match["account"] or match["partial_account"] or region.account) != region.account:
        raise function_not_found(text)
    if qualifier and inner and qualifier != inner:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return FunctionReference(name, qualifier or inner, region)


def parse_unqualified(text: str, region: Region) -> FunctionReference:
    """As `parse`, for what can be done to a whole function only."""
    reference = parse(text, None, region)
    if reference.qualifier not in (None, "$LATEST"):
        raise invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    return reference if reference.qualifier is None else FunctionReference(reference.name, None, region)
