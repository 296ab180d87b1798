"""From a project's folder to its App: both dialects, settings, files."""

from __future__ import annotations

import os
from pathlib import Path

import pydantic
import pytest

from support.discovered import Files, Find, api, codes, event, only, step_of
from treadle_infra.app.findings import SourceLocation, TreadleError, has_errors
from treadle_infra.app.model import (
    CronTrigger,
    Emit,
    HttpTrigger,
    Permission,
    QueueSettings,
    Step,
    Telemetry,
    TopicTrigger,
)
from treadle_infra.discovery.discover import DiscoverOptions, discover

SITE_PACKAGES = str(Path(pydantic.__file__).parents[1])
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


# the app


def test_the_messaging_example_becomes_an_app() -> None:
    discovery = discover(EXAMPLES / "messaging", DiscoverOptions())
    assert discovery.app.name == "messaging"
    assert [step.name for step in discovery.app.steps] == ["SendMessage", "DailySummary", "ProcessMessage"]
    send, summarize, process = discovery.app.steps
    assert [str(send.where), str(send.triggers[0].where)] == ["steps/api_step.py:1", "steps/api_step.py:4"]
    assert isinstance(send.triggers[0], HttpTrigger)
    assert (send.triggers[0].method, send.triggers[0].path) == ("POST", "/messages")
    assert (send.emits, send.flows, send.files) == ((Emit("message.sent"),), ("messaging",), ("steps/api_step.py",))
    assert send.usage.state == {"set"}
    assert send.usage.streams == {"messages": frozenset({"set"})}
    assert send.usage.topics == {"message.sent"}
    assert isinstance(process.triggers[0], TopicTrigger)
    assert process.triggers[0].queue == QueueSettings()
    assert summarize.triggers == (CronTrigger("0 9 * * *", where=SourceLocation("steps/cron_step.py", 4)),)
    assert summarize.usage.state == {"get_group", "set"}
    assert [stream.name for stream in discovery.app.streams] == ["messages", "processed", "summary"]
    assert set(codes(discovery)) == {"topic-without-subscriber"}
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


@pytest.mark.motia("3", "a step with an error is left out, and the rest runs")
def test_a_step_with_an_error_is_left_out_and_the_rest_goes_on(find: Find) -> None:
    discovery = find({"steps/a_step.py": api(), "steps/b_step.py": "config = {"})
    assert [step.path for step in discovery.app.steps] == ["steps/a_step.py"]
    assert only(discovery, "import-failed").severity == "error"


@pytest.mark.motia("2.8", "both dialects mean the same")
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
                    "triggers": [
                        {"type": "http", "method": "get", "path": "/hello", "body_schema": {"type": "object"}}],
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


