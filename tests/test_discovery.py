"""From a project's folder to its App and to everything that is wrong with it, through `discover`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pydantic
import pytest

from treadle_infra.app.findings import Finding, TreadleError, has_errors
from treadle_infra.app.model import Emit, HttpTrigger, Permission, QueueSettings, Step, Stream, TopicTrigger
from treadle_infra.discovery.discover import DiscoverOptions, Discovery, discover
from treadle_infra.interpreters import find_interpreter

SITE_PACKAGES = str(Path(pydantic.__file__).parents[1])
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

Files = Mapping[str, str]
Find = Callable[..., Discovery]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Writes files of a project and discovers it; texts may be indented."""

    def run(files: Files, **options: object) -> Discovery:
        project = tmp_path / "my-app"
        write(project, files)
        return discover(project, DiscoverOptions(**options))  # type: ignore[arg-type]

    return run


def write(project: Path, files: Files) -> None:
    project.mkdir(exist_ok=True)
    for path, text in files.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def codes(discovery: Discovery) -> list[str]:
    return [finding.code for finding in discovery.findings]


def only(discovery: Discovery, code: str) -> Finding:
    """The one finding with this code."""
    found = [finding for finding in discovery.findings if finding.code == code]
    assert len(found) == 1, "\n".join(str(finding) for finding in discovery.findings)
    return found[0]


def step_of(discovery: Discovery) -> Step:
    assert len(discovery.app.steps) == 1, "\n".join(str(finding) for finding in discovery.findings)
    return discovery.app.steps[0]


HANDLER = "\nasync def handler(input, context):\n    pass\n"


def api(extra: str = "", body: str = "    pass") -> str:
    """An API step whose config has `extra` in line 6 and whose handler begins in line 10."""
    return (
        'config = {\n    "name": "Hello",\n    "type": "api",\n    "path": "/hello",\n    "method": "GET",\n'
        f"    {extra}\n}}\n\n\nasync def handler(req, context):\n{textwrap.indent(textwrap.dedent(body), '    ').rstrip()}\n"
    )


def event(extra: str = "", body: str = "pass") -> str:
    """An event step whose config has `extra` in line 5 and whose handler begins in line 9."""
    return (
        'config = {\n    "name": "Work",\n    "type": "event",\n    "subscribes": ["asked"],\n'
        f"    {extra}\n}}\n\n\nasync def handler(data, context):\n{textwrap.indent(textwrap.dedent(body), '    ').rstrip()}\n"
    )


# the app


def test_the_messaging_example_becomes_an_app() -> None:
    discovery = discover(EXAMPLES / "messaging", DiscoverOptions())
    assert discovery.app.name == "messaging"
    assert [step.name for step in discovery.app.steps] == ["SendMessage", "ProcessMessage"]
    send, process = discovery.app.steps
    assert [str(send.where), str(send.triggers[0].where)] == ["steps/api_step.py:1", "steps/api_step.py:4"]
    assert isinstance(send.triggers[0], HttpTrigger)
    assert (send.triggers[0].method, send.triggers[0].path) == ("POST", "/messages")
    assert (send.emits, send.flows, send.files) == ((Emit("message.sent"),), ("messaging",), ("steps/api_step.py",))
    assert send.usage.state == {"set"}
    assert send.usage.streams == {"messages": frozenset({"set"})}
    assert send.usage.topics == {"message.sent"}
    assert isinstance(process.triggers[0], TopicTrigger)
    assert process.triggers[0].queue == QueueSettings()
    assert [stream.name for stream in discovery.app.streams] == ["messages", "processed"]
    assert only(discovery, "topic-without-subscriber").severity == "warning"
    assert not has_errors(discovery.findings)


def test_discovery_is_the_same_every_time(find: Find) -> None:
    files = {
        "steps/b_step.py": api(body='await context.streams.one.set("a", {})\nawait context.streams.two.get("a")'),
        "steps/a_step.py": event('"emits": ["x", "y"]'),
        "src/z_step.py": "import nowhere",
    }
    first, second = find(files), find(files)
    assert first == second
    assert [finding.where for finding in first.findings] == sorted(
        finding.where for finding in first.findings if finding.where
    )


def test_a_step_with_an_error_is_left_out_and_the_rest_goes_on(find: Find) -> None:
    discovery = find({"steps/a_step.py": api(), "steps/b_step.py": "config = {"})
    assert [step.path for step in discovery.app.steps] == ["steps/a_step.py"]
    assert only(discovery, "import-failed").severity == "error"


