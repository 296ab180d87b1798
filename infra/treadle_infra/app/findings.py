"""What can be wrong with a project, in one form: code, message, place, remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """A line in a file of the project; `path` is relative to the project, with forward slashes; lines count from 1."""

    path: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a person should know about the project. `code` is stable and documented in docs/findings.md."""

    severity: Severity
    code: str
    message: str
    where: SourceLocation | None = None
    hint: str | None = None

    def __str__(self) -> str:
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.where is not None:
            lines.append(f"  --> {self.where}")
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


def error(code: str, message: str, where: SourceLocation | None = None, hint: str | None = None) -> Finding:
    return Finding("error", code, message, where, hint)


def warning(code: str, message: str, where: SourceLocation | None = None, hint: str | None = None) -> Finding:
    return Finding("warning", code, message, where, hint)


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


class TreadleError(Exception):
    """Everything a person can cause; anything else that escapes is a bug of Treadle's."""

    def __init__(
        self, code: str, message: str, *, where: SourceLocation | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.finding = Finding("error", code, message, where, hint)

    @property
    def code(self) -> str:
        return self.finding.code

    def __str__(self) -> str:
        return str(self.finding)


class FindingsError(TreadleError):
    """Several findings at once, at least one of them an error."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        first = next((finding for finding in self.findings if finding.severity == "error"), self.findings[0])
        super().__init__(first.code, first.message, where=first.where, hint=first.hint)

    def __str__(self) -> str:
        return "\n\n".join(str(finding) for finding in self.findings)
