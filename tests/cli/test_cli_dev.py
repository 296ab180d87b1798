"""`treadle dev` as people see it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.command import screen_of_dev, treadle
from support.dev import Dev, wait_until
from support.projects import api_step, write


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--port", "70000"), "--port"),
        (("--aws-port", "-1"), "--aws-port"),
        (("--port", "http"), "--port"),
        (("--clock", "sundial"), "--clock"),
        (("--host", "0.0.0.0"), "0.0.0.0 is not a loopback address"),
        (("--host", "example.com"), "example.com is not a loopback address"),
        (("--reload",), "--reload"),
        (("one", "two"), "two"),
    ],
)
def test_dev_refuses_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = treadle("dev", *arguments, folder=tmp_path)

    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_dev_for_people_says_what_runs_and_what_to_do_next(project: Path) -> None:
    done = treadle("dev", project, "--once", "--port", "0", "--aws-port", "0")

    assert done.code == 0
    assert re.search(r"^Treadle is ready \(\d+\.\d s\)$", done.out, re.MULTILINE)
    assert re.search(r"^  HTTP    http://127\.0\.0\.1:\d+$", done.out, re.MULTILINE)
    assert re.search(r"^ +POST /messages +→ SendMessage$", done.out, re.MULTILINE)
    assert re.search(r"^ +message\.sent +→ ProcessMessage$", done.out, re.MULTILINE)
    assert re.search(r"^  Streams ws://127\.0\.0\.1:\d+\n +messages, processed, summary$", done.out, re.MULTILINE)
    assert re.search(r"^ +0 9 \* \* \* +→ DailySummary  next \w{3} \S+ 09:00 UTC$", done.out, re.MULTILINE)
    assert re.search(r"^  Try     curl -X POST http://\S+/messages .*userId", done.out, re.MULTILINE)
    assert re.search(r"^  AWS     export AWS_ENDPOINT_URL=http://\S+ AWS_ACCESS_KEY_ID=", done.out, re.MULTILINE)
    assert "\n\n\n" not in done.out


def test_dev_for_people_shows_the_line_that_failed_and_nothing_of_treadles_own(tmp_path: Path) -> None:
    project = write(tmp_path / "app", "steps/fail_step.py", api_step("Fail", "    return req['nothing']", method="GET"))

    with screen_of_dev(project, "--no-watch", folder=tmp_path) as screen:
        with pytest.raises(urllib.error.HTTPError, match="500") as answer:
            urllib.request.urlopen(f"{screen.url}/fail", timeout=30)
        answer.value.close()
        screen.read_until("GET /fail  500", "KeyError")

    assert "ERROR Fail failed on GET /fail\n" in screen.text
    assert '│ File "steps/fail_step.py", line 5, in handler\n' in screen.text
    assert "│ KeyError: 'nothing'\n" in screen.text
    assert "Traceback" not in screen.text
    assert ".treadle/cache" not in screen.text


def test_a_reload_tells_what_is_new_and_what_is_mended(tmp_path: Path) -> None:
    secret = """
config = {"name": "secret", "schema": None, "baseConfig": {"storageType": "default"}, "canAccess": lambda s, c: %s}
"""
    project = write(tmp_path / "app", "steps/a_step.py", api_step("A", '    return {"body": {}}'))
    write(project, "steps/secret_stream.py", secret % "True")
    with Dev(project) as dev:
        write(project, "steps/secret_stream.py", secret % "False")
        reloaded = wait_until("the reload", lambda: dev.first("reloaded"))
        assert (reloaded["steps"], reloaded["parts"]) == ([], ["stream `secret`"])

        write(project, "steps/bad_step.py", "config = {\n")
        wait_until("the finding", lambda: dev.first("findings"))
        write(project, "steps/a_step.py", api_step("A", '    return {"body": {"v": 2}}'))
        wait_until("the second reload", lambda: dev.first("reloaded", steps=["A"]))
        assert len(dev.all("findings")) == 1, "what was told is not told again"

        (project / "steps/bad_step.py").unlink()
        mended = wait_until("the end of it", lambda: dev.first("mended"))
        assert (mended["errors"], mended["left"]) == (1, 0)
