"""The environment in which a project's modules are imported: its `.env`, and of the shell what it asks for by name."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

UNKNOWN_VALUE = "NOT_KNOWN_ON_THIS_MACHINE"

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


_NEVER_FROM_SHELL = re.compile(
    r"(?:AWS|LAMBDA|TREADLE|LD|PYTHON)_.*|PYTHON.*|_.*|HOME|LANG|PATH|PWD|SHELL|TMPDIR|TZ|USER"
)
"""What is the machine's and not the project's, and has another value on Lambda; credentials of AWS among them."""
_READ_BY_NAME = re.compile(
    r"""\b(?:environ\s*\[|environ\s*\.\s*(?:get|setdefault|pop)\s*\(|getenv\s*\()\s*(?P<quote>["'])(?P<name>[A-Za-z_]\w*)(?P=quote)"""
)
_NOT_THE_PROJECTS = frozenset({"node_modules", "python_modules", "site-packages", "dist", "__pycache__", "venv"})


def import_environment(project: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables for the process that imports the project's modules. Credentials of AWS are never among them.

    `variables` are those of the project's settings; `.env` and the shell say otherwise on this machine.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    local = project_environment(project, variables or ())
    return {**_AS_ON_LAMBDA, **(variables or {}), **local, **kept, **_NO_CREDENTIALS}


def variables_at_import(environment: Iterable[tuple[str, str]], secrets: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """What modules find for the project's variables and secrets where nobody has said more.

    A module that wants a secret when it is imported can be imported where the secret is not known.
    """
    return tuple({**dict.fromkeys(secrets, UNKNOWN_VALUE), **dict(environment)}.items())


def project_environment(project: Path, named: Iterable[str] = ()) -> dict[str, str]:
    """What functions get on this machine: the project's `.env`, and what of the shell the project asks for by name.

    `named` are the variables and secrets of the project's settings.

    The shell's value is the one that counts where both have one, as in Motia. Never credentials of AWS.
    """
    lines = {name: value for name, value in _read_dotenv(project).items() if name not in _CREDENTIALS}
    asked = {*lines, *named, *_names_read(project)}
    shell = {name: value for name in asked if (value := os.environ.get(name)) and not _NEVER_FROM_SHELL.fullmatch(name)}
    return {**lines, **shell}


def _names_read(project: Path) -> set[str]:
    """The variables that the project's Python files read by name: `os.environ["KEY"]`, `os.getenv("KEY")`."""
    names: set[str] = set()
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if name not in _NOT_THE_PROJECTS and not name.startswith("."))
        for file in files:
            if file.endswith(".py"):
                path = os.path.join(folder, file)  # noqa: PTH118 - for each file at each edit
                names |= _names_in(path, *_version(path))
    return names


def _version(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=20_000)
def _names_in(path: str, modified: int, size: int) -> frozenset[str]:
    """The names that one file reads; `modified` and `size` tell one version of it from another."""
    del modified, size
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    if "environ" not in text and "getenv" not in text:
        return frozenset()
    return frozenset(match["name"] for match in _READ_BY_NAME.finditer(text))


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
