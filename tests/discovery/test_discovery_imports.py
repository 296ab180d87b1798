"""Import styles, what an import may see, hostile modules, and what is remembered of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import treadle.loader
from support.discovered import HANDLER, Find, api, codes, event, one, only, step_of, write
from treadle_infra.app.findings import has_errors
from treadle_infra.discovery.discover import DiscoverOptions, Discovery, discover

# imports


IMPORT_STYLES = {
    "the project's folder": "from src.services.orders import VALUE",
    "the step's own folder": "from sibling import VALUE",
    "the folder above": "from services.orders import VALUE",
    "a folder of the project": "from middlewares.auth import VALUE",
    "one level, relative": "from .sibling import VALUE",
    "two levels, relative": "from ..services.orders import VALUE",
    "a path from __file__": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../lib'))\n"
    "from patched import VALUE",
    "inside a function": "def late():\n    from src.services.orders import VALUE\n    return VALUE\nVALUE = late()",
    "importlib": "import importlib\nVALUE = importlib.import_module('src.services.orders').VALUE",
    "a package's submodule": "from src.services import orders\nVALUE = orders.VALUE",
}
IMPORTED_FILES = {
    "src/services/orders.py": "VALUE = 1",
    "src/flow/sibling.py": "VALUE = 1",
    "middlewares/__init__.py": "",
    "middlewares/auth.py": "VALUE = 1",
    "lib/patched.py": "VALUE = 1",
    "src/unused.py": "VALUE = 1",
}


@pytest.mark.parametrize("style", IMPORT_STYLES)
@pytest.mark.parametrize("name", ["place_step.py", "00-place.order_step.py"])
def test_every_import_style_works_and_its_file_is_in_the_closure(find: Find, style: str, name: str) -> None:
    source = f"{IMPORT_STYLES[style]}\nassert VALUE == 1\n{api()}"
    discovery = find({f"src/flow/{name}": source, **IMPORTED_FILES})
    assert discovery.findings == ()
    wanted = {
        "the project's folder": "src/services/orders.py",
        "the step's own folder": "src/flow/sibling.py",
        "the folder above": "src/services/orders.py",
        "a folder of the project": "middlewares/auth.py",
        "one level, relative": "src/flow/sibling.py",
        "a path from __file__": "lib/patched.py",
    }.get(style, "src/services/orders.py")
    packages = ["middlewares/__init__.py"] if wanted.startswith("middlewares") else []
    assert step_of(discovery).files == tuple(sorted([f"src/flow/{name}", wanted, *packages]))


def test_relative_imports_run_the_packages_above_and_work_in_folders_with_odd_names(find: Find) -> None:
    rest = f"\n{api()}"
    discovery = find(
        {
            "steps/v1.2/doc-agent/a_step.py": f"from .near import A\nfrom ..far import B\nfrom ...top import C{rest}",
            "steps/v1.2/doc-agent/__init__.py": "import marker",
            "steps/v1.2/doc-agent/near.py": "A = 1",
            "steps/v1.2/far.py": "B = 1",
            "steps/top.py": "C = 1",
            "marker.py": "",
        }
    )
    assert discovery.findings == ()
    assert "steps/v1.2/far.py" in step_of(discovery).files
    assert {"steps/v1.2/doc-agent/__init__.py", "marker.py"} <= set(step_of(discovery).files)


def test_files_cannot_see_each_other(find: Find) -> None:
    first = f"import os, sys, helper\nhelper.COUNT += 1\nsys.path.append('/x')\nos.environ['SEEN'] = '1'\n{api()}"
    unseen = "helper.COUNT == 0 and '/x' not in sys.path and 'SEEN' not in os.environ"
    second = f"import os, sys, helper\nassert {unseen}\n{event()}"
    discovery = find({"steps/a_step.py": first, "steps/b_step.py": second, "helper.py": "COUNT = 0"})
    assert not has_errors(discovery.findings)
    assert len(discovery.app.steps) == 2


def test_modules_of_the_project_hide_nothing_of_pythons_own(find: Find) -> None:
    discovery = find(
        {"steps/a_step.py": f"import json\nassert json.dumps\n{api()}", "json.py": "", "steps/queue.py": ""}
    )
    found = only(discovery, "module-hidden")
    assert (found.severity, str(found.where)) == ("warning", "steps/a_step.py:1")
    assert step_of(discovery).files == ("steps/a_step.py",)


def test_what_lambda_brings_can_be_imported(find: Find, tmp_path: Path) -> None:
    source = f"import boto3\nimport botocore.exceptions\ntable = boto3.resource('dynamodb').Table('x')\n{api()}"
    assert find({"steps/a_step.py": source}, cache_directory=tmp_path / "cache").findings == ()


def test_types_and_optional_imports_are_nobodys_business(find: Find) -> None:
    source = f"""
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from motia import FlowContext
    from models import Order
