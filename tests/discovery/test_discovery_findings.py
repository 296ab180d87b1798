"""Every finding of discovery, with its file and line."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.discovered import HANDLER, Files, Find, api, codes, event, one, only, step_of
from treadle_infra.interpreters import find_interpreter

# every other finding, with its place

HTTP = '"triggers": [\n{"type": "http", "method": "GET", "path": "/a", %s}]'
CRON = '"triggers": [\n{"type": "cron", %s}]'
QUEUE = '"triggers": [\n{"type": "queue", "topic": "a", %s}]'


def new(triggers: str) -> Files:
    return one(f'config = {{"name": "A", "enqueues": ["a"], {triggers}}}{HANDLER}')


def cron(extra: str) -> str:
    """A cron step whose config has `extra` in line 2."""
    return f'config = {{"name": "A", "type": "cron",\n{extra}}}\nasync def handler(context):\n    pass\n'


def stream(extra: str, above: str = "") -> Files:
    """A stream whose config has `extra` in its second line."""
    return {"steps/a_stream.py": f'{above}config = {{"name": "a",\n{extra}}}\n'}


APP = 'config = {"name": "A", "type": "api",\n"path": "/a",\n"middleware": [print]}\nasync def app(a, b, c): pass\n'


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
    ("step-config-invalid", one(api('"emits": [" "]')), 6, "a topic is a text"),
    ("empty-topic", one(api('"emits": ["a",\n""]')), 7, "`emits` has an empty text"),
    ("step-config-invalid", one(api('"flows": ["a",\n3]')), 7, "`flows[1]` must be a text; got `3`"),
    ("step-never-runs", one(event('"subscribes": []')), 5, "`Work` subscribes to nothing"),
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
    ("path-slash-dropped", one(api('"path": "/a/"')), 6, "served as `/a`"),
    ("path-not-supported", one(api('"path": "/a/:id?/b?"')), 6, "`b?`"),
    ("path-not-supported", one(api('"path": "/:a?/:b?/:c?/:d?/:e?"')), 6, "more than 4 optional"),
    ("path-not-supported", one(api(r'"path": "/a/(\\d+)"')), 6, "regular expression"),
    ("path-not-supported", one(api(r'"path": "/a/:id([)"')), 6, "regular expression"),
    ("path-not-supported", one(api('"path": "/a/*/b"')), 6, "`*` in a path"),
    ("path-not-supported", one(api('"path": "/a/:b(.*)/c"')), 6, "reaches over slashes"),
    ("path-not-supported", one(api('"path": "/a/b*"')), 6, "`b*`"),
    ("path-not-supported", one(api('"path": "/a//b"')), 6, "empty"),
    ("path-not-supported", one(api('"path": "/:from-:from"')), 6, "`:from-:from`"),
    ("path-invalid", one(api('"path": "/:from-:to/:to"')), 6, "two parameters named `to`"),
    ("path-not-supported", one(api('"path": "/{id}x"')), 6, "as in Express"),
    ("path-braces-read", one(api('"path": "/a/{id}/{rest+}"')), 6, "read as `/a/:id/*rest`"),
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
    # schedules
    ("step-config-invalid", one(cron('"cron": 5')), 2, "`cron` must be a text"),
    ("step-config-invalid", one(cron('"timezone": "UTC"')), 1, "`cron` is required"),
    ("cron-expression-invalid", one(cron('"cron": "61 * * * *"')), 2, "the minute must be 0 to 59; got `61`"),
    ("cron-expression-invalid", new(CRON % '\n"expression": "@daily"'), 3, "`@daily` is a shorthand"),
    ("cron-seconds-not-possible", one(cron('"cron": "*/20 * * * * *"')), 2, "the first of 6 fields must be `0`"),
    ("cron-seconds-not-possible", new(CRON % '\n"expression": "5 0 9 * * * *"'), 3, "got `5`"),
    ("cron-expression-ambiguous", one(cron('"cron": "0 9-17/2 * * *"')), 2, "`10,12,14,16` to Motia 0.x"),
    ("cron-expression-ambiguous", new(CRON % '\n"expression": "0 0 9 * * 0"'), 3, "nothing to Motia 1.0"),
    ("cron-days-from-one", new(CRON % '\n"expression": "0 0 9 * * 1"'), 3, "`0 0 9 * * sun`"),
    ("cron-never-fires", one(cron('"cron": "0 0 30 2 *"')), 2, "no day 30 in February"),
    ("cron-timezone-unknown", one(cron('"cron": "0 9 * * *",\n"timezone": "Berlin"')), 3, "`Berlin`"),
    (
        "cron-timezone-unknown",
        new(CRON % '"expression": "0 9 * * *",\n"timezone": "europe/berlin"'),
        3,
        "`europe/berlin`",
    ),
    ("step-config-invalid", new(CRON % '"expression": "0 9 * * *",\n"condition": True'), 3, "must be a function"),
    # refused by name
    ("step-config-invalid", new('"triggers": [\n{"type": "stream"}]'), 2, "`triggers[0].streamName` is required"),
    (
        "step-config-invalid",
        new('"triggers": [\n{"type": "state", "scope": "a"}]'),
        2,
        "in object: 'triggers[0].scope'",
    ),
    (
        "trigger-causes-itself",
        one(
            'config = {"name": "A", "triggers": [\n{"type": "state"}]}\n'
            "async def handler(change, context):\n    await context.state.set('a', 'b', 1)\n"
        ),
        2,
        "is triggered by changes of state and changes it itself",
    ),
    ("infrastructure-invalid", new(QUEUE % '"config": {\n"backoff_delay_ms": 900001}'), 3, "backoffDelayMs"),
    ("middleware-invalid", one(api('"middleware": [\n"auth"]')), 7, "middleware[0]"),
    ("middleware-invalid", new(HTTP % '\n"middleware": [lambda r: 1]'), 3, "triggers[0].middleware[0]"),
    ("include-files-empty", one(api('"includeFiles": ["*.txt"]')), 6, "`*.txt`"),
    ("include-files-invalid", one(api('"includeFiles": ["../../secrets.txt"]')), 6, "`../../secrets.txt`"),
    ("package-not-required", one(f"import os\nimport requests.sessions\n{api()}"), 2, "`requests`"),
    ("package-not-required", one(api(body="from numpy import array")), 11, "`numpy`"),
    (
        "package-not-required",
        {**one(f"import helper\n{api()}"), "helper.py": "def f():\n    import pandas"},
        "helper.py:2",
        "`pandas`",
    ),
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
        "custom-stream-storage-not-supported-yet",
        {"steps/a_stream.py": 'config = {"name": "a",\n"baseConfig": {"storageType": "custom", "factory": lambda: 1}}'},
        "steps/a_stream.py:2",
        "`factory`",
    ),
    (
        "state-value-unwrapped",
        {
            "treadle.toml": "",
            "steps/a_step.py": """\
                config = {"name": "A", "type": "api", "path": "/a", "method": "GET"}
                async def handler(req, context):
                    return {"body": (await context.state.get("g", "k"))["data"]}
            """,
        },
        "steps/a_step.py:3",
        "the stored value itself, or None",
    ),
    ("stream-access-rules-not-supported-yet", stream('"on_leave": print'), "steps/a_stream.py:2", "`onLeave`"),
    ("stream-config-invalid", stream('"canAccess": True'), "steps/a_stream.py:2", "must be a function; got `True`"),
    ("stream-config-invalid", stream('"can_access": "f"'), "steps/a_stream.py:2", "must be a function"),
    ("stream-config-invalid", stream('"canAccess": lambda s: 1'), "steps/a_stream.py:2", "with 2 arguments"),
    ("stream-config-invalid", stream('"canAccess": lambda a, b, c: 1'), "steps/a_stream.py:2", "it takes 3"),
    (
        "stream-config-invalid",
        stream('"canAccess": allowed', "def allowed(s, *, context): pass\n"),
        "steps/a_stream.py:3",
        "needs the keyword `context`",
    ),
    (
        "stream-config-invalid",
        stream('"canAccess": allowed', "def allowed(s, c): yield\n"),
        "steps/a_stream.py:3",
        "has a `yield` in it",
    ),
    ("stream-config-invalid", stream('"canAccess": A', "class A: pass\n"), "steps/a_stream.py:3", "it is a type"),
    (
        "duplicate-stream-name",
        {"steps/a_stream.py": 'config = {"name": "a"}', "steps/b_stream.py": 'config = {\n"name": "a"}'},
        "steps/b_stream.py:2",
        "steps/a_stream.py:1",
    ),
    ("stream-inferred", one(api(body='pass\nawait context.streams.chat.set("a", {})')), 12, "`chat`"),
    # handlers
    ("handler-missing", bare(""), 1, "No 'handler' found"),
    ("app-not-asgi", bare("def app(environ, start_response): pass\n"), 1, "no ASGI application"),
    ("app-middleware", {"steps/a_step.py": APP}, 3, "does not run around"),
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
    (
        "topic-without-subscriber",
        one(cron('"cron": "0 9 * * *", "emits": ["a"]')),
        2,
        "Step (Cron) steps/a_step.py emits to a, but there is no",
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
    ("package-of-the-sdk", one(f"import os\nfrom dateutil import parser\n{api()}"), 2, "`dateutil`"),
]


@pytest.mark.motia("3", "config errors have Motia's wording, unknown keys of infrastructure are warnings")
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


@pytest.mark.parametrize(
    ("timezone", "hint"),
    [
        ("europe/berlin", "did you mean `Europe/Berlin`?"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("new york", "did you mean `America/New_York`?"),
        ("Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("nowhere", "write a name such as `Europe/Berlin`; without a timezone, times are in UTC"),
        ("localtime", "write a name such as `Europe/Berlin`; without a timezone, times are in UTC"),
    ],
)
def test_a_timezone_that_is_none_is_told_with_the_likely_one(find: Find, timezone: str, hint: str) -> None:
    found = only(find(one(cron(f'"cron": "0 9 * * *", "timezone": "{timezone}"'))), "cron-timezone-unknown")
    assert found.hint == hint


def test_a_step_that_only_runs_on_a_schedule_is_told_how_its_handler_is_written(find: Find) -> None:
    config = 'config = {"name": "A", "type": "cron", "cron": "0 9 * * *"}\n'
    assert only(find(one(config)), "handler-missing").hint == "write `async def handler(context):`"
    found = only(find(one(f"{config}async def handler(): pass")), "handler-arity")
    assert found.hint == "write `async def handler(context):`"


def test_everything_that_is_wrong_is_told_at_once(find: Find) -> None:
    config = 'config = {"name": 3, "type": "event", "subscribes": "a", "emitz": [], "flows": []}'
    discovery = find(
        {"steps/a_step.py": f"{config}{HANDLER}", "steps/b_step.py": "config = 1 /", "treadle.toml": "x = 1"}
    )
    assert sorted(codes(discovery)) == ["import-failed", "project-setting-unknown", *["step-config-invalid"] * 3]


def test_none_stands_for_a_key_that_is_left_out(find: Find) -> None:
    keys = ["emits", "flows", "description", "bodySchema", "middleware", "infrastructure", "permissions"]
    discovery = find(one(api(", ".join(f'"{key}": None' for key in keys))))
    assert discovery.findings == ()
    assert step_of(discovery).emits is None


@pytest.mark.motia("3", "handlers take 0, 1 or 2 arguments, and may be sync")
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
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    async def w(*a): return await f(*a)\n    return w\n"
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


def test_a_missing_package_is_told_once_and_not_as_a_failed_import_too(find: Find) -> None:
    helper = "import os\nimport requests"
    files = {
        "steps/a_step.py": f"import helper\n{api()}",
        "steps/b_step.py": f"import helper\n{event()}",
        "helper.py": helper,
    }
    discovery = find(files)
    assert codes(discovery) == ["package-not-required"]
    assert str(discovery.findings[0].where) == "helper.py:2"
    assert discovery.app.steps == ()


def test_the_projects_folder_is_no_package(find: Find) -> None:
    hint = only(find(one(f"from shop.src import x\n{api()}")), "package-not-required").hint
    assert hint is not None
    assert "requirements.txt" in hint


def test_source_that_python_only_frowns_at_is_read_in_silence(find: Find, recwarn: pytest.WarningsRecorder) -> None:
    assert find(one(f"PATTERN = '\\d'\nif 1 is 1: pass\n{api()}")).findings == ()
    assert not recwarn.list


def test_source_that_is_nested_too_deeply_to_follow_is_told_and_not_guessed_at(find: Find) -> None:
    found = only(find(one(f"y = 1\nx = {' + '.join(['y'] * 900)}\n{api()}")), "source-not-readable")
    assert "nested too deeply" in found.message


# the table of findings

FINDING_CALLS = {
    "TreadleError",
    "PathProblem",
    "CronProblem",
    "error",
    "problem",
    "warning",
    "_too_large",
    "_check_range",
}
CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+\Z")
ROOT = Path(__file__).resolve().parents[2]


def codes_in_the_source() -> Iterator[str]:
    """Texts of the form of a code that a finding may be made with."""
    for package in ("infra/treadle_infra", "localstack/treadle_local", "cli/treadle_cli"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _last_name(node.func) in FINDING_CALLS:
                    yield from (text for argument in node.args for text in _texts(argument) if CODE.match(text))
                elif isinstance(node, ast.Assign) and _last_name(node.targets[0]).endswith(("_CODE", "_TRIGGERS")):
                    yield from (text for text in _texts(node.value) if CODE.match(text))


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Dict(values=values) | ast.BoolOp(values=values):
            yield from (text for value in values for text in _texts(value))
        case _:
            return


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def test_every_finding_is_in_the_documentation() -> None:
    table = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")
    ]
    documented = [row[0].strip("`") for row in rows]
    assert documented == sorted(set(documented))
    assert all(len(row) == 3 and all(row) for row in rows)
    assert sorted(set(codes_in_the_source()) - set(documented)) == []


def test_every_finding_of_discovery_has_a_test_of_its_place() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    folder = ROOT / "infra" / "treadle_infra" / "discovery"
    found = {
        text
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _last_name(node.func) in FINDING_CALLS
        for argument in node.args[:1]
        for text in _texts(argument)
        if CODE.match(text)
    }
    assert sorted(code for code in found if f'"{code}"' not in tests) == []
