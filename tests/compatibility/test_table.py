"""docs/compatibility.md says what the tests marked `motia(row, text)` hold, and nothing else."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "1": "Files",
    "2": "Imports, and files that steps use",
    "2.8": "Motia 1.0",
    "3": "Configs and handlers",
    "4": "Requests",
    "5": "Responses and middleware",
    "6": "The context",
    "7": "Messages",
    "8": "Streams and their clients",
    "9": "Flows",
}
"""The rows of the checklist that compatibility is measured by."""


def marks() -> dict[tuple[str, str], set[str]]:
    """The files of the tests that have each mark, by its section and text."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="motia"), args=[ast.Constant(value=str(row)), ast.Constant(value=str(text))]
                ):
                    found[SECTIONS[row], text].add(path.relative_to(ROOT).as_posix())
                case _:
                    pass
    return dict(found)


def table() -> dict[tuple[str, str], set[str]]:
    """The files that the page names for each behaviour, by its section and text."""
    rows: dict[tuple[str, str], set[str]] = {}
    section = ""
    for line in (ROOT / "docs" / "compatibility.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif (cells := re.fullmatch(r"\| (.+?) \| (.+?) \| (.+?) \| (\[.+\)) \|", line)) is not None:
            assert (section, cells[1]) not in rows
            rows[section, cells[1]] = set(re.findall(r"\(\.\./([\w/.]+)\)", cells[4]))
    return rows


def test_every_row_of_the_checklist_has_a_test() -> None:
    assert {section for section, _ in marks()} == set(SECTIONS.values())


def test_the_page_has_what_the_tests_hold() -> None:
    assert table() == marks()
