"""The project file: what it can say, what is told of what it cannot, and its page in the documentation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from support.discovered import Find, api, codes, event, only, step_of
from treadle_infra.app.model import Cors
from treadle_infra.discovery.discover import Discovery
from treadle_infra.discovery.project import read_settings
from treadle_infra.discovery.project_models import ProjectTable

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "project-file.md").read_text()


def settings(find: Find, text: str, stage: str = "dev", **files: str) -> Discovery:
    return find({"treadle.toml": text, **files}, stage=stage)


# the documentation


def documented() -> dict[str, tuple[str, str]]:
    """Default and example by setting."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) ?\| `(.*?)` \| .+ \|$", PAGE, re.MULTILINE)
    return {name: (default.strip("` "), example) for name, default, example in rows}


def defaults(model: type[BaseModel], above: str = "") -> dict[str, Any]:
    """The default of each setting of a table, those of the tables in it too."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        assert default is not PydanticUndefined
        if isinstance(default, BaseModel):
            found |= defaults(type(default), f"{above}{name}.")
        else:
            found[above + name] = default
    return found


def test_every_setting_is_documented_with_its_default() -> None:
    listed = {
        name: tomllib.loads(f"x = {default}")["x"] if default else None
        for name, (default, _) in documented().items()
        if name != "cors"
    }

    assert listed == defaults(ProjectTable)


@pytest.mark.parametrize("name", documented())
def test_every_example_of_the_documentation_can_be_written(find: Find, name: str) -> None:
    text = f"{name} = {documented()[name][1]}\n"
    text += {
        "cors.credentials": 'cors.origins = ["https://a.example"]\n',
        "telemetry.service_name": 'telemetry.otlp_endpoint = "http://localhost:4318"\n',
        "streams.authenticate": "",
    }.get(name, "")

    found = settings(find, text, **{"auth.py": "def authenticate(request): pass\n"})

    assert [str(finding) for finding in found.findings if finding.code != "no-steps"] == []


def test_the_pages_snippet_is_a_project_file(find: Find) -> None:
    (snippet,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    app = settings(find, snippet, "prod").app

    assert (app.log_level, app.log_retention_days, app.cors) == ("warn", 365, Cors(("https://shop.example.com",)))


# what is wrong


def test_settings_in_both_files_are_refused(find: Find) -> None:
    files = {"pyproject.toml": '[tool.treadle]\nname = "mine"', "treadle.toml": 'name = "other"'}

    found = find(files)

    assert str(only(found, "project-files-two").where) == "treadle.toml:1"
    assert found.app.name == "mine"


def test_a_pyproject_without_settings_goes_with_a_treadle_toml(find: Find) -> None:
    found = find(
        {"pyproject.toml": '[project]\nname = "mine"', "treadle.toml": 'name = "other"', "steps/a_step.py": api()}
    )

    assert (found.app.name, found.findings) == ("other", ())


@pytest.mark.parametrize(
    ("text", "line", "says", "hint"),
    [
        ('# x\nmemory_mb = "512"', 2, "`memory_mb` must be a whole number; got `'512'`", None),
        ("memory_mb = 64", 1, "`memory_mb` must be at least 128; got `64`", None),
        ("timeout_seconds = 901", 1, "`timeout_seconds` must be at most 900; got `901`", None),
        ('log_level = "trace"', 1, "`log_level` must be `debug`, `info`, `warn` or `error`; got `'trace'`", None),
        ("log_retention_days = 100", 1, "`log_retention_days` must be one of 1, 3, 5", "the nearest is 90"),
        ('compatibility = "motia-state-values"', 1, "`compatibility` must be a list", None),
        ("cors = true", 1, "`cors` must be `false` or a table; got `true`", "leave it out for the defaults"),
        ('cors = "*"', 1, "`cors` must be a table; got `'*'`", "begin one with `[cors]`"),
        ('[cors]\norigins = ["shop.example.com"]', 2, "an origin is `*`, or a scheme", "for example"),
        ('[cors]\norigins = ["https://a.example/"]', 2, "without a path", "for example"),
        ("[cors]\n\norigins = []", 3, "`cors.origins` must not be empty", None),
        ('[cors]\nmethods = ["FETCH"]', 2, "a method is `*` or one of GET, POST", None),
        ('cors.headers = ["a b"]', 1, "a header's name has no spaces", None),
        ("[cors]\nmax_age_seconds = 86401", 2, "at most 86400", None),
        ("[cors]\ncredentials = 1", 2, "`cors.credentials` must be `true` or `false`; got `1`", None),
        ("[cors]\ncredentials = true", 1, "`cors.origins` cannot be `*`", "name the origins"),
        ("[tags]\nteam = 3", 2, "`tags.team` must be a text; got `3`", 'write it in quotes: `"3"`'),
        ('[tags]\n"aws:x" = "y"', 2, "tags that begin with `aws:` or `treadle:`", None),
        ('[tags]\nteam = "a\\nb;"', 2, "a tag's value has at most 256 letters", None),
        ("\n".join(["[tags]", *(f'k{number} = "v"' for number in range(48))]), 1, "47 tags beside Treadle's own", None),
        (
            'runtime = "python3.10"',
            1,
            "`runtime` must be `python3.11`, `python3.12`, `python3.13` or `python3.14`",
            None,
        ),
        (
            "[environment]\nPORT = 3000",
            2,
            "`environment.PORT` must be a text; got `3000`",
            'write it in quotes: `"3000"`',
        ),
        ('[environment]\nA-B = "x"', 2, "a variable's name is a letter", None),
        ('[environment]\nAWS_REGION = "x"', 2, "`AWS_REGION` is set by Lambda or by Treadle", None),
        ('[environment]\nTREADLE_APP = "x"', 2, "`TREADLE_APP` is set by Lambda or by Treadle", None),
        ('log_level = "warn"\n[environment]\nLOG_LEVEL = "info"', 3, "say the same thing", "keep `log_level`"),
        ('secrets = ["A-B"]', 1, "a variable's name is a letter", None),
        ('secrets = ["KEY"]\n[environment]\nKEY = "x"', 3, "`KEY` is among the secrets", "take it out"),
        ('production_stages = ["Prod"]', 1, "`Prod` cannot be a stage's name", None),
        ("[stages.Prod]", 1, "`Prod` cannot be a stage's name", None),
        ("stages = 1", 1, "`stages` must be a table", "begin one with `[stages]`"),
        ("stages.prod = 1", 1, "`stages.prod` must be a table", "begin one with `[stages.prod]`"),
        ("[stages.prod]\n# x\nmemory_mb = 1", 3, "`stages.prod.memory_mb` must be at least 128", None),
        ('[cors]\norigins = ["*"]\n[stages.prod.cors]\ncredentials = true', 2, "`cors.origins` cannot be `*`", None),
        ('[stages.prod.telemetry]\nservice_name = "x"', 1, "`otlp_endpoint` is required", "for example"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_line(
    find: Find, text: str, line: int, says: str, hint: str | None
) -> None:
    for file, head in (("pyproject.toml", ""), ("treadle.toml", "treadle.toml")):
        written = text if head else in_pyproject(text)
        found = only(find({"pyproject.toml": "", file: written}), "project-setting-invalid")

        assert says in found.message
        assert str(found.where) == f"{file}:{line if head else line + (not text.startswith('['))}"
        assert (found.hint or "").replace("tool.treadle.", "").startswith(hint or "")


def in_pyproject(text: str) -> str:
    """The same settings under `[tool.treadle]`, which takes a line of its own where settings are outside of tables."""
    moved = re.sub(r"^\[", "[tool.treadle.", text, flags=re.MULTILINE)
    return moved if text.startswith("[") else f"[tool.treadle]\n{moved}"


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("memory = 512", 1, "did you mean `memory_mb`?"),
        ("timeout = 3", 1, "did you mean `timeout_seconds`?"),
        ("Log-Level = 3", 1, "did you mean `log_level`?"),
        ("[tools]\n[cors]\nallow_origins = []", 1, "the settings are: runtime"),
        ("[cors]\nallow_origins = []", 2, "did you mean `origins`?"),
        ("[stages.prod]\nmemory = 512", 2, "did you mean `memory_mb`?"),
        ('[stages.prod]\nname = "x"', 2, "set it in the whole project's settings, for all stages"),
        ("[stages.prod.cors]\norigin = []", 2, "did you mean `origins`?"),
    ],
)
def test_a_setting_that_is_none_is_told_with_the_nearest_that_is_one(
    find: Find, text: str, line: int, hint: str
) -> None:
    found = [one for one in settings(find, text).findings if one.code == "project-setting-unknown"]

    assert (str(found[0].where), (found[0].hint or "")[: len(hint)]) == (f"treadle.toml:{line}", hint)


def test_what_is_wrong_takes_nothing_right_along(find: Find) -> None:
    found = settings(find, 'memory_mb = 1\nlog_level = "debug"\nnonsense = 1\n[cors]\norigins = 3\nmax_age_seconds = 5')

    assert codes(found).count("project-setting-invalid") == 2
    assert (found.app.log_level, found.app.cors) == ("debug", Cors(max_age_seconds=5))


# what is right


def test_a_stage_says_what_is_otherwise_on_it(find: Find) -> None:
    text = """
        log_level = "warn"
        cors.origins = ["https://a.example"]
        tags = {team = "shop", level = "x"}
        [stages.prod]
        log_retention_days = 365
        cors.max_age_seconds = 5
        tags = {level = "y"}
        [stages.open]
        cors = false
        """
    prod, dev, opened = (settings(find, text, stage).app for stage in ("prod", "dev", "open"))

    assert (prod.log_level, prod.log_retention_days, dev.log_retention_days) == ("warn", 365, 14)
    assert prod.cors == Cors(("https://a.example",), max_age_seconds=5)
    assert (dev.cors, opened.cors) == (Cors(("https://a.example",)), None)
    assert (prod.tags, dev.tags) == ((("level", "y"), ("team", "shop")), (("level", "x"), ("team", "shop")))


def test_credentials_go_with_methods_and_headers_that_are_named(find: Find) -> None:
    cors = settings(find, '[cors]\norigins = ["https://a.example"]\ncredentials = true').app.cors

    assert cors is not None
    assert "*" not in (*cors.allow_methods, *cors.allow_headers)
    assert {"POST", "DELETE"} < set(cors.allow_methods)


def test_memory_and_timeout_are_those_of_steps_that_say_nothing(find: Find) -> None:
    own = '"infrastructure": {"handler": {"ram": 1024, "timeout": 5}}'
    text = "memory_mb = 512\ntimeout_seconds = 120"
    files = {"steps/a_step.py": event(), "steps/b_step.py": api(), "steps/c_step.py": event(own).replace("Work", "Own")}

    steps = settings(find, text, **files).app.steps

    assert {step.name: (step.memory_mb, step.timeout_seconds) for step in steps} == {
        "Work": (512, 120),
        "Hello": (512, 29),
        "Own": (1024, 5),
    }


def test_a_timeout_for_all_stays_within_the_queues_that_say_how_long_a_message_waits(find: Find) -> None:
    queue = '"infrastructure": {"queue": {"visibilityTimeout": 60}}'

    step = step_of(settings(find, "timeout_seconds = 120", **{"steps/a_step.py": event(queue)}))

    assert step.timeout_seconds == 60


def test_variables_beyond_lambdas_limit_are_an_error_that_names_the_biggest(find: Find) -> None:
    text = f'[environment]\nSMALL = "x"\n[stages.prod.environment]\nLARGE = "{"x" * 3000}"\nMIDDLE = "{"é" * 500}"\n'

    found = only(settings(find, text), "environment-too-large")

    assert str(found.where) == "treadle.toml:4"
    assert "the biggest are `LARGE` (3,012), `MIDDLE` (1,013), `SMALL` (13)" in found.message


def test_modules_find_the_projects_variables_when_they_are_imported(find: Find) -> None:
    source = 'import os\nNAME = os.environ["WHOM"]\nconfig = {"name": NAME, "type": "event", "subscribes": ["x"]}'
    text = 'environment = {WHOM = "Ann"}\n[stages.prod.environment]\nWHOM = "Bob"'
    files = {"steps/a_step.py": f"{source}\nasync def handler(data, context): pass\n"}

    assert step_of(settings(find, text, **files)).name == "Ann"
    assert step_of(settings(find, text, "prod", **files)).name == "Bob"
    assert step_of(settings(find, text, **files, **{".env": "WHOM=Eve"})).name == "Eve"


def test_a_secret_that_is_not_known_here_does_not_keep_a_module_from_being_imported(find: Find) -> None:
    source = 'import os\nKEY = os.environ["KEY"]\nconfig = {"name": KEY, "type": "event", "subscribes": ["x"]}'
    files = {"steps/a_step.py": f"{source}\nasync def handler(data, context): pass\n"}

    found = settings(find, 'secrets = ["KEY"]', **files)
    assert (step_of(found).name, found.app.secrets) == ("NOT_KNOWN_ON_THIS_MACHINE", ("KEY",))
    assert step_of(settings(find, 'secrets = ["KEY"]', **files, **{".env": "KEY=mine"})).name == "mine"


def test_production_stages_are_the_projects_own(tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").write_text('production_stages = ["live"]\n')

    assert read_settings(tmp_path).production_stages == ("live",)


def test_who_nobody_can_ask_on_a_stage_lets_nobody_in(find: Find) -> None:
    text = '[streams]\nauthenticate = "auth.py:ask"\n[stages.prod.streams]\nauthenticate = 3\n'
    files = {"auth.py": "def ask(request): pass\n"}

    asked = settings(find, text, "prod", **files).app.authentication

    assert asked is None or asked.path == ""