def test_both_dialects_make_the_same_app(find: Find) -> None:
    old = find(
        {
            "steps/a_step.py": api(
                '"emits": [{"topic": "asked", "label": "x"}], "flows": ["f"], "bodySchema": {"type": "object"}, '
                '"infrastructure": {"handler": {"ram": 512, "timeout": 20}}, "description": "d", "virtualEmits": ["v"]'
            ),
            "steps/b_step.py": event(
                '"emits": [], "input": {"type": "object"}, "infrastructure": {"handler": {"timeout": 60}, '
                '"queue": {"maxRetries": 5, "visibilityTimeout": 90, "delaySeconds": 3, "concurrency": 4}}'
            ),
        }
    )
    new = find(
        {
            "steps/a_step.py": """
                config = {
                    "name": "Hello", "enqueues": [{"topic": "asked", "label": "x"}], "flows": ["f"], "description": "d",
                    "virtualEnqueues": ["v"], "infrastructure": {"handler": {"ram": 512, "timeout": 20}},
                    "triggers": [{"type": "http", "method": "get", "path": "/hello", "body_schema": {"type": "object"}}],
                }
                async def handler(req, context):
                    pass
                """,
            "steps/b_step.py": """
                config = {
                    "name": "Work", "infrastructure": {"handler": {"timeout": 60}},
                    "triggers": [{"type": "queue", "topic": "asked", "input": {"type": "object"}, "config": {
                        "maxRetries": 5, "visibility_timeout": 90, "delaySeconds": 3, "concurrency": 4}}],
                }
                async def handler(data, context):
                    pass
                """,
        }
    )
    assert old.findings == new.findings == ()
    assert [without_places(step) for step in old.app.steps] == [without_places(step) for step in new.app.steps]
    assert old.app.steps[0].memory_mb == 512
    queue = QueueSettings(max_retries=5, visibility_timeout_seconds=90, delay_seconds=3, concurrency=4)
    assert [trigger.queue for trigger in old.app.steps[1].triggers if isinstance(trigger, TopicTrigger)] == [queue]


def without_places(step: Step) -> tuple[object, ...]:
    triggers = [str(trigger).partition(", where=")[0] for trigger in step.triggers]
    return step.name, triggers, step.emits, step.flows, step.description, step.memory_mb, step.timeout_seconds


def test_a_1_0_step_may_have_several_triggers(find: Find) -> None:
    source = """
        config = {"name": "Both", "triggers": [
            {"type": "http", "method": "POST", "path": "/a"},
            {"type": "queue", "topic": "a"}], "enqueues": ["a"]}
        def handler(input, ctx): pass
        """
    step = step_of(find({"steps/a_step.py": source}))
    assert [type(trigger) for trigger in step.triggers] == [HttpTrigger, TopicTrigger]
    assert [str(trigger.where) for trigger in step.triggers] == ["steps/a_step.py:2", "steps/a_step.py:3"]


def test_noop_steps_are_dropped_without_a_word(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": api('"emits": ["seen.by.a.person"]'),
            "steps/b_step.py": """config = {"type": "noop", "name": "Person", "virtualEmits": ["asked"],
                "virtualSubscribes": ["seen.by.a.person"]}""",
            "steps/c_step.py": event(),
            "steps/d_step.py": 'config = {"name": "Drawn", "triggers": []}',
        }
    )
    assert discovery.findings == ()
    assert [step.name for step in discovery.app.steps] == ["Hello", "Work"]


def test_pydantic_models_stand_for_schemas(find: Find) -> None:
    source = """
        try:
            from pydantic import BaseModel
        except ImportError:
            BaseModel = object
        class Order(BaseModel):
            id: str
        class Settings(BaseModel):
            name: str = "Hello"
            type: str = "api"
            path: str = "/hello"
            method: str = "post"
            bodySchema: object = Order
            responseSchema: dict = {200: Order}
            description: str | None = None
        config = Settings()
        def handler(req): pass
        """
    step = step_of(find({"steps/a_step.py": source}, extra_paths=(SITE_PACKAGES,)))
    trigger = step.triggers[0]
    assert isinstance(trigger, HttpTrigger)
    assert trigger.body_schema == {
        "properties": {"id": {"title": "Id", "type": "string"}},
        "required": ["id"],
        "title": "Order",
        "type": "object",
    }


def test_a_dataclass_an_enum_and_a_mapping_can_make_a_config(find: Find) -> None:
    source = """
        import enum, types
        from dataclasses import dataclass, field
        class Kind(enum.Enum):
            API = "api"
        @dataclass
        class Config:
            name: str
            path: str
            type: Kind = Kind.API
            method: str = "GET"
            flows: tuple = ("a", "b")
            infrastructure: object = field(default_factory=lambda: types.MappingProxyType({"handler": {"ram": 128}}))
        config = Config("Hello", "/hello")
        def handler(req, context=None): pass
        """
    step = step_of(find({"steps/a_step.py": source}))
    assert (step.flows, step.memory_mb) == (("a", "b"), 128)


def test_permissions_are_taken_on_every_kind_of_step(find: Find) -> None:
    permissions = '"permissions": [{"actions": ["s3:GetObject", "s3:List*"], "resources": ["arn:aws:s3:::x/*", "*"]}]'
    discovery = find({"steps/a_step.py": api(permissions), "steps/b_step.py": event(permissions)})
    wanted = (Permission(("s3:GetObject", "s3:List*"), ("arn:aws:s3:::x/*", "*")),)
    assert [step.permissions for step in discovery.app.steps] == [wanted, wanted]


