"""How Treadle looks in a terminal: data on standard output, talk on standard error, colour only where it is wanted."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from treadle_infra.app.findings import Finding, FindingsError, TreadleError

_HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Controls of the terminal, tabs excepted, and of the direction of writing, and what no terminal can be sent."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """The text in one line, with escapes such as `\\x1b`, `\\n`, `\\u202e` for what would steer the terminal."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_lines(text: str) -> list[str]:
    """The text's lines, each of them made visible; never empty. A return to the line's start begins a line as well."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    return [visible(line) for line in lines]


def wants_colour(stream: object = None) -> bool:
    """Colour for people only: a terminal, and no NO_COLOR. Source: https://no-color.org"""
    target = sys.stdout if stream is None else stream
    isatty = getattr(target, "isatty", None)
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb" and callable(isatty) and bool(isatty())


def paint(text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False, on: bool = True) -> str:
    return typer.style(text, fg=colour, bold=bold or None, dim=dim or None) if on else text


def say(text: str = "") -> None:
    """Talk: to standard error."""
    typer.echo(text, err=True)


def show(text: str) -> None:
    """Data: to standard output."""
    typer.echo(text)


def show_json(value: object) -> None:
    typer.echo(json_line(value))


def json_line(value: object, default: Callable[[object], object] | None = None) -> str:
    """A value as JSON in one line, in UTF-8 where that is possible: halves of surrogate pairs stay escaped."""
    text = json.dumps(value, ensure_ascii=False, default=default)
    return json.dumps(value, default=default) if _SURROGATE.search(text) else text


def show_findings(findings: Iterable[Finding]) -> None:
    """All findings, each in its three lines, and a count."""
    shown = list(findings)
    on = wants_colour(sys.stderr)
    for finding in shown:
        say(finding_text(finding, on=on))
        say()
    errors = sum(finding.severity == "error" for finding in shown)
    warnings = len(shown) - errors
    if shown:
        say(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")


def finding_text(finding: Finding, *, on: bool) -> str:
    colour = "red" if finding.severity == "error" else "yellow"
    lines = [f"{paint(f'{finding.severity}[{finding.code}]', colour, bold=True, on=on)}: {_indented(finding.message)}"]
    if finding.where is not None:
        lines.append(f"  {paint('-->', 'blue', on=on)} {visible(str(finding.where))}")
    if finding.hint is not None:
        lines.append(f"{paint('hint', 'cyan', on=on)}: {_indented(finding.hint)}")
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n  ".join(visible_lines(text))


def show_error(problem: TreadleError) -> None:
    if isinstance(problem, FindingsError):
        show_findings(problem.findings)
    else:
        say(finding_text(problem.finding, on=wants_colour(sys.stderr)))


def finding_json(finding: Finding) -> Mapping[str, Any]:
    """The JSON form of a finding, the same for every command."""
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "file": finding.where.path if finding.where else None,
        "line": finding.where.line if finding.where else None,
        "hint": finding.hint,
    }
