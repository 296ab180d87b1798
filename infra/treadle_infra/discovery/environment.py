"""The environment in which a project's modules are imported: hardly any of the user's, and the project's `.env`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
_AS_ON_LAMBDA = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
"""So that a client made when a module is imported finds a region, as it does on Lambda.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""
_NO_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?P<plain>[^\r\n]*?))
    [ \t]*(?:[ \t]\#[^\r\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)


def import_environment(project: Path) -> dict[str, str]:
    """Variables for the process that imports the project's modules. Credentials of AWS are never among them."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = {**_AS_ON_LAMBDA, **_read_dotenv(project), **kept, **_NO_CREDENTIALS}
    return {name: value for name, value in environment.items() if name not in _CREDENTIALS}


def project_environment(project: Path) -> dict[str, str]:
    """The variables of the project's `.env`, which functions get on this machine; never credentials of AWS."""
    return {name: value for name, value in _read_dotenv(project).items() if name not in _CREDENTIALS}


def _read_dotenv(project: Path) -> Mapping[str, str]:
    try:
        text = (project / ".env").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return parse_dotenv(text)


def parse_dotenv(text: str) -> dict[str, str]:
    r"""The variables of a `.env` file: `KEY=value` lines, `#` comments, quotes; `\n` counts between double quotes."""
    values: dict[str, str] = {}
    for match in _LINE.finditer(text):
        if match["single"] is not None:
            value = match["single"]
        elif match["double"] is not None:
            value = re.sub(
                r"\\(.)", lambda escape: {"n": "\n", "r": "\r", "t": "\t"}.get(escape[1], escape[1]), match["double"]
            )
        else:
            value = match["plain"].strip()
            value = "" if value.startswith("#") else value
        if "\0" not in value:
            values[match["key"]] = value
    return values
