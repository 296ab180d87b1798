"""Colour is for terminals."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from support.command import treadle
from support.dev import TREADLE

ESCAPE = "\x1b["


def in_terminal(*arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """All that a command prints where its output is a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [TREADLE, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "TERM": "xterm-256color", **(environment or {})},
    ):
        os.close(theirs)
        printed = b""
        try:
            while chunk := os.read(ours, 65536):
                printed += chunk
        except OSError:  # how Linux tells that the other side is closed
            pass
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colour_and_nothing_else_does(broken: Path) -> None:
    coloured = in_terminal("check", broken)
    plain = treadle("check", broken).err

    assert ESCAPE in coloured
    assert ESCAPE not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"NO_COLOR": ""}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_is_respected(broken: Path, variable: dict[str, str]) -> None:
    assert in_terminal("check", broken, environment=variable) == treadle("check", broken).err


def test_dev_talks_without_colour_where_nobody_looks(project: Path) -> None:
    arguments = ("dev", project, "--once", "--port", "0", "--aws-port", "0")

    assert ESCAPE not in treadle(*arguments).out
    assert ESCAPE in in_terminal(*arguments)