try:
    import orjson as json
except ImportError:
    import json
{api()}"""
    discovery = find({"steps/a_step.py": source, "models.py": ""})
    assert discovery.findings == ()
    assert step_of(discovery).files == ("steps/a_step.py",)


def test_the_environment_is_scrubbed_and_has_the_projects_own_variables(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "secret")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    for name in ("NAME", "URL", "LINES", "EMPTY", "PLAIN", "HOST"):
        monkeypatch.delenv(name, raising=False)
    source = f"""
import os, sys
assert os.environ["NAME"] == "a b" and os.environ["URL"] == "x=y" and os.environ["LINES"] == "1\\n2"
assert "EMPTY" in os.environ and os.environ["PLAIN"] == "v" and os.environ["HOST"] == "h"
assert not [name for name in os.environ if "TOKEN" in name or "ACCESS_KEY" in name]
assert os.environ["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
assert sys.stdin.read() == "" and os.getcwd() == os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
{api()}"""
    dotenv = """
        # a comment
        NAME='a b'
        export URL=x=y
        LINES="1\\n2"
        EMPTY=
        PLAIN=v # more
        HOST = h
        AWS_ACCESS_KEY_ID=abc
        not a line
        """
    assert find({"steps/a_step.py": source, ".env": dotenv}).findings == ()


# hostile modules


@pytest.mark.parametrize(
    ("source", "code", "place", "says"),
    [
        ("while True: pass", "import-timed-out", 1, "still not imported after 1 s"),
        ("while True: print('x' * 10_000)", "import-timed-out", 1, "xxx"),
        ("import os, time\nif os.fork() == 0: time.sleep(60)\nos._exit(3)", "import-crashed", 1, "exit status 3"),
        ("print('goodbye')\nimport sys\nsys.exit('no')", "import-failed", 3, "goodbye"),
        ("import ctypes; ctypes.string_at(0)", "import-crashed", 1, "SIGSEGV"),
        ("import os\nos.closerange(0, 4096)", "import-crashed", 1, "file descriptors"),
        ("def f(): f()\nf()", "import-failed", 1, "RecursionError"),
        ("raise ValueError('first\\nsecond')", "import-failed", 1, "ValueError: first\nsecond"),
        ("import sys\n\nprint('out'); print('err', file=sys.stderr)\n1 / 0", "import-failed", 4, "| err"),
        ("x = (", "import-failed", 1, "SyntaxError"),
        ("from broken import x", "import-failed", "broken.py:2", "NameError"),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "import-failed", 3, "E"),
        ("raise KeyboardInterrupt", "import-failed", 1, "KeyboardInterrupt"),
        (
            "import os\nfor number in range(3, 4096):\n    try: os.write(number, b'no\\n')\n    except OSError: pass",
            "import-crashed",
            1,
            "not its own",
        ),
        ("import sys\nsys.stdout = None\nsys.modules.clear()\n1 / 0", "import-failed", 4, "ZeroDivisionError"),
    ],
)
def test_a_hostile_module_is_a_finding_and_harms_no_other(
    find: Find, source: str, code: str, place: int | str, says: str
) -> None:
    files = {"steps/a_step.py": api(), "steps/m_step.py": source, "steps/z_step.py": event(), "broken.py": "x = 1\nfoo"}
    discovery = find(files, import_timeout_seconds=1.0)
    found = only(discovery, code)
    assert str(found.where) == (place if isinstance(place, str) else f"steps/m_step.py:{place}")
    assert says in found.message
    assert len(found.message) < 3_000
    assert [step.path for step in discovery.app.steps] == ["steps/a_step.py", "steps/z_step.py"]


def test_a_thread_left_behind_is_not_blamed_on_the_next_file(find: Find) -> None:
    thread = f"""
import os, threading, time
def end():
    time.sleep(0.05)
    os._exit(1)
threading.Thread(target=end).start()
{api()}"""
    discovery = find({"steps/a_step.py": thread, "steps/b_step.py": f"import time\ntime.sleep(0.3)\n{event()}"})
    assert not has_errors(discovery.findings)
    assert len(discovery.app.steps) == 2


@pytest.mark.parametrize(
    ("config", "place", "says"),
    [
        ('{"name": "A",\n "input": {"properties": {"a": {1, 2}}}}', 2, "`config.input.properties.a` is a set"),
        ('{"name": "A",\n "emits": ["a", float("nan")]}', 2, "`config.emits.1` is nan"),
        ('{"name": "A",\n "when": print}', 2, "`config.when` is a builtin_function_or_method"),
        ('{"name": "A",\n "bodySchema": int}', 2, "only a pydantic model"),
        ('{"name": "A", "x": {(1, 2): 3}}', 1, "has the key (1, 2)"),
        ("[1]", 1, "must be a dict"),
        ("object()", 1, "is a object"),
    ],
)
def test_a_config_that_is_no_json_is_told_with_its_key(find: Find, config: str, place: int, says: str) -> None:
    found = only(find({"steps/a_step.py": f"config = {config}{HANDLER}"}), "config-not-json")
    assert str(found.where) == f"steps/a_step.py:{place}"
    assert says in found.message


def test_a_config_that_contains_itself_or_is_endless_is_told(find: Find) -> None:
    source = "config = {'name': 'A'}\nconfig['x'] = config\n"
    deep = "config = {'name': 'A'}\nfor _ in range(99): config = {'a': config}\n"
    discovery = find({"steps/a_step.py": source + HANDLER, "steps/b_step.py": deep + HANDLER})
    assert [finding.message.split("`")[-1] for finding in discovery.findings] == [
        " contains itself",
        " is nested deeper than 64 levels",
    ]


# the cache


def counting(body: str, path: Path) -> str:
    """A step that leaves a mark each time it is imported."""
    return f"with open({str(path)!r}, 'a') as mark: mark.write('x')\n{body}"


def test_only_what_has_changed_is_imported_again(find: Find, tmp_path: Path) -> None:
    first, second, cache = tmp_path / "first", tmp_path / "second", tmp_path / "cache"
    files = {
        "steps/a_step.py": counting("import helper\n" + api('"description": helper.TEXT'), first),
        "steps/b_step.py": counting(event(), second),
        "helper.py": "TEXT = open('text.txt').read()",
        "text.txt": "one",
    }

    def imported() -> tuple[int, int]:
        return len(first.read_text()), len(second.read_text())

    fresh = find(files, cache_directory=cache)
    assert find(files, cache_directory=cache) == fresh
    assert imported() == (1, 1)
    find({**files, "steps/b_step.py": files["steps/b_step.py"] + "# more\n"}, cache_directory=cache)
    assert imported() == (1, 2)
    discovery = find({"text.txt": "two"}, cache_directory=cache)
    assert imported() == (2, 2)
    assert discovery.app.steps[0].description == "two"
    find({"helper.py": "TEXT = 'three'"}, cache_directory=cache)
    find({".env": "A=1"}, cache_directory=cache)
    assert imported() == (4, 3)
    find({"steps/helper.py": "TEXT = 'nearer'"}, cache_directory=cache)
    assert imported() == (5, 3)


def test_a_cache_that_is_broken_or_gone_does_no_harm(find: Find, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    fresh = find(one(api()), cache_directory=cache)
    for text in ("", "[]", "{}", '{"key": 1, "answer": []}'):
        for file in (cache / "imports").iterdir():
            file.write_text(text)
        assert find({}, cache_directory=cache) == fresh
    (tmp_path / "file").write_text("")
    assert find({}, cache_directory=tmp_path / "file") == fresh


def test_failures_are_not_remembered(find: Find, tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    source = f"import os\nassert os.path.exists({str(switch)!r})\n{api()}"
    assert codes(find(one(source), cache_directory=tmp_path / "cache")) == ["import-failed"]
    switch.touch()
    assert find(one(source), cache_directory=tmp_path / "cache").findings == ()


# what treadle.loader is for beside discovery


def test_the_loader_costs_a_cold_start_next_to_nothing() -> None:
    program = (
        "import os, sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import treadle.loader; "
        "print(*sorted(set(sys.modules) - before))"
    )
    folder = str(Path(treadle.loader.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, folder], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"__future__", "treadle", "treadle.loader"}


def test_data_that_is_read_at_the_import_goes_into_the_zip_and_hidden_files_do_not(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": f"from pathlib import Path\ntext = Path('steps/prompt.txt').read_text()\n"
            f"Path('.env').read_text()\n{api()}",
            "steps/prompt.txt": "Hello",
            ".env": "KEY=1",
        }
    )
    assert step_of(discovery).files == ("steps/a_step.py", "steps/prompt.txt")
    assert discovery.findings == ()


@pytest.mark.motia("1", "includeFiles begin at the step's file")
def test_included_files_begin_at_the_steps_folder(find: Find) -> None:
    extra = '"includeFiles": ["prompt.txt", "./texts/*.md", "../prompts/*.txt", "here"]'
    files = {
        "steps/chat/prompt.txt": "",
        "prompt.txt": "another one",
        "steps/chat/texts/a.md": "",
        "steps/prompts/b.txt": "",
        "prompts/b.txt": "another one",
        "steps/chat/here/x.bin": "",
    }
    discovery = find({"steps/chat/a_step.py": api(extra), **files})
    assert step_of(discovery).files == (
        "steps/chat/a_step.py",
        "steps/chat/here/x.bin",
        "steps/chat/prompt.txt",
        "steps/chat/texts/a.md",
        "steps/prompts/b.txt",
    )
    assert discovery.findings == ()


def test_what_is_not_beside_the_step_is_looked_for_in_the_project(find: Find) -> None:
    extra = '"includeFiles": ["prompts/*.txt", "data", "steps/**/*.json"]'
    files = {
        "prompts/a.txt": "",
        "prompts/b.md": "",
        "data/deep/er.bin": "",
        "data/__pycache__/x.pyc": "",
        "steps/more/x.json": "",
    }
    discovery = find({"steps/a_step.py": api(extra), **files})
    assert step_of(discovery).files == ("data/deep/er.bin", "prompts/a.txt", "steps/a_step.py", "steps/more/x.json")


# the project's folder by its name


def in_shop(tmp_path: Path, files: Mapping[str, str]) -> Discovery:
    write(tmp_path / "shop", files)
    return discover(tmp_path / "shop", DiscoverOptions())


@pytest.mark.motia("2", "the project's folder is a package of its name")
@pytest.mark.parametrize("package", [False, True], ids=["plain folder", "with __init__.py"])
def test_the_project_is_imported_by_its_folders_name(tmp_path: Path, package: bool) -> None:
    files = {
        "steps/a_step.py": f"from shop.steps.shared import A\nfrom shop import constants\nassert A\n{api()}",
        "steps/shared.py": "from ..constants import A",
        "constants.py": "A = 1",
        **({"__init__.py": "B = 2"} if package else {}),
    }
    discovery = in_shop(tmp_path, files)
    assert discovery.findings == ()
    assert step_of(discovery).files == tuple(sorted(files))
    assert discovery.app.package == "shop"


def test_an_app_that_does_not_name_its_folder_knows_no_name_of_it(tmp_path: Path) -> None:
    assert in_shop(tmp_path, {"steps/a_step.py": api()}).app.package is None


def test_what_is_not_in_the_projects_folder_is_told_so(tmp_path: Path) -> None:
    discovery = in_shop(tmp_path, {"steps/a_step.py": f"from shop.nothing import A\n{api()}"})
    hint = only(discovery, "package-not-required").hint
    assert hint == "`shop` is the project's folder, and what is imported is not in it"
