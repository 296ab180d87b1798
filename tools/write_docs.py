"""Writes what is generated: the reference of commands, and the examples that are templates of `treadle new`.

With `--check`, exits 1 where the reference is out of date.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from treadle_infra.scaffold import TEMPLATES, files_of_template

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CLI_PAGE = ROOT / "docs" / "cli.md"
_HEADER = "<!-- written by `make docs` from the commands themselves -->\n\n"


def cli_reference() -> str:
    """The page of all commands and options."""
    command = [sys.executable, "-m", "typer", "treadle_cli.main", "utils", "docs", "--name", "treadle"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "100", "TERM": "dumb"})
    return _HEADER + done.stdout.strip().replace("&#x27;", "'") + "\n"


def write_examples() -> None:
    """What `treadle new` writes, into `examples/`; the tests of all others begin like those of templates."""
    for template in TEMPLATES:
        for path in files_of_template(template, template).items():
            write_file(EXAMPLES / template / path[0], path[1])
    common = files_of_template("messaging", "messaging")
    for example in EXAMPLES.iterdir():
        if (example / "tests").is_dir() and example.name not in TEMPLATES:
            for name in ("tests/conftest.py", ".gitignore"):
                write_file(example / name, common[name])


def write_file(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def main() -> None:
    page = cli_reference()
    if "--check" in sys.argv[1:]:
        if not CLI_PAGE.exists() or CLI_PAGE.read_text() != page:
            sys.exit("docs/cli.md is out of date: run `make docs`")
        return
    CLI_PAGE.write_text(page)
    write_examples()


if __name__ == "__main__":
    main()