# the project's settings


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({}, "my-app"),
        ({"pyproject.toml": '[project]\nname = "Other_Name"'}, "other-name"),
        ({"treadle.toml": 'name = "shop"', "pyproject.toml": '[project]\nname = "other"'}, "shop"),
        (
            {"pyproject.toml": '[tool.treadle]\nname = "mine"\n[project]\nname = "x"', "treadle.toml": 'name = "a"'},
            "mine",
        ),
    ],
)
def test_the_app_has_the_name_that_the_project_gives_it(find: Find, files: Files, name: str) -> None:
    assert find(files).app.name == name


@pytest.mark.parametrize(
    ("files", "code", "place", "says"),
    [
        ({"treadle.toml": '# x\nname = "My App"'}, "app-name-not-allowed", "treadle.toml:2", "write `my-app`"),
        ({"pyproject.toml": "[tool.treadle]\nname = 3"}, "app-name-not-allowed", "pyproject.toml:2", "write `app-3`"),
        (
            {"pyproject.toml": '[project]\nname = "x"\n\n[tool.treadle]\nnam = "x"'},
            "project-setting-unknown",
            "pyproject.toml:5",
            "did you mean `name`?",
        ),
        ({"treadle.toml": "[a]\nregion = 1"}, "project-setting-unknown", "treadle.toml:1", "the settings are: name"),
        ({"treadle.toml": 'name = "a"\nb = ]'}, "project-file-invalid", "treadle.toml:2", ""),
    ],
)
def test_what_is_wrong_with_the_settings_is_found(find: Find, files: Files, code: str, place: str, says: str) -> None:
    found = only(find(files), code)
    assert (found.severity, str(found.where)) == ("error", place)
    assert says in (found.hint or "")


# the files


def test_steps_are_found_in_steps_and_src_at_any_depth(find: Find, tmp_path: Path) -> None:
    step = 'config = {{"name": "{0}", "type": "api", "method": "GET", "path": "/{0}"}}\ndef handler(req): pass\n'
    names = [
        "steps/a_step.py",
        "steps/x/deletion_reaper.cron_step.py",
        "src/deep/er/b_step.py",
        "steps/doc-agent/00_c_step.py",
    ]
    skipped = [
        "steps/.hidden/d_step.py",
        "src/node_modules/m/e_step.py",
        "src/__pycache__/f_step.py",
        "src/venv/lib/g_step.py",
        "lib/h_step.py",
        "steps/i_step.tsx",
        "steps/step.py",
    ]
    files = {path: step.format(number) for number, path in enumerate([*names, *skipped])}
    (tmp_path / "my-app" / "steps").mkdir(parents=True)
    (tmp_path / "my-app" / "steps" / "loop").symlink_to(tmp_path / "my-app" / "steps")
    discovery = find({**files, "src/venv/pyvenv.cfg": ""})
    assert discovery.findings == ()
    assert [step.path for step in discovery.app.steps] == sorted(names)


def test_dotted_python_names_are_read_with_a_warning(find: Find) -> None:
    discovery = find({"steps/hello.step.py": api(), "steps/chat.stream.py": 'config = {"name": "chat"}'})
    assert codes(discovery) == ["dotted-file-name", "dotted-file-name"]
    assert [finding.hint for finding in discovery.findings] == [
        "rename it to `chat_stream.py`",
        "rename it to `hello_step.py`",
    ]
    assert [str(finding.where) for finding in discovery.findings] == ["steps/chat.stream.py:1", "steps/hello.step.py:1"]
    assert step_of(discovery).path == "steps/hello.step.py"
    assert [stream.name for stream in discovery.app.streams] == ["chat"]


@pytest.mark.parametrize(
    "name", ["a.step.ts", "a_step.js", "a.step.js", "a_step.ts", "a.stream.ts", "a_stream.js", "a_step.rb"]
)
def test_other_languages_are_refused_by_name(find: Find, name: str) -> None:
    found = only(find({f"steps/{name}": ""}), "language-not-supported-yet")
    assert str(found.where) == f"steps/{name}:1"
    assert name in found.message
    assert "TypeScript, JavaScript" in found.message


def test_an_empty_project_is_told_how_to_begin(find: Find) -> None:
    found = only(find({}), "no-steps")
    assert found.severity == "warning"
    assert found.hint is not None
    assert "treadle new" in found.hint
    assert "async def handler(req, context):" in found.hint


def test_a_project_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TreadleError, match="there is no folder") as caught:
        discover(tmp_path / "nowhere", DiscoverOptions())
    assert caught.value.code == "project-not-found"


def test_an_interpreter_that_does_not_run_is_an_error(find: Find, tmp_path: Path) -> None:
    for interpreter in (str(tmp_path / "python"), "/bin/false"):
        with pytest.raises(TreadleError) as caught:
            find({"steps/a_step.py": api()}, interpreter=interpreter)
        assert caught.value.code == "interpreter-not-usable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_found(find: Find, tmp_path: Path) -> None:
    folder = tmp_path / "my-app" / "steps" / "secret"
    folder.mkdir(parents=True)
    folder.chmod(0)
    try:
        assert str(only(find({}), "file-unreadable").where) == "steps/secret:1"
    finally:
        folder.chmod(0o700)


