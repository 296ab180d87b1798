"""Who may follow a stream: `canAccess` of its definition, and the project's `authenticate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.discovered import Files, Find, api, codes, only
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import Authentication

SETTING = {"treadle.toml": '# x\n[streams]\nauthenticate = "auth.py:authenticate"'}
AUTHENTICATE = "async def authenticate(request):\n    return None\n"


# canAccess


@pytest.mark.parametrize("key", ["canAccess", "can_access"])
@pytest.mark.parametrize(
    "function",
    [
        "def allowed(subscription, context): return True",
        "async def allowed(subscription, auth=None): return True",
        "def allowed(*arguments): return True",
        "allowed = lambda subscription, context, extra=1: True",
        "from rules import allowed",
        "import functools, rules\nallowed = functools.partial(rules.three, 1)",
    ],
)
def test_a_stream_says_that_it_is_asked_who_may_follow_it(find: Find, key: str, function: str) -> None:
    rules = "def allowed(subscription, context): return True\ndef three(a, b, c): return True"
    definition = f'{function}\nconfig = {{"name": "chat", "{key}": allowed}}'
    discovery = find({"steps/chat_stream.py": definition, "steps/a_step.py": api(), "rules.py": rules})
    assert discovery.findings == ()
    (stream,) = discovery.app.streams
    assert stream.checks_access
    assert stream.files == (("rules.py", "steps/chat_stream.py") if "rules" in function else ("steps/chat_stream.py",))


@pytest.mark.parametrize("key", ["onJoin", "on_join"])
def test_a_stream_may_ask_at_each_join_as_in_motia_1(find: Find, key: str) -> None:
    definition = f'import rules\nconfig = {{"name": "chat", "{key}": rules.joining}}'
    rules = "async def joining(subscription, context, auth): return None"
    discovery = find({"steps/chat_stream.py": definition, "steps/a_step.py": api(), "rules.py": rules})
    assert discovery.findings == ()
    (stream,) = discovery.app.streams
    assert (stream.checks_access, stream.files) == (True, ("rules.py", "steps/chat_stream.py"))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('"onJoin": lambda subscription: None', "is called with 3 arguments (subscription, context, auth); it takes 1"),
        ('"onJoin": lambda s, c, a: None, "access": "open"', "either `onJoin`, which decides, or is open"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_found(find: Find, config: str, says: str) -> None:
    discovery = find({"steps/chat_stream.py": f'config = {{"name": "chat", {config}}}', "steps/a_step.py": api()})
    assert says in only(discovery, "stream-config-invalid").message


def test_a_stream_that_is_open_needs_no_files(find: Find) -> None:
    (stream,) = find({"steps/chat_stream.py": 'config = {"name": "chat", "canAccess": None}'}).app.streams
    assert (stream.checks_access, stream.files) == (False, ())


# authenticate


def test_the_projects_function_is_found_with_all_that_it_imports(find: Find) -> None:
    files = {
        **SETTING,
        "auth.py": f"import tokens\n{AUTHENTICATE}",
        "tokens.py": "import base64",
        "steps/a_step.py": api(),
    }
    discovery = find(files)
    assert discovery.findings == ()
    where = SourceLocation("treadle.toml", 3)
    assert discovery.app.authentication == Authentication("auth.py", "authenticate", ("auth.py", "tokens.py"), where)


def test_a_file_below_a_folder_imports_by_the_rules_of_steps(find: Find) -> None:
    discovery = find(
        {
            "pyproject.toml": '[tool.treadle.streams]\nauthenticate = "src/live/who.py:Who.check"',
            "src/live/who.py": AUTHENTICATE,
        }
    )
    assert "project-setting-invalid" in codes(discovery)
    discovery = find(
        {
            "pyproject.toml": '[tool.treadle.streams]\nauthenticate = "./src/live/who.py:check"',
            "src/live/who.py": "from shared import users\ndef check(request): return users",
            "src/shared.py": "users = {}",
            "steps/a_step.py": api(),
        }
    )
    assert discovery.findings == ()
    assert discovery.app.authentication is not None
    assert discovery.app.authentication.files == ("src/live/who.py", "src/shared.py")


def test_a_steps_own_file_may_hold_the_function(find: Find) -> None:
    setting = {"treadle.toml": 'streams.authenticate = "steps/a_step.py:authenticate"'}
    discovery = find({**setting, "steps/a_step.py": f"{api()}\n{AUTHENTICATE}"})
    assert discovery.findings == ()
    assert [step.name for step in discovery.app.steps] == ["Hello"]
    assert discovery.app.authentication is not None
    assert discovery.app.authentication.files == ("steps/a_step.py",)


@pytest.mark.parametrize(
    ("files", "code", "place", "says", "hint"),
    [
        ({}, "authenticate-invalid", "treadle.toml:3", "`auth.py`, which is not in the project", "relative"),
        (
            {"auth.py": "def autenticate(request): pass"},
            "authenticate-invalid",
            "treadle.toml:3",
            "`auth.py` has no function `authenticate`",
            "did you mean `auth.py:autenticate`?",
        ),
        (
            {"auth.py": "x = 1"},
            "authenticate-invalid",
            "treadle.toml:3",
            "has no function",
            "write `async def authenticate(request):`",
        ),
        ({"auth.py": "\n\nx = 1\nauthenticate = 3"}, "authenticate-invalid", "auth.py:2", "it is a int", "async def"),
        (
            {"auth.py": "import os\ndef authenticate(a, b): pass"},
            "authenticate-invalid",
            "auth.py:2",
            "is called with 1 argument (request); it takes 2",
            "write `async def authenticate(request):`",
        ),
        ({"auth.py": "def authenticate(): pass"}, "authenticate-invalid", "auth.py:1", "it takes 0", "async def"),
        ({"auth.py": "def authenticate(r): yield r"}, "authenticate-invalid", "auth.py:1", "`yield`", "return"),
        ({"auth.py": f"{AUTHENTICATE}\nraise ValueError('no')"}, "import-failed", "auth.py:4", "ValueError: no", ""),
        ({"auth.py": "import jwt"}, "package-not-required", "auth.py:1", "`jwt`", ""),
    ],
)
def test_a_function_that_cannot_be_called_is_found_and_nobody_gets_in(
    find: Find, files: Files, code: str, place: str, says: str, hint: str
) -> None:
    discovery = find({**SETTING, **files, "steps/a_step.py": api()})
    found = only(discovery, code)
    assert (found.severity, str(found.where)) == ("error", place)
    assert says in found.message
    assert hint in (found.hint or "")
    assert codes(discovery) == [code]
    assert discovery.app.authentication is not None
    assert [step.name for step in discovery.app.steps] == ["Hello"]


def test_a_function_is_remembered_apart_from_a_step_in_the_same_file(find: Find, tmp_path: Path) -> None:
    files = {
        "treadle.toml": 'streams.authenticate = "steps/a_step.py:authenticate"',
        "steps/a_step.py": f"{api()}\n{AUTHENTICATE}",
    }
    first = find(files, cache_directory=tmp_path / "cache")
    assert find(files, cache_directory=tmp_path / "cache") == first
    changed = {**files, "treadle.toml": 'streams.authenticate = "steps/a_step.py:who"'}
    assert codes(find(changed, cache_directory=tmp_path / "cache")) == ["authenticate-invalid"]
