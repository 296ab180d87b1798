"""How the report on granted and used permissions looks."""

from __future__ import annotations

from collections.abc import Iterator

from treadle_cli import terminal
from treadle_local.observe.permissions import Grant, Holder, PermissionsReport, Used


def permissions_text(report: PermissionsReport, *, on: bool) -> str:
    """A block for each role and each resource with a policy: counts, what was granted for nothing, what was denied."""
    lines = [terminal.paint("Permissions: granted, and how often used", bold=True, on=on)]
    for holder in (*report.roles, *report.resources):
        if holder.granted or holder.denied:
            lines += ["", *_holder(holder, on=on)]
    if len(lines) == 1:
        lines.append("  there is no role and no policy")
    return "\n".join(lines)


def _holder(holder: Holder, *, on: bool) -> Iterator[str]:
    name = holder.step or holder.name
    yield terminal.paint(terminal.visible(name), "cyan", on=on)
    for grant in holder.granted:
        yield from _grant(grant, on=on)
    for denied in holder.denied:
        yield f"  {terminal.paint('denied', 'red', bold=True, on=on)}  {_used(denied)}"


def _grant(grant: Grant, *, on: bool) -> Iterator[str]:
    source = f"{grant.policy}/{grant.sid}"
    yield terminal.paint(terminal.visible(f"  {source}"), dim=True, on=on)
    for kind in (grant.actions, grant.resources):
        for what, count in kind.items():
            told = terminal.paint("unused", "yellow", bold=True, on=on) if count == 0 else f"{count:>6}"
            yield f"    {told}  {terminal.visible(what)}"


def _used(used: Used) -> str:
    return terminal.visible(f"{used.count} x {used.action} on {used.resource}")
