"""`treadle check`: how findings are told, and which project is meant."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.command import treadle
from support.projects import BAD_METHOD_STEP, api_step, write


def test_an_error_is_told_with_file_line_and_hint_on_standard_error(broken: Path) -> None:
    done = treadle("check", broken)

    assert (done.code, done.out) == (1, "")
    assert (
        "error[step-config-invalid]: "
        "`method` must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS; got `FETCH`\n"
        "  --> steps/bad_step.py:5\n"
        "hint: did you mean `PATCH`?\n"
    ) in done.err
    assert done.err.endswith("\n\n1 error, 0 warnings\n")


def test_all_findings_are_told_at_once(tmp_path: Path) -> None:
    broken = write(tmp_path, "steps/bad_step.py", BAD_METHOD_STEP)
    write(broken, "steps/cut_step.py", 'config = {\n    "name": "Cut"\n    "type": "api"}\n')
    write(broken, "steps/late_step.py", api_step("Late", "    return {}", extra=', "infrastructure": {"ram": 1}'))

    told = treadle("check", broken).err

    places = re.findall(r"^  --> (.+)$", told, re.MULTILINE)
    assert "steps/bad_step.py:5" in places
    assert "steps/cut_step.py:3" in places
    assert any(place.startswith("steps/late_step.py:") for place in places)


def test_a_warning_fails_the_check_only_where_it_is_strict(project: Path) -> None:
    relaxed, strict = treadle("check", project), treadle("check", project, "--strict")

    assert (relaxed.code, strict.code) == (0, 1)
    assert relaxed.err == strict.err
    assert "warning[topic-without-subscriber]" in relaxed.err
    assert relaxed.err.endswith("0 errors, 2 warnings\n")


def test_a_project_without_findings_is_told_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, "quiet/steps/hello_step.py", api_step("Hello", "    return {}"))

    done = treadle("check", "quiet", "--strict", folder=tmp_path)

    assert (done.code, done.out, done.err) == (0, "", "quiet: 1 step, nothing to complain about\n")


def test_check_prints_one_json_document_and_nothing_else(broken: Path) -> None:
    done = treadle("check", broken, "--json")

    assert (done.code, done.err) == (1, "")
    (finding,) = done.json()["findings"]
    assert finding == {
        "severity": "error",
        "code": "step-config-invalid",
        "message": "`method` must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS; got `FETCH`",
        "file": "steps/bad_step.py",
        "line": 5,
        "hint": "did you mean `PATCH`?",
    }


def test_json_is_there_without_findings_too(tmp_path: Path) -> None:
    write(tmp_path, "steps/hello_step.py", api_step("Hello", "    return {}"))

    done = treadle("check", "--json", folder=tmp_path)

    assert (done.code, done.json()) == (0, {"findings": []})


def test_the_project_is_the_folder_one_is_in_or_the_one_that_is_named_either_way(project: Path) -> None:
    here = treadle("check", "--json", folder=project)
    positional = treadle("check", "messaging", "--json", folder=project.parent)
    option = treadle("check", "-C", "messaging", "--json", folder=project.parent)
    both = treadle("check", "messaging", "--project", "messaging", "--json", folder=project.parent)

    assert {here.out, positional.out, option.out, both.out} == {here.out}
    assert here.json()["findings"][0]["code"] == "topic-without-subscriber"


def test_a_project_that_is_named_twice_and_differently_is_wrong_usage(project: Path) -> None:
    done = treadle("check", "messaging", "-C", ".", folder=project.parent)

    assert (done.code, done.out) == (2, "")
    assert "the project is named twice: messaging and --project ." in done.err


@pytest.mark.parametrize("command", ["check", "synth", "dev"])
def test_a_folder_that_is_not_there_is_told_with_a_way_on(tmp_path: Path, command: str) -> None:
    done = treadle(command, "nowhere", folder=tmp_path)

    assert (done.code, done.out) == (1, "")
    assert done.err == ("error[no-such-project]: nowhere is not a folder\nhint: `treadle new NAME` makes a project\n")


def test_an_empty_folder_is_told_how_a_step_looks(tmp_path: Path) -> None:
    done = treadle("check", folder=tmp_path)

    assert done.code == 0
    assert "warning[no-steps]" in done.err
    assert "async def handler(req, context):" in done.err
    assert "treadle new" in done.err


def test_a_bug_is_told_as_one_with_an_exit_code_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "modules/uvloop.py", 'raise RuntimeError("out of order")\n')

    done = treadle("dev", tmp_path, "--once", environment={"PYTHONPATH": str(tmp_path / "modules")})

    assert done.code == 70
    assert "RuntimeError: out of order" in done.err
    assert done.err.endswith("This is a bug in Treadle, not in your project. Please report it with the lines above.\n")


def test_the_settings_that_hold_on_a_stage_are_shown_with_their_lines(tmp_path: Path) -> None:
    write(tmp_path, "steps/hello_step.py", api_step("Hello", "    return {}"))
    text = 'name = "shop"\nmemory_mb = 512\ncors = false\n\n[stages.prod]\nmemory_mb = 1024\ntags.team = "a"\n'
    write(tmp_path, "treadle.toml", text)

    shown = treadle("check", tmp_path, "--settings", "--stage", "prod").out
    told = json.loads(treadle("check", tmp_path, "--settings", "--json").out)["settings"]

    assert shown.splitlines() == [
        "cors = false  treadle.toml:3",
        "memory_mb = 1024  treadle.toml:6",
        'name = "shop"  treadle.toml:1',
        'tags.team = "a"  treadle.toml:7',
    ]
    assert told["memory_mb"] == {"value": 512, "where": "treadle.toml:2"}