# imports


IMPORT_STYLES = {
    "the project's folder": "from src.services.orders import VALUE",
    "the step's own folder": "from sibling import VALUE",
    "the folder above": "from services.orders import VALUE",
    "a folder of the project": "from middlewares.auth import VALUE",
    "one level, relative": "from .sibling import VALUE",
    "two levels, relative": "from ..services.orders import VALUE",
    "a path from __file__": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'lib'))\n"
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
    discovery = find(
        {
            "steps/v1.2/doc-agent/a_step.py": f"from .near import A\nfrom ..far import B\nfrom ...top import C\n{api()}",
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
    second = f"import os, sys, helper\nassert helper.COUNT == 0 and '/x' not in sys.path and 'SEEN' not in os.environ\n{event()}"
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
    source = f"import boto3\nfrom dateutil import parser\ntable = boto3.resource('dynamodb').Table('x')\n{api()}"
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
            "import os\nfor number in range(3, 20):\n    try: os.write(number, b'no\\n')\n    except OSError: pass",
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


# every other finding, with its place

HTTP = '"triggers": [\n{"type": "http", "method": "GET", "path": "/a", %s}]'
QUEUE = '"triggers": [\n{"type": "queue", "topic": "a", %s}]'


def one(source: str) -> Files:
    return {"steps/a_step.py": source}


def new(triggers: str) -> Files:
    return one(f'config = {{"name": "A", "enqueues": ["a"], {triggers}}}{HANDLER}')


def bare(handler: str) -> Files:
    return one(f'config = {{"name": "A", "type": "api", "method": "GET", "path": "/a"}}\n{handler}')


CASES: list[tuple[str, Files, int | str, str]] = [
    # config
    ("config-missing", one("handler = print"), 1, "No 'config' found"),
    ("step-config-invalid", one(f'config = {{"name": "A"}}{HANDLER}'), 1, "`type` is required"),
    (
        "step-config-invalid",
        one(f'config = {{"name": "A",\n"type": "ap"}}{HANDLER}'),
        2,
        "must be one of api, event, cron, noop",
    ),
    (
        "step-config-invalid",
        one(f'config = {{"name": "A",\n"type": "api", "method": "GET"}}{HANDLER}'),
        1,
        "`path` is required",
    ),
    ("step-config-invalid", one(api('"emit": []')), 6, "Unrecognized key(s) in object: 'emit'"),
    ("step-config-invalid", one(api('"emits": [{"topic": "a",\n"lable": "x"}]')), 7, "in object: 'emits[0].lable'"),
    ("step-config-invalid", one(api('"emits": "a"')), 6, "`emits` must be a list; got `'a'`"),
    ("step-config-invalid", one(api('"emits": [""]')), 6, "a topic is a text"),
    ("step-config-invalid", one(api('"flows": ["a",\n3]')), 7, "`flows[1]` must be a text; got `3`"),
    ("step-config-invalid", one(event('"subscribes": []')), 5, "`subscribes` must not be empty"),
    ("step-config-invalid", one(api('"queryParams": [{"name": "x", "x": 1}]')), 6, "'queryParams[0].x'"),
    ("schema-invalid", one(api('"bodySchema": "x"')), 6, "a schema is a dict"),
    ("name-not-allowed", one(api('"name": "_treadle-x"')), 6, "Treadle's own"),
    ("name-not-allowed", one(api('"name": "a\\n"')), 6, "control characters"),
    ("name-not-allowed", one(api(f'"name": "{"x" * 129}"')), 6, "1 to 128"),
    ("permission-invalid", one(api('"permissions": [{"actions": ["*"], "resources": ["*"]}]')), 6, "got `*`"),
    ("permission-invalid", one(api('"permissions": [{"actions": ["s3"], "resources": ["*"]}]')), 6, "`service:Action`"),
    ("permission-invalid", one(api('"permissions": [{"actions": ["s3:Get"], "resources": ["b"]}]')), 6, "ARN"),
    (
        "step-config-invalid",
        new('"triggers": [{"type": "http", "method": "GET"}]'),
        1,
        "`triggers[0].path` is required",
    ),
    ("step-config-invalid", new('"triggers": [\n{"type": "htp"}]'), 2, "`triggers[0].type` must be one of"),
    ("step-config-invalid", new('"triggers": [\n{"topic": "a"}]'), 2, "`triggers[0].type` is required"),
    # paths
    ("path-invalid", one(api('"path": "hello"')), 6, "must begin with `/`"),
    ("path-invalid", one(api('"path": "/:id/a/:id"')), 6, "two parameters named `id`"),
    ("path-not-supported", one(api('"path": "/a/:id?"')), 6, "`:id?`"),
    ("path-not-supported", one(api(r'"path": "/a/:id(\\d+)"')), 6, "regular expressions"),
    ("path-not-supported", one(api('"path": "/a/*/b"')), 6, "`*` in a path"),
    ("path-not-supported", one(api('"path": "/a/b*"')), 6, "`b*`"),
    ("path-not-supported", one(api('"path": "/a//b"')), 6, "empty"),
    ("path-not-supported", one(api('"path": "/:from-:to"')), 6, "`:from-:to`"),
    ("path-not-supported", one(api('"path": "/{id}"')), 6, "as in Express"),
    ("path-not-supported", one(api('"path": "/a b"')), 6, "`a b`"),
    # infrastructure, in Motia's words
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {\n"ram": 64}}')),
        6,
        "RAM must be at least 128 MB",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {"ram": 10241}}')),
        5,
        "RAM cannot exceed 10240 MB",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {"timeout": 0}}')),
        5,
        "Timeout must be at least 1s",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {"timeout": 901}}')),
        5,
        "Timeout cannot exceed 900s",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {"ram": 1792, "cpu": 3}}')),
        5,
        "CPU (3 vCPU) is not proportional to RAM (1792 MB). Expected approximately 0.88 vCPU",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"queue": {"maxRetries": -1}}')),
        5,
        "maxRetries cannot be negative",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"queue": {"delaySeconds": -1}}')),
        5,
        "cannot be negative",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"queue": {"delaySeconds": 901}}')),
        5,
        "delaySeconds cannot exceed 900 seconds (15 minutes)",
    ),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"handler": {"timeout": 100}, "queue": {"visibilityTimeout": 5}}')),
        5,
        "Visibility timeout (5s) must be greater than handler timeout (100s) to prevent premature message redelivery",
    ),
    ("infrastructure-invalid", one(event('"infrastructure": {"queue": {"concurrency": 1}}')), 5, "2 to 1000"),
    (
        "infrastructure-invalid",
        one(event('"infrastructure": {"queue": {"visibilityTimeout": 50000}}')),
        5,
        "0 to 43200",
    ),
    ("infrastructure-invalid", one(event('"infrastructure": {"queue": {"type": "lifo"}}')), 5, "`standard` or `fifo`"),
    ("infrastructure-invalid", one(event('"infrastructure": {"queue": {"maxRetries": "3"}}')), 5, "whole number"),
    ("infrastructure-invalid", one(event('"infrastructure": {"handler": 3}')), 5, "must be a dict"),
    ("infrastructure-invalid", new(QUEUE % '\n"config": {"maxRetries": -1}'), 3, "maxRetries cannot be negative"),
    (
        "infrastructure-key-unknown",
        one(event('"infrastructure": {"handler": {\n"retries": 2}}')),
        6,
        "infrastructure.handler.retries",
    ),
    ("infrastructure-key-unknown", one(api('"infrastructure": {"queue": {}}')), 6, "infrastructure.queue"),
    ("api-timeout-too-long", one(api('"infrastructure": {"handler": {"timeout": 30}}')), 6, "at most 29 s"),
    # refused by name
    (
        "cron-steps-not-supported-yet",
        one(f'config = {{"name": "A",\n"type": "cron", "cron": "* * * * *"}}{HANDLER}'),
        2,
        "cron",
    ),
    ("cron-triggers-not-supported-yet", new('"triggers": [\n{"type": "cron", "expression": "0"}]'), 2, "`cron`"),
    ("state-triggers-not-supported-yet", new('"triggers": [\n{"type": "state"}]'), 2, "`state`"),
    ("stream-triggers-not-supported-yet", new('"triggers": [\n{"type": "stream", "streamName": "x"}]'), 2, "`stream`"),
    ("conditions-not-supported-yet", new(HTTP % '\n"condition": lambda i, c: True'), 3, "condition"),
    ("conditions-not-supported-yet", new(QUEUE % '\n"condition": lambda i, c: True'), 3, "condition"),
    ("queue-backoff-not-supported-yet", new(QUEUE % '\n"config": {"backoff_type": "fixed"}'), 3, "backoffType"),
    ("fifo-queues-not-supported-yet", one(event('"infrastructure": {"queue": {\n"type": "fifo"}}')), 6, "fifo"),
    ("fifo-queues-not-supported-yet", new(QUEUE % '"config": {\n"type": "fifo"}'), 3, "fifo"),
    ("middleware-not-supported-yet", one(api('"middleware": [print]')), 6, "middleware"),
    ("middleware-not-supported-yet", new(HTTP % '\n"middleware": [print]'), 3, "middleware"),
    ("include-files-not-supported-yet", one(api('"includeFiles": ["*.txt"]')), 6, "includeFiles"),
    ("third-party-packages-not-supported-yet", one(f"import os\nimport requests.sessions\n{api()}"), 2, "`requests`"),
    ("third-party-packages-not-supported-yet", one(api(body="from numpy import array")), 11, "`numpy`"),
    (
        "third-party-packages-not-supported-yet",
        {**one(f"import helper\n{api()}"), "helper.py": "def f():\n    import pandas"},
        "helper.py:2",
        "`pandas`",
    ),
    ("motia-module-not-supported-yet", one(f"from motia import logger\n{api()}"), 1, "`motia`"),
    # streams
    (
        "stream-config-invalid",
        {"steps/a_stream.py": 'config = {"name": "a",\n"shema": {}}'},
        "steps/a_stream.py:2",
        "shema",
    ),
    (
        "stream-config-invalid",
        {"steps/a_stream.py": 'config = {"name": "a", "baseConfig": {\n"storageType": "x"}}'},
        "steps/a_stream.py:2",
        "must be `default`",
    ),
    (
        "custom-stream-storage-not-supported-yet",
        {"steps/a_stream.py": 'config = {"name": "a",\n"baseConfig": {"storageType": "custom"}}'},
        "steps/a_stream.py:2",
        "custom",
    ),
    (
        "stream-access-rules-not-supported-yet",
        {"steps/a_stream.py": 'config = {"name": "a",\n"canAccess": lambda s, c: True}'},
        "steps/a_stream.py:2",
        "canAccess",
    ),
    (
        "duplicate-stream-name",
        {"steps/a_stream.py": 'config = {"name": "a"}', "steps/b_stream.py": 'config = {\n"name": "a"}'},
        "steps/b_stream.py:2",
        "steps/a_stream.py:1",
    ),
    ("stream-inferred", one(api(body='pass\nawait context.streams.chat.set("a", {})')), 12, "`chat`"),
    # handlers
    ("handler-missing", bare(""), 1, "No 'handler' found"),
    ("handler-not-callable", bare("\nhandler = 3"), 3, "it is a int"),
    ("handler-is-generator", bare("async def handler(req, context):\n    yield 1"), 2, "yield"),
    ("handler-arity", bare("async def handler(a, b, c): pass"), 2, "it takes 3"),
    ("handler-arity", bare("async def handler(): pass"), 2, "it takes none"),
    ("handler-arity", bare("async def handler(req, *, context): pass"), 2, "`context`"),
    ("handler-arity", bare("import functools\nhandler = functools.partial(lambda a, b, c, d: 1, 2)"), 3, "it takes 3"),
    # between files
    (
        "duplicate-step-name",
        {**one(api()), "steps/b_step.py": api('"name": "HELLO", "path": "/b"')},
        "steps/b_step.py:6",
        "`Hello`",
    ),
    (
        "duplicate-route",
        {**one(api('"path": "/a/:id"')), "steps/b_step.py": api('"name": "B", "path": "/a/:name"')},
        "steps/b_step.py:6",
        "Endpoint conflict: `GET /a/:name` is defined in steps/a_step.py:6 too (as `/a/:id`)",
    ),
    (
        "topic-without-subscriber",
        one(api('"emits": ["a"]')),
        6,
        "Step (API) steps/a_step.py emits to a, but there is no",
    ),
    (
        "topic-without-subscriber",
        one(api(body='await context.emit({"topic": "a"})')),
        11,
        "there is no subscriber defined",
    ),
    ("topic-without-emitter", one(event()), 4, "no step emits to it"),
    ("undeclared-emit", one(event('"emits": ["asked"]', 'await context.emit({"topic": "b"})')), 10, "`b`"),
    ("computed-topic", one(api(body='pass\nawait context.emit({"topic": req["t"]})')), 12, "`Hello`"),
    (
        "dynamic-import",
        one(api(body="import importlib\nimportlib.import_module(req['m'])")),
        12,
        "known only when this runs",
    ),
    (
        "data-file-not-bundled",
        {**one(f"text = open('steps/prompt.txt').read()\n{api()}"), "steps/prompt.txt": "x"},
        1,
        "`steps/prompt.txt`",
    ),
]


