"""The page of refusals names tests that exist, and every test of refusals is on it."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/refusals.md"
HERE = Path(__file__).parent
COLUMNS = 5
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what |")
]


def named(row: list[str]) -> tuple[str, str]:
    """The file and the name of the test that a row names."""
    path, _, name = row[-1].partition(" ")
    return path.strip("`"), name.strip("`")


@lru_cache
def docstrings_of(path: Path) -> dict[str, str]:
    """The docstring of each test of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {node.name: ast.get_docstring(node) or "" for node in functions}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[-1])
def test_a_row_names_a_source_and_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == COLUMNS
    assert re.fullmatch(r"\[[^]]+\]\(https://docs\.aws\.amazon\.com/[^)]+\)", row[3])
    path, name = named(row)
    assert name in docstrings_of(ROOT / path)


def test_every_test_of_refusals_is_on_the_page_and_names_its_source() -> None:
    listed = {named(row) for row in ROWS}
    for path in sorted(HERE.glob("test_refused_*.py")):
        for name, docstring in docstrings_of(path).items():
            assert (path.relative_to(ROOT).as_posix(), name) in listed
            assert "https://docs.aws.amazon.com/" in docstring, name