def test_both_dialects_have_steps_that_run_on_a_schedule(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": """
                config = {"name": "Old", "type": "cron", "cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin"}
                async def handler(context): pass
                """,
            "steps/b_step.py": """
                config = {"name": "New", "triggers": [
                    {"type": "cron", "expression": "0 0 9 * * mon-fri", "timezone": "Etc/UTC"},
                    {"type": "cron", "expression": "0 0 12 1 1 * 2030"},
                    {"type": "queue", "topic": "a"},
                    {"type": "http", "method": "POST", "path": "/a"}], "enqueues": ["a"]}
                def handler(input, context): pass
                """,
        }
    )
    assert discovery.findings == ()
    old, new = discovery.app.steps
    assert old.triggers == (
        CronTrigger("0 9 * * MON-FRI", "Europe/Berlin", "and", SourceLocation("steps/a_step.py", 1)),
    )
    assert new.triggers[:2] == (
        CronTrigger("0 0 9 * * mon-fri", None, "and", SourceLocation("steps/b_step.py", 2)),
        CronTrigger("0 0 12 1 1 * 2030", None, "and", SourceLocation("steps/b_step.py", 3)),
    )
    assert [type(trigger) for trigger in new.triggers[2:]] == [TopicTrigger, HttpTrigger]


@pytest.mark.parametrize("handler", ["async def handler(context): pass", "def handler(input, context): pass"])
def test_a_step_on_a_schedule_takes_its_context_with_or_without_an_input(find: Find, handler: str) -> None:
    discovery = find({"steps/a_step.py": f'config = {{"name": "A", "type": "cron", "cron": "* * * * *"}}\n{handler}'})
    assert discovery.findings == ()


def test_a_step_with_one_bad_schedule_is_left_out(find: Find) -> None:
    source = """
        config = {"name": "A", "triggers": [
            {"type": "cron", "expression": "0 9 * * *"},
            {"type": "cron", "expression": "0 9 * *"}]}
        def handler(input, context): pass
        """
    discovery = find({"steps/a_step.py": source})
    assert (codes(discovery), discovery.app.steps) == (["cron-expression-invalid"], ())


@pytest.mark.motia("9", "noop steps are drawn and never run")
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


@pytest.mark.motia("3", "pydantic models stand wherever a JSON schema may")
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
        ({"pyproject.toml": '[tool.treadle]\nname = "mine"\n[project]\nname = "x"'}, "mine"),
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
        (
            {"treadle.toml": "[a]\nregion = 1"},
            "project-setting-unknown",
            "treadle.toml:1",
            "the settings are: runtime, architecture, memory_mb, ",
        ),
        ({"treadle.toml": 'name = "a"\nb = ]'}, "project-file-invalid", "treadle.toml:2", ""),
    ],
)
def test_what_is_wrong_with_the_settings_is_found(find: Find, files: Files, code: str, place: str, says: str) -> None:
    found = only(find(files), code)
    assert (found.severity, str(found.where)) == ("error", place)
    assert says in (found.hint or "")


def test_settings_reach_the_app(find: Find) -> None:
    discovery = find(
        {
            "treadle.toml": """
                name = "shop"
                cron_dialect = "unix"
                telemetry = {otlp_endpoint = "https://collector.example.com:4318/otlp/", service_name = "the shop"}
                """,
            "steps/a_step.py": """
                config = {"name": "A", "type": "cron", "cron": "0 9 13-20/3 * 5-7"}
                def handler(context): pass
                """,
        }
    )
    assert discovery.findings == ()
    assert discovery.app.telemetry == Telemetry("https://collector.example.com:4318/otlp", "the shop")
    assert step_of(discovery).triggers == (
        CronTrigger("0 9 13-20/3 * 5-7", None, "unix", SourceLocation("steps/a_step.py", 1)),
    )


def test_telemetry_has_the_apps_name_where_it_is_given_none(find: Find) -> None:
    discovery = find({"treadle.toml": 'name = "shop"\n[telemetry]\notlp_endpoint = "http://[::1]:4318"'})
    assert discovery.app.telemetry == Telemetry("http://[::1]:4318", "shop")
    assert find({"treadle.toml": ""}).app.telemetry is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('cron_dialect = "or"', "must be `and` or `unix`; got `'or'`"),
        ("cron_dialect = []", "must be `and`"),
        ("streams = 3", "`streams` must be a table"),
        ('streams.authenticate = "auth.py"', "a Python file of the project and a function in it"),
        ('streams.authenticate = "../auth.py:f"', "got `'../auth.py:f'`"),
        ('streams.authenticate = "/auth.py:f"', "got `'/auth.py:f'`"),
        ("streams = {authenticate = true}", "got `True`"),
        ("telemetry = {}", "`otlp_endpoint` is required"),
        ('telemetry.otlp_endpoint = "localhost:4318"', "must be an HTTP address"),
        ('telemetry.otlp_endpoint = "http://"', "must be an HTTP address"),
        ('telemetry.otlp_endpoint = "http://x/v1/traces"', "must not end in `/v1/traces`"),
        ('telemetry = {otlp_endpoint = "http://x", service_name = ""}', "`service_name` must be a text"),
    ],
)
def test_settings_that_cannot_be_are_found_at_their_line(find: Find, line: str, says: str) -> None:
    for file, head in (("pyproject.toml", "[tool.treadle]"), ("treadle.toml", "")):
        found = only(
            find({"pyproject.toml": "", file: f"{head}\n# x\n{line}\n[z]"}),
            "project-setting-invalid",
        )
        assert says in found.message
        assert str(found.where) == f"{file}:{3 if head else 2}"


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ('[streams]\nauthentikate = "a.py:f"', 2, "did you mean `authenticate`?"),
        ('[telemetry]\notlp_endpoint = "http://x"\nservicename = "x"', 3, "did you mean `service_name`?"),
        (
            '[telemetry]\notlp_endpoint = "http://x"\notlp_headers = "a=b"',
            3,
            "set OTEL_EXPORTER_OTLP_HEADERS in the environment",
        ),
        ('cron_dialekt = "unix"', 1, "did you mean `cron_dialect`?"),
    ],
)
def test_settings_that_are_none_are_found_at_their_line(find: Find, text: str, line: int, hint: str) -> None:
    found = only(find({"treadle.toml": text}), "project-setting-unknown")
    assert (str(found.where), found.hint) == (f"treadle.toml:{line}", hint)


def test_credentials_in_an_endpoint_are_refused_and_not_repeated(find: Find) -> None:
    found = only(find({"treadle.toml": 'telemetry.otlp_endpoint = "https://me:secret@x"'}), "project-setting-invalid")
    assert "secret" not in str(found)
    assert found.hint == "set OTEL_EXPORTER_OTLP_HEADERS in the environment"


# the files


@pytest.mark.motia("1", "steps and streams are found in steps/ and src/, at any depth")
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


@pytest.mark.motia("1", "names like x.step.py are read with a warning")
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


def test_an_old_dotted_file_gives_way_to_the_file_that_motia_finds(find: Find) -> None:
    discovery = find({"steps/hello.step.py": api(), "steps/hello_step.py": api(), "steps/old.step.py": api()})
    assert codes(discovery) == ["dotted-file-name"] * 4
    assert {finding.severity for finding in discovery.findings} == {"warning"}
    assert sum("is left out, as Motia does" in finding.message for finding in discovery.findings) == 2
    assert step_of(discovery).path == "steps/hello_step.py"


@pytest.mark.motia("1", "steps in other languages are told by name; .tsx files are none")
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
    assert caught.value.code == "no-such-project"


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
