"""`treadle synth`: what is written and what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.command import treadle
from support.projects import files_of, messaging


def test_synth_prints_the_folder_and_talks_beside_it(project: Path) -> None:
    done = treadle("synth", project)

    folder = project / ".treadle" / "assembly" / "dev"
    assert (done.code, done.out) == (0, f"{folder}\n")
    assert re.search(r"^3 steps, \d+ resources$", done.err, re.MULTILINE)
    manifest = json.loads((folder / "manifest.json").read_text())
    template = json.loads((folder / "template.json").read_text())
    assert (manifest["app"], manifest["stage"]) == ("messaging", "dev")
    assert [step["step"] for step in manifest["steps"]] == ["SendMessage", "DailySummary", "ProcessMessage"]
    assert all((folder / artifact["file"]).is_file() for artifact in manifest["artifacts"])
    assert len(list((folder / "artifacts").iterdir())) == len(manifest["artifacts"])
    assert "AWS::Lambda::Function" in {resource["Type"] for resource in template["Resources"].values()}


def test_synth_as_json_says_where_and_how_much(project: Path) -> None:
    done = treadle("synth", project, "--json")

    answer = done.json()
    template = json.loads(Path(answer["template"]).read_text())
    assert answer == {
        "assembly": str(project / ".treadle" / "assembly" / "dev"),
        "template": str(project / ".treadle" / "assembly" / "dev" / "template.json"),
        "resources": len(template["Resources"]),
    }


def test_synth_writes_the_same_bytes_twice_and_from_a_path_with_a_space(tmp_path: Path) -> None:
    first = messaging(tmp_path)
    second = messaging(tmp_path / "a folder" / "with spaces")
    for project, out in ((first, "one"), (first, "two"), (second, "three")):
        done = treadle("synth", project, "--out", out, folder=tmp_path)
        assert (done.code, done.out) == (0, f"{tmp_path / out}\n")

    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "three")
    assert not (first / ".treadle" / "assembly").exists()


def test_synth_of_a_broken_project_writes_nothing_and_tells_why(broken: Path) -> None:
    done = treadle("synth", broken, "--out", broken / "out")

    assert (done.code, done.out) == (1, "")
    assert "error[step-config-invalid]" in done.err
    assert "  --> steps/bad_step.py:5" in done.err
    assert not (broken / "out").exists()


def test_synth_of_a_folder_without_steps_writes_nothing_and_tells_why(tmp_path: Path) -> None:
    done = treadle("synth", folder=tmp_path)

    assert (done.code, done.out) == (1, "")
    assert "error[nothing-to-synthesize]" in done.err


@pytest.mark.parametrize(
    ("command", "stage"),
    [("synth", "No--pe"), ("synth", "../../x"), ("check", "1st"), ("check", "a-stage-with-a-long-name"), ("check", "")],
)
def test_a_stage_that_cannot_be_one_is_a_finding(project: Path, command: str, stage: str) -> None:
    done = treadle(command, project, "--stage", stage)

    assert (done.code, done.out) == (1, "")
    assert f"error[stage-name-not-allowed]: `{stage}` cannot be a stage's name" in done.err
    assert "hint: use a name such as" in done.err


def test_on_other_stages_than_dev_the_tables_outlive_the_stack(project: Path) -> None:
    def tables(stage: str) -> dict[str, str]:
        answer = treadle("synth", project, "--stage", stage, "--json").json()
        resources = json.loads(Path(answer["template"]).read_text())["Resources"].values()
        found = [resource for resource in resources if resource["Type"] == "AWS::DynamoDB::Table"]
        return {table["Properties"]["TableName"]: table["DeletionPolicy"] for table in found}

    assert tables("prod") == {
        "messaging--prod--state": "Retain",
        "messaging--prod--messages--stream": "Retain",
        "messaging--prod--processed--stream": "Retain",
        "messaging--prod--summary--stream": "Retain",
        "messaging--prod--connections": "Delete",
    }
    assert set(tables("dev").values()) == {"Delete"}


def test_a_place_that_cannot_be_written_is_no_bug(project: Path) -> None:
    done = treadle("synth", project, "--out", project / "steps" / "api_step.py")

    assert done.code == 1
    assert "error[assembly-not-writable]" in done.err
    assert "hint: choose another folder with --out" in done.err