@pytest.mark.parametrize(
    ("code", "files", "place", "says"), CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)]
)
def test_a_finding_shows_its_place(find: Find, code: str, files: Files, place: int | str, says: str) -> None:
    found = only(find(files), code)
    assert str(found.where) == (place if isinstance(place, str) else f"steps/a_step.py:{place}")
    assert says in found.message


def test_a_method_that_is_none_is_told_with_the_likely_one(find: Find) -> None:
    found = only(find(one(api('"method": "FETCH"'))), "step-config-invalid")
    assert found.message == "`method` must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS; got `FETCH`"
    assert found.hint == "did you mean `PATCH`?"


def test_everything_that_is_wrong_is_told_at_once(find: Find) -> None:
    config = 'config = {"name": 3, "type": "event", "subscribes": "a", "emitz": [], "infrastructure": {"handler": {"ram": 1}}}'
    discovery = find(
        {"steps/a_step.py": f"{config}{HANDLER}", "steps/b_step.py": "config = 1 /", "treadle.toml": "x = 1"}
    )
    assert sorted(codes(discovery)) == ["import-failed", "project-setting-unknown", *["step-config-invalid"] * 3]


def test_none_stands_for_a_key_that_is_left_out(find: Find) -> None:
    keys = '"emits": None, "flows": None, "description": None, "bodySchema": None, "middleware": None, "infrastructure": None'
    discovery = find(
        {"steps/a_step.py": api(f'{keys}, "permissions": None, "includeFiles": None, "queryParams": None')}
    )
    assert discovery.findings == ()
    assert step_of(discovery).emits is None


