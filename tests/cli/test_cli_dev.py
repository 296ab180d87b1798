"""`treadle dev` as people see it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.command import screen_of_dev, treadle
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
