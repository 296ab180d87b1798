"""What uv says when it cannot install something, as a finding with a name and a remedy."""

from __future__ import annotations

import re

from treadle_infra.app.findings import TreadleError
from treadle_infra.packages.platforms import Platform
from treadle_infra.packages.requirements import Requirements

_SOURCE_ONLY = re.compile(
    r"(?:all versions of (?P<all>\S+) have no usable wheels|(?P<one>[\w.-]+?)(?:[=<>!~]=?\S+)? has no usable wheels"
    r"|Wheels are required for `(?P<wheels>[^`]+)`|attempted to build `(?P<built>[^`]+)`)"
)
_WRONG_PLATFORM = re.compile(
    r"(?P<name>[\w.-]+?)(?:[=<>!~]=?\S+)? (?:has|have) no wheels? with a matching "
    r"(?P<what>platform|Python ABI|Python version|Python implementation) tag"
)
_NOT_FOUND = re.compile(r"(?P<name>\S+) was not found in the (?:package registry|provided package locations|cache)")
_NO_VERSION = re.compile(r"there (?:is|are) (?:no versions?|only .+?) of (?P<requirement>\S+)")


def refusal(said: str, requirements: Requirements, platform: Platform) -> TreadleError:
    """The error behind uv's words."""
    text = " ".join(said.split())
    if match := _WRONG_PLATFORM.search(text):
        name = match["name"]
        return TreadleError(
            "package-wrong-platform",
            f"`{name}` has no wheel for Python {platform.python_version} on {platform} ({match['what']})",
            where=requirements.place_of(name),
            hint=f"require a version of `{name}` that has one, {_other_architecture(platform)}or do without it",
        )
    if match := _NOT_FOUND.search(text):
        name = match["name"].strip("`")
        return TreadleError(
            "package-not-found",
            f"the package index has no `{name}`",
            where=requirements.place_of(name),
            hint="look for a slip in its name; for an index of your own, set UV_INDEX_URL or `[[tool.uv.index]]`",
        )
    if match := _SOURCE_ONLY.search(text):
        name = next(group for group in match.groups() if group)
        return TreadleError(
            "package-source-only",
            f"`{name}` has no wheel that runs on {platform}: there is only its source, which Treadle does not build",
            where=requirements.place_of(name),
            hint=f"require a version of `{name}` that has wheels, or build one (`pip wheel {name}`) "
            "and name the .whl file in the requirements",
        )
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("Using ")]
    return TreadleError(
        "packages-not-resolved",
        f"the packages cannot be installed for {platform}: " + "\n  ".join(lines),
        where=requirements.where,
    )


def _other_architecture(platform: Platform) -> str:
    if platform.architecture is None:
        return ""
    other = "x86_64" if platform.architecture == "arm64" else "arm64"
    return f'try `architecture = "{other}"` in `[tool.treadle]`, '
