"""Files that handlers read when they run: found by the paths that stand in the code."""

from __future__ import annotations

import pytest

from support.discovered import Find, api, only, step_of
from treadle_infra.app.findings import SourceLocation

READS = [
    pytest.param('open("data/x.json")', id="open"),
    pytest.param('Path("data/x.json").read_text()', id="Path"),
    pytest.param('(Path("data") / "x.json").read_text()', id="division"),
    pytest.param('(Path(__file__).parent.parent / "data" / "x.json").read_text()', id="parent of file"),
    pytest.param('(Path(__file__).resolve().parents[1] / "data/x.json").read_text()', id="parents of file"),
    pytest.param(
        'open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "x.json"))', id="os.path"
    ),
    pytest.param('open(os.path.join(os.getcwd(), "data", "x.json"))', id="working folder"),
    pytest.param('open(f"data/{os.name}.json")', id="f-string"),
    pytest.param('(HERE / "data" / f"{os.name}.json").read_text()', id="computed name"),
    pytest.param('list((HERE / "data").glob("*.json"))', id="glob"),
    pytest.param('list(HERE.rglob("x.json"))', id="rglob"),
    pytest.param('list(Path("data").iterdir())', id="folder"),
    pytest.param('os.listdir("data")', id="listdir"),
    pytest.param('FileSystemLoader(HERE / "data")', id="loader"),
    pytest.param('FileSystemLoader(searchpath="data")', id="keyword"),
    pytest.param('open(os.environ.get("DATA", "data/x.json"))', id="default"),
    pytest.param("open(DATA)", id="constant"),
    pytest.param("read()", id="default of a parameter"),
]

FILE = """
import os
from pathlib import Path
HERE = Path(__file__).parent.parent
DATA = "data/x.json"
def read(path=DATA):
    return open(path)
def use():
    return %s
"""  # what is tried stands in line 8


@pytest.mark.motia("2", "files that a handler reads by a path in its code are there, in dev and in the zip")
@pytest.mark.parametrize("expression", READS)
def test_a_file_that_the_code_names_goes_into_the_zip(find: Find, expression: str) -> None:
    files = {"data/x.json": "{}", "data/.hidden": "", "data/y.py": "", "others/x.txt": ""}
    discovery = find({"steps/a_step.py": FILE % expression + api(), **files})
    assert step_of(discovery).files == ("data/x.json", "steps/a_step.py")
    assert discovery.findings == ()


def test_paths_of_imported_files_count_and_begin_where_those_are(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": f"from lib.settings import PROMPTS\n{api()}",
            "lib/settings.py": """
                import os
                class Settings:
                    def __init__(self):
                        self.base = os.path.dirname(__file__)
                    def texts(self):
                        return os.path.join(self.base, "texts", "a.md")
                PROMPTS = os.path.join(os.path.dirname(__file__), "prompts")
            """,
            "lib/texts/a.md": "",
            "lib/texts/b.md": "",
            "lib/prompts/x.txt": "",
            "lib/prompts/deep/y.txt": "",
            "texts/a.md": "",
        }
    )
    assert step_of(discovery).files == (
        "lib/prompts/deep/y.txt",
        "lib/prompts/x.txt",
        "lib/settings.py",
        "lib/texts/a.md",
        "steps/a_step.py",
    )


NO_FILES = [
    "open('/etc/hostname')",
    "open('../outside.txt')",
    "open(HERE)",
    "HERE / '..'",
    "open('.env')",
    "open(name)",
    "HERE.rglob('*')",
    "'data and more'",
    "print('data')",
    "open('dist/z.json')",
    "fetch('https://data/z.json')",
    "open('data**/z.json')",
]


@pytest.mark.parametrize("expression", NO_FILES)
def test_what_is_no_file_of_the_project_stays_out(find: Find, expression: str) -> None:
    files = {"data/z.json": "{}", "dist/z.json": "{}", ".env": "A=1"}
    discovery = find({"steps/a_step.py": FILE % expression + api(), **files})
    assert step_of(discovery).files == ("steps/a_step.py",)


@pytest.mark.parametrize(
    "expression",
    [
        'open(DATA, "w")',
        'open("data/x.json", mode="a")',
        'Path(DATA).write_text("")',
        '(HERE / "data/x.json").open("r+")',
        "sqlite3.connect(DATA)",
    ],
)
def test_a_file_that_the_code_writes_is_told(find: Find, expression: str) -> None:
    discovery = find({"steps/a_step.py": FILE % expression + api(), "data/x.json": "{}"})
    assert step_of(discovery).files == ("steps/a_step.py",)
    finding = only(discovery, "project-file-written")
    assert (finding.severity, finding.where) == ("warning", SourceLocation("steps/a_step.py", 8))
    assert finding.message.startswith("`data/x.json` is written in the project's folder: on Lambda only /tmp")


@pytest.mark.parametrize("expression", ['open("/tmp/x", "w")', "open(name, 'w')", 'sqlite3.connect(":memory:")'])
def test_what_is_written_elsewhere_is_not(find: Find, expression: str) -> None:
    assert find({"steps/a_step.py": FILE % expression + api()}).findings == ()
