"""What third-party packages are installed for: Lambda on one architecture, or this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from treadle_infra.app.model import Architecture
from treadle_infra.interpreters import LAMBDA_PYTHON, Interpreter

Target = Literal["aws", "host"]

LAMBDA_GLIBC = (2, 34)
"""The C library of Amazon Linux 2023, on which `python3.13` runs.

Source: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
"""
_WHEEL_TAGS: dict[Architecture, str] = {
    "arm64": "aarch64-manylinux_2_28",
    "x86_64": "x86_64-manylinux_2_28",
}
"""Wheels for a C library as old as 2.28 run on 2.34 too; nobody builds for 2.34 only."""


@dataclass(frozen=True, slots=True)
class Platform:
    """`wheel_tag` None: whatever `interpreter` itself takes. `architecture` None: no binary is looked at."""

    name: str
    python_version: str
    interpreter: str
    compiles: bool
    wheel_tag: str | None = None
    architecture: Architecture | None = None

    def __str__(self) -> str:
        return f"Lambda on {self.architecture}" if self.architecture else "this machine"


def lambda_platform(architecture: Architecture, interpreter: Interpreter) -> Platform:
    """Lambda's `python3.13` on this architecture; `interpreter` runs the installer, and compiles if it matches."""
    tag = _WHEEL_TAGS[architecture]
    return Platform(tag, LAMBDA_PYTHON, interpreter.path, interpreter.matches, tag, architecture)


def host_platform(interpreter: Interpreter) -> Platform:
    """This machine, for the interpreter that functions run on here."""
    name = f"host-{interpreter.platform}-{interpreter.version}"
    return Platform(name, interpreter.version, interpreter.path, interpreter.matches)


def architecture_of(interpreter: Interpreter) -> Architecture:
    """Lambda's word for the machine that this interpreter runs on."""
    return "arm64" if interpreter.platform.endswith(("aarch64", "arm64")) else "x86_64"