@pytest.mark.parametrize(
    "handler",
    [
        "async def handler(req, context): pass",
        "async def handler(req): pass",
        "def handler(req, ctx=None): pass",
        "async def handler(*args): pass",
        "async def handler(req, context, extra=1): pass",
        "handler = lambda req, ctx: None",
        "class H:\n    async def __call__(self, req, ctx): pass\nhandler = H()",
        "class H:\n    def run(self, req, ctx): pass\nhandler = H().run",
        "import functools\nhandler = functools.partial(lambda a, b, c: 1, 2)",
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    async def w(*a, **k): return await f(*a)\n    return w\n"
        "@d\nasync def handler(req, context): pass",
    ],
)
def test_handlers_that_can_be_called_are_taken(find: Find, handler: str) -> None:
    assert find(bare(handler)).findings == ()


def test_source_that_is_newer_than_treadles_own_python_is_told(find: Find) -> None:
    interpreter = find_interpreter()
    if not interpreter.matches or sys.version_info >= (3, 12):
        pytest.skip("needs an older Python for Treadle than for the project")
    found = only(find(one(f"type Name = str\n{api()}"), interpreter=interpreter.path), "source-not-readable")
    assert str(found.where) == "steps/a_step.py:1"


def test_broken_files_do_not_make_topics_look_lost(find: Find) -> None:
    discovery = find({"steps/a_step.py": api('"emits": ["asked"]'), "steps/b_step.py": "x = ("})
    assert codes(discovery) == ["import-failed"]


