"""What the command says about itself, and completion."""

from __future__ import annotations

import re

import pytest

from support.command import treadle

COMMANDS = (
    "dev",
    "check",
    "graph",
    "openapi",
    "types",
    "synth",
    "deploy",
    "remove",
    "invoke",
    "emit",
    "logs",
    "trace",
    "new",
    "cron",
    "step",
    "secrets",
)


def test_version_is_one_line() -> None:
    done = treadle("--version")

    assert done.code == 0
    assert re.fullmatch(r"treadle \d+\.\d+\.\d+\n", done.out)


def test_help_lists_every_command_with_a_whole_sentence_and_the_exit_codes() -> None:
    done = treadle("--help")

    listed = dict(re.findall(r"^  (\w+)  +(.+)$", done.out.split("Commands:")[1].split("Exit codes")[0], re.MULTILINE))
    assert done.code == 0
    assert tuple(listed) == COMMANDS
    assert all(text.endswith(".") and not text.endswith("...") for text in listed.values())
    assert "Exit codes: 0 done, 1 findings" in done.out


@pytest.mark.parametrize(
    "command", [*COMMANDS[:-3], "cron list", "cron run", "step new", "secrets set", "secrets list"]
)
def test_every_command_explains_itself_and_takes_the_project(command: str) -> None:
    done = treadle(*command.split(), "-h" if command == "dev" else "--help")

    assert (done.code, done.err) == (0, "")
    assert "-C, --project DIR" in done.out


def test_no_command_at_all_is_the_help_and_wrong_usage() -> None:
    done = treadle()

    assert done.code == 2
    assert "Commands:" in done.out + done.err


def test_an_unknown_command_is_wrong_usage() -> None:
    done = treadle("depoly")

    assert (done.code, done.out) == (2, "")
    assert "depoly" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_sourced_and_completes_commands(shell: str) -> None:
    script = treadle(environment={"_TREADLE_COMPLETE": f"source_{shell}"})

    assert script.code == 0
    assert "_TREADLE_COMPLETE" in script.out


def test_bash_completes_the_commands_that_begin_so() -> None:
    done = treadle(
        environment={"_TREADLE_COMPLETE": "complete_bash", "COMP_WORDS": "treadle s", "COMP_CWORD": "1"},
    )

    assert (done.code, done.out.split()) == (0, ["synth", "step", "secrets"])
