"""What third-party packages are installed for: Lambda on one architecture, or this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from treadle_infra.app.model import Architecture
from treadle_infra.interpreters import Interpreter

Target = Literal["aws", "host"]

LAMBDA_GLIBC = (2, 34)
"""The C library of Amazon Linux 2023, on which the runtimes run from `python3.12` on.

Source: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
"""
_OLDER_GLIBC = {"3.11": (2, 26)}
"""That of Amazon Linux 2. Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
_MACHINES: dict[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
_WHEELS, _OLDER_WHEELS = "manylinux_2_28", "manylinux_2_17"
"""Wheels for a C library as old as 2.28 run on 2.34 too; nobody builds for 2.34 only, nor for 2.26."""


@dataclass(frozen=True, slots=True)
class Platform:
    """`wheel_tag` None: whatever `interpreter` itself takes. `architecture` None: no binary is looked at."""

    name: str
    python_version: str
    interpreter: str
    compiles: bool
    wheel_tag: str | None = None
    architecture: Architecture | None = None
    glibc: tuple[int, int] = LAMBDA_GLIBC

    def __str__(self) -> str:
        return f"Lambda on {self.architecture}" if self.architecture else "this machine"


def lambda_platform(architecture: Architecture, interpreter: Interpreter) -> Platform:
    """Lambda's Python on this architecture; `interpreter` runs the installer, and compiles if it matches."""
    version = interpreter.wanted
    tag = f"{_MACHINES[architecture]}-{_OLDER_WHEELS if version in _OLDER_GLIBC else _WHEELS}"
    glibc = _OLDER_GLIBC.get(version, LAMBDA_GLIBC)
    return Platform(tag, version, interpreter.path, interpreter.matches, tag, architecture, glibc)


def host_platform(interpreter: Interpreter) -> Platform:
    """This machine, for the interpreter that functions run on here."""
    name = f"host-{interpreter.platform}-{interpreter.version}"
    return Platform(name, interpreter.version, interpreter.path, interpreter.matches)


def architecture_of(interpreter: Interpreter) -> Architecture:
    """Lambda's word for the machine that this interpreter runs on."""
    return "arm64" if interpreter.platform.endswith(("aarch64", "arm64")) else "x86_64"