# usage


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("await context.state.get('a', 'b')", {"get"}),
        ("context.state.getGroup('a'); await context.state.clear('a')", {"get_group", "clear"}),
        ("state = context.state\nawait state.delete('a', 'b')", {"delete"}),
        ("s, n = context.state, 1\nawait s.set('a', 'b', n)", {"set"}),
        ("ctx = context\nawait ctx.state.get_group('a')", {"get_group"}),
        ("get = context.state.get\nawait get('a', 'b')", {"get"}),
        ("await getattr(context, 'state').set('a', 'b', 1)", {"set"}),
        ("await getattr(context.state, 'get')('a', 'b')", {"get"}),
        ("await getattr(context.state, req['op'])('a')", {"get", "set", "delete", "get_group", "clear", "update"}),
        ("await save(context.state)", {"get", "set", "delete", "get_group", "clear", "update"}),
        ("return context.state", {"get", "set", "delete", "get_group", "clear", "update"}),
        ("def inner():\n    return state.get('a', 'b')\nstate = context.state\nreturn inner()", {"get"}),
        ("if context.state is None: pass", set[str]()),
        ("order = req['order']\nif order.state == 'open': print(order.state)", set[str]()),
        (
            "class Saver:\n    def __init__(self, c): self.store = c.state\n    def go(self): self.store.set(1, 2)\nSaver(context).go()",
            {"set"},
        ),
        ("await helper(req, context)", {"delete"}),
        ("await Tools().keep(context)", {"clear"}),
    ],
)
def test_the_use_of_state_is_read_from_the_source(find: Find, body: str, state: set[str]) -> None:
    functions = {
        "save(": "async def save(s): pass",
        "helper(": "async def helper(r, c): await c.state.delete('a', 'b')",
        "Tools(": "class Tools:\n    async def keep(self, c):\n        s = c.state\n        await s.clear('a')",
    }
    called = "".join(f"{source}\n" for call, source in functions.items() if call in body)
    assert step_of(find(one(api(body=body) + called))).usage.state == state


@pytest.mark.parametrize(
    ("body", "streams", "any_stream"),
    [
        ("await context.streams.chat.set('a', {})", {"chat": {"set"}}, set[str]()),
        ("await context.streams['chat'].get('a')", {"chat": {"get"}}, set[str]()),
        ("streams = context.streams\nawait streams.chat.getGroup('a')", {"chat": {"get_group"}}, set[str]()),
        (
            "m = context.streams.chat\nawait m.send('a', {})\nawait m.delete('a')",
            {"chat": {"send", "delete"}},
            set[str](),
        ),
        (
            "m = context.streams.a if req else context.streams.b\nawait m.get('x')",
            {"a": {"get"}, "b": {"get"}},
            set[str](),
        ),
        ("await context.streams[NAME].get('a')", {"chat": {"get"}}, set[str]()),
        ("await context.streams[req['s']].get('a')", {}, {"get"}),
        ("await getattr(context.streams, req['s']).get('a')", {}, {"get"}),
        ("print(context.streams.chat)", {"chat": {"get", "set", "delete", "get_group", "send", "update"}}, set[str]()),
        ("print(context.streams)", {}, {"get", "set", "delete", "get_group", "send", "update"}),
    ],
)
def test_the_use_of_streams_is_read_from_the_source(
    find: Find, body: str, streams: dict[str, set[str]], any_stream: set[str]
) -> None:
    usage = step_of(find(one(f"NAME = 'chat'\n{api(body=body)}"))).usage
    assert usage.streams == streams
    assert usage.any_stream == any_stream


