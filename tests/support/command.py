"""The installed `treadle` command, run as a program runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from support.dev import TREADLE


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def treadle(
    *arguments: str | Path,
    folder: Path | None = None,
    stdin: str | bytes = "",
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Runs `treadle` in `folder` with no terminal; there is no other variable of ours than those given."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [TREADLE, *arguments],
        cwd=folder,
        input=data,
        capture_output=True,
        timeout=60,
        env={**inherited, **(environment or {})},
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass
class Screen:
    """What a running `treadle dev` shows to people."""

    output: IO[str]
    lines: list[str] = field(default_factory=list[str])

    def read_until(self, *wanted: str) -> None:
        """Reads on until each text has been seen in some line; ends early where the command does."""
        missing = set(wanted)
        while missing and (line := self.output.readline()):
            self.lines.append(line.rstrip("\n"))
            missing -= {text for text in missing if text in line}

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def url(self) -> str:
        """Where the routes answer."""
        return next(line.split()[1] for line in self.lines if line.startswith("  HTTP"))


@contextmanager
def screen_of_dev(*arguments: str | Path, folder: Path) -> Generator[Screen]:
    """`treadle dev` on free ports, ready; ended when the block is left."""
    command = [TREADLE, "dev", *arguments, "--port", "0", "--aws-port", "0"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout as output:
        screen = Screen(output)
        try:
            screen.read_until("Ctrl-C")
            yield screen
        finally:
            process.terminate()
            output.read()
    assert process.returncode == 0
