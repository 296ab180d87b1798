"""How a removal looks: what would go, what stays, what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from treadle_cli import terminal
from treadle_cli.resource_words import kind_of

if TYPE_CHECKING:
    from treadle_infra.deploy.leftovers import Leftover
    from treadle_infra.deploy.removal import Doomed, KeptTable, Removal

_LOGS = "AWS::Logs::LogGroup"


def removal_text(removal: Removal, *, on: bool) -> str:
    """What would go and what would stay."""
    bold = [terminal.paint(text, bold=True, on=on) for text in ("Goes", "Goes, with its data", "Stays")]
    lines: list[str] = []
    if removal.stack is not None:
        steps = f"{len(removal.steps)} step{'s' * (len(removal.steps) != 1)}"
        names = f": {', '.join(removal.steps)}" if removal.steps else ""
        lines.append(f"  {len(removal.resources)} resources of {steps}{terminal.visible(names)}")
    logs = sum(one.type == _LOGS for one in removal.going)
    lines += [f"  {logs} log group{'s' * (logs != 1)} with all {'their' if logs != 1 else 'its'} lines"] if logs else []
    lines += [_doomed(one, on=on) for one in removal.going if one.type != _LOGS]
    lines[:0] = [bold[0]] if lines else []
    if removal.kept:
        lines.append(bold[1] if removal.deletes_data else bold[2])
        lines += [_table(table, loses=removal.deletes_data, on=on) for table in removal.kept]
    if removal.kept and not removal.deletes_data:
        lines.append("  (--delete-data removes these too; a deployment takes them back)")
    return "\n".join(lines)


def kept_text(kept: Iterable[KeptTable], *, on: bool) -> str:
    return "\n".join(_table(table, loses=False, on=on) for table in kept)


def leftovers_text(leftovers: Iterable[Leftover]) -> str:
    return "\n".join(f"{kind_of(one.type)} {one.id}" for one in leftovers)


def removal_json(removal: Removal) -> dict[str, Any]:
    return {
        "event": "plan",
        "stack": removal.stack.name if removal.stack is not None else None,
        "steps": list(removal.steps),
        "resources": len(removal.resources),
        "going": [
            {"type": one.type, "name": one.name, "step": one.origin.step, "holds": _number(one)}
            for one in removal.going
        ],
        "tables": [{"name": table.name, "items": _number(table)} for table in removal.kept],
        "deletesData": removal.deletes_data,
    }


def _number(one: Doomed | KeptTable) -> int | None:
    return one.contents.number if one.contents is not None else None


def _doomed(one: Doomed, *, on: bool) -> str:
    return _holder(f"{kind_of(one.type)} {one.name}", one.contents, loses=True, on=on)


def _table(table: KeptTable, *, loses: bool, on: bool) -> str:
    return _holder(f"table {table.name}", table.contents, loses=loses, on=on)


def _holder(name: str, contents: object, *, loses: bool, on: bool) -> str:
    if contents is None:
        return f"  {terminal.visible(name)}"
    is_empty = str(contents).startswith("0 ")
    return (
        f"  {terminal.visible(name)}  {terminal.paint(str(contents), 'red' if loses and not is_empty else None, on=on)}"
    )