@pytest.mark.parametrize(
    ("body", "topics", "computed"),
    [
        ("await context.emit({'topic': 'a', 'data': 1})", {"a"}, False),
        ("await context.emit(dict(topic='a', data=1))", {"a"}, False),
        ("await context.emit(event={'topic': 'a'})", {"a"}, False),
        ("message = {'topic': 'a', 'data': 1}\nawait context.emit(message)", {"a"}, False),
        ("emit = context.emit\nawait emit({'topic': 'a'})", {"a"}, False),
        ("await context.emit({'topic': TOPIC})", {"from.here"}, False),
        ("await context.emit({'topic': Topics.SENT})", {"from.class"}, False),
        ("from topics import CREATED\nawait context.emit({'topic': CREATED})", {"order.created"}, False),
        ("import topics\nawait context.emit({'topic': topics.CREATED})", {"order.created"}, False),
        ("await context.emit({'topic': 'a' if req else 'b'})", {"a", "b"}, False),
        ("for topic in ('a', 'b'):\n    await context.emit({'topic': topic})", {"a", "b"}, False),
        ("await context.emit({'topic': PREFIX + 'sent'})", {"orders.sent"}, False),
        ("await context.emit({'topic': f'{PREFIX}sent'})", {"orders.sent"}, False),
        ("await context.emit({**req, 'topic': 'a'})", {"a"}, False),
        ("await context.emit({'topic': 'a', **req})", set[str](), True),
        ("await context.emit({'topic': req['t']})", set[str](), True),
        ("await context.emit(req)", set[str](), True),
        ("await publish(context.emit)", set[str](), True),
        ("topic = 'a'\ntopic = req['t']\nawait context.emit({'topic': topic})", set[str](), True),
        ("message = {'topic': 'a'}\nmessage['topic'] = req['t']\nawait context.emit(message)", set[str](), True),
        ("await wrap(context, 'a')", set[str](), True),
        ("req['socket'].emit('message', 1)", set[str](), False),
        ("await req['ctx2'].emit({'topic': 'a'})", {"a"}, False),
    ],
)
def test_emitted_topics_are_read_from_the_source(find: Find, body: str, topics: set[str], computed: bool) -> None:
    head = "TOPIC = 'from.here'\nPREFIX = 'orders.'\nclass Topics:\n    SENT = 'from.class'\n"
    tail = "async def publish(emit): pass\nasync def wrap(c, topic):\n    await c.emit({'topic': topic})\n"
    tail = tail if "wrap(" in body else ""
    files = {"steps/a_step.py": head + api(body=body) + tail, "topics.py": "CREATED = 'order.created'"}
    usage = step_of(find(files)).usage
    assert usage.topics == topics
    assert (usage.emits_computed_topic is not None) is computed


def test_usage_is_followed_into_what_a_step_imports_and_only_there(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": f"from helpers import keep\n{api(body='await keep(req, context)')}",
            "steps/b_step.py": event(),
            "helpers/__init__.py": "from .store import keep",
            "helpers/store.py": "async def keep(data, c):\n    await c.state.set('a', 'b', data)\n    await c.emit({'topic': 'asked'})",
        }
    )
    first, second = discovery.app.steps
    assert first.usage.state == {"set"}
    assert first.usage.topics == {"asked"}
    assert first.files == ("helpers/__init__.py", "helpers/store.py", "steps/a_step.py")
    assert second.usage.state == frozenset()
    assert discovery.findings == ()


def test_a_shared_helpers_emit_is_not_held_against_steps_that_do_not_declare_it(find: Find) -> None:
    steps = [
        api('"emits": ["asked"]'),
        event('"emits": ["asked"]'),
        api('"name": "C", "path": "/c", "emits": ["other"]'),
    ]
    files = {f"steps/{number}_step.py": f"import helper\n{step}" for number, step in enumerate(steps)}
    files["helper.py"] = "async def tell(context): await context.emit({'topic': 'asked'})"
    assert codes(find(files)) == ["topic-without-subscriber"]


def test_the_handlers_context_is_known_by_its_place(find: Find) -> None:
    source = 'config = {"name": "A", "type": "api", "method": "GET", "path": "/a"}\nasync def work(r, c2):\n    s = c2.state\n'
    source += "    await s.get('a', 'b')\n    await keep(s)\nasync def keep(s): pass\nhandler = work\n"
    assert "set" in step_of(find(one(source))).usage.state


def test_inferred_streams_are_made_and_told_once_with_a_file_to_copy(find: Find) -> None:
    body = "await context.streams.chat.set('a', {})"
    discovery = find({"steps/a_step.py": api(body=body), "steps/b_step.py": event(body=body)})
    assert discovery.app.streams == (Stream("chat"),)
    found = only(discovery, "stream-inferred")
    assert str(found.where) == "steps/a_step.py:11"
    hint = found.hint or ""
    definition = textwrap.dedent(hint.partition("\n")[2])
    again = find(
        {"steps/a_step.py": api(body=body), "steps/b_step.py": event(body=body), "steps/chat_stream.py": definition}
    )
    assert "stream-inferred" not in codes(again)


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
