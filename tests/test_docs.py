"""What the documents say is so: commands run, snippets are files, codes and links are there."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from support.command import screen_of_dev, treadle
from support.projects import EXAMPLES
from treadle_infra.scaffold import TEMPLATES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PACKAGES = ("adapter/treadle", "infra/treadle_infra", "localstack/treadle_local", "cli/treadle_cli")
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


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


# commands


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "write_docs.py", "--check"], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_in_the_reference_and_in_the_readmes_table() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text()

    assert tuple(re.findall(r"^## `treadle (\w+)`$", reference, re.MULTILINE)) == COMMANDS
    assert sorted(set(re.findall(r"^\| `treadle (\w+)", README, re.MULTILINE))) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readmes_table_names_only_options_that_the_command_has(command: str) -> None:
    (row,) = re.findall(rf"^\| `treadle {command}\b.*$", README, re.MULTILINE)

    told = treadle(command, "--help").out

    assert all(option in told for option in re.findall(r"--[a-z-]+", row))


def test_every_make_target_that_a_page_names_exists_and_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)}

    assert named <= targets
    assert targets - named == {"help"}


# snippets


def test_every_step_of_the_readme_is_the_file_that_it_says_it_is() -> None:
    snippets = dict(snippet.removeprefix("# ").split("\n", 1) for snippet in blocks(README, "python"))

    assert set(snippets) == {f"steps/{name}.py" for name in ("api_step", "event_step", "cron_step", "messages_stream")}
    for name, source in snippets.items():
        assert source == (EXAMPLES / "messaging" / name).read_text()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_python_snippet_compiles(page: Path) -> None:
    for snippet in blocks(page.read_text(), "python"):
        compile(snippet, page.name, "exec")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_readmes_commands_do_what_it_says_they_do(tmp_path: Path) -> None:
    """All but the installation, and on free ports."""
    first, second = [block.splitlines() for block in blocks(README, "sh")[:2]]
    new, dev = [shlex.split(line)[1:] for line in first if line.startswith("~/treadle/bin/treadle ")]
    shown = blocks(README, "text")[0]

    assert treadle(*new, folder=tmp_path).code == 0
    with screen_of_dev(*dev[1:], folder=tmp_path) as screen:
        request = [part.replace("http://127.0.0.1:3000", screen.url) for part in shlex.split(second[0])]
        answer = subprocess.run(
            [*request, "-s", "-w", "\n%{http_code}"], capture_output=True, text=True, timeout=30, check=True
        )
        screen.read_until("POST /messages", "message.sent  ok")

    body, status = answer.stdout.split("\n")
    assert status == "201"
    assert f"prints `{body}`" in README
    assert set(map(unvarying, shown.splitlines())) <= set(map(unvarying, screen.lines))


def unvarying(line: str) -> str:
    """A line that `dev` prints, without what differs from run to run: ports, times and trace ids."""
    line = re.sub(r"127\.0\.0\.1:\d+", "HOST", line)
    line = re.sub(r"\d+\.\d s\b", "N s", re.sub(r"\d+ ms\b", "N ms", line))
    line = re.sub(r"^\d\d:\d\d:\d\d\b", "NOW", line)
    line = re.sub(r"next \w{3} \d{4}-\d\d-\d\d", "next DAY", line)
    return re.sub(r"N ms  \S+$", "N ms  TRACE", line)


# findings


def rows() -> dict[str, tuple[str, str]]:
    """What the list of findings says: (meaning, remedy) by code."""
    listed = re.findall(
        r"^\| `([^`]+)` \| (.*?) \| (.*?) \|$", (ROOT / "docs" / "findings.md").read_text(), re.MULTILINE
    )
    assert len({code for code, _, _ in listed}) == len(listed)
    return {code: (meaning, remedy) for code, meaning, remedy in listed}


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Every node of every module, with its package."""
    return [
        (package, node)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "templates" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call | ast.JoinedStr | ast.Constant)
    ]


def severities_by_code() -> dict[str, set[str]]:
    """The codes that stand in calls of `error`, `warning` and `TreadleError`, with their severities."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for _, node in nodes():
        match node:
            case ast.Call(
                func=ast.Name(id="error" | "warning" | "TreadleError" as function),
                args=[ast.Constant(value=str(code)), *_],
            ):
                found[code].add("warning" if function == "warning" else "error")
            case ast.JoinedStr():
                for code in re.findall(r"\berror\[([a-z-]+)\]", ast.unparse(node)):
                    found[code].add("error")
            case _:
                pass
    return found


def kebab_case_texts(*packages: str) -> set[str]:
    """Every text in the source that could be a code."""
    return {
        node.value
        for package, node in nodes()
        if package in packages
        and isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", node.value)
    }


def test_every_code_in_the_source_is_listed() -> None:
    in_calls = severities_by_code()
    no_codes = {"utf-8", "us-east-1", "execute-api", "x-api-key"}
    names_of_others = set(TEMPLATES)
    names_of_others |= {"treadle-bootstrap", "broken-uploads", "continue-update-rollback", "describe-stack-events"}
    names_of_others |= {"cancel-update-stack", "iii-motia", "iii-sdk", "motia-state-values", "motia-project-folder"}
    names_of_others |= {"site-packages", "content-type"}
    kinds_of_things = {"event-source-mapping", "log-group", "may-replace", "take-back"}
    in_the_compiler = kebab_case_texts("infra/treadle_infra") - no_codes - names_of_others - kinds_of_things

    assert len(in_calls) > 50
    assert (set(in_calls) | in_the_compiler) - set(rows()) == set()


def test_every_listed_code_is_in_the_source() -> None:
    assert set(rows()) - set(severities_by_code()) - kebab_case_texts(*PACKAGES) == set()


def test_the_list_of_codes_is_in_order_and_every_code_has_a_meaning_and_a_remedy() -> None:
    listed = rows()

    assert list(listed) == sorted(listed)
    for meaning, remedy in listed.values():
        assert meaning.endswith(".")
        assert remedy.endswith(".")


def test_the_list_says_which_codes_are_warnings() -> None:
    listed = rows()

    for code, severities in severities_by_code().items():
        assert (severities == {"warning"}) == listed[code][0].endswith("Warning."), code


# links and paths


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_between_pages_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_path_of_the_project_that_a_page_names_exists(page: Path) -> None:
    tops = "adapter|infra|localstack|cli|tests|docs|examples|benchmarks|tools"
    for named in re.findall(rf"`((?:{tops})/[^`\s]*)`", page.read_text()):
        for path in expanded(named):
            assert (ROOT / path).exists(), path


def expanded(path: str) -> list[str]:
    """`a/{b,c}/` is two paths."""
    parts = re.fullmatch(r"(.*)\{(.*)\}(.*)", path)
    return [path] if parts is None else [parts[1] + choice + parts[3] for choice in parts[2].split(",")]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    pattern = _pattern_of_registries_and_machine_paths()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    texts = {path: path.read_bytes().decode(errors="replace") for path in files}

    assert len(files) > 100
    assert {page_name(path): found[0] for path, text in texts.items() if (found := pattern.search(text))} == {}


def _pattern_of_registries_and_machine_paths() -> re.Pattern[str]:
    """Put together from pieces, so that this file holds none of them."""
    hosts = ("pypi", "org/simple"), ("python" + "hosted", "org"), ("registry", "npmjs", "org"), ("deb", "debian", "org")
    addresses = [re.escape(".".join(host)) for host in hosts]
    machine_path = r"(?<![\w.])/{}/[a-z]+/".format("work")
    return re.compile("|".join([*addresses, machine_path]))
