"""Writes the generated pages of docs/; with `--check`, exits 1 where one is out of date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLI_PAGE = ROOT / "docs" / "cli.md"
_HEADER = "<!-- written by `make docs` from the commands themselves -->\n\n"


def cli_reference() -> str:
    """The page of all commands and options."""
    command = [sys.executable, "-m", "typer", "treadle_cli.main", "utils", "docs", "--name", "treadle"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "100", "TERM": "dumb"})
    return _HEADER + done.stdout.strip().replace("&#x27;", "'") + "\n"


def main() -> None:
    page = cli_reference()
    if "--check" in sys.argv[1:]:
        if not CLI_PAGE.exists() or CLI_PAGE.read_text() != page:
            sys.exit("docs/cli.md is out of date: run `make docs`")
        return
    CLI_PAGE.write_text(page)


if __name__ == "__main__":
    main()
