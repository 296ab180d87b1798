"""How failed resources look: each like a finding, at the step and line it came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from treadle_cli import terminal
from treadle_cli.resource_words import kind_of
from treadle_infra.app.findings import Finding

if TYPE_CHECKING:
    from treadle_infra.deploy.failures import FailedResource


def failure_finding(code: str, failure: FailedResource) -> Finding:
    """The failure as every other problem is shown."""
    of_step = f" of step {failure.origin.step}" if failure.origin.step else ""
    what = f"{kind_of(failure.type)}{of_step}"
    undoing = " (while undoing)" if failure.while_undoing else ""
    return Finding("error", code, f"{what}{undoing}: {failure.reason}", failure.origin.where, failure.hint)


def show_failures(code: str, failures: Iterable[FailedResource], *, on: bool) -> None:
    for failure in failures:
        terminal.say(terminal.finding_text(failure_finding(code, failure), on=on))
        terminal.say()


def failure_json(failure: FailedResource) -> dict[str, Any]:
    where = failure.origin.where
    return {
        "resource": failure.logical_id,
        "type": failure.type,
        "step": failure.origin.step,
        "file": where.path if where else None,
        "line": where.line if where else None,
        "reason": failure.reason,
        "hint": failure.hint,
        "whileUndoing": failure.while_undoing,
    }
