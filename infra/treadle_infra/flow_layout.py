"""Where the steps of each flow stand in the picture: `motia-workbench.json`, as Motia's Workbench wrote it.

[{"id": "shop", "config": {"steps/order_step.py": {"x": 240, "y": 0, "sourceHandlePosition": "right"}}}]
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from treadle_infra.app.findings import SourceLocation, TreadleError
from treadle_infra.app.flows import Flow

LAYOUT_FILE = "motia-workbench.json"
COLUMN_WIDTH = 320
ROW_HEIGHT = 200

Position = Mapping[str, Any]
"""`x` and `y` in pixels, to the right and down, and whatever else the Workbench keeps with them."""


class _Position(BaseModel):
    x: float
    y: float


class _Entry(BaseModel):
    id: str
    config: dict[str, _Position]


_ENTRIES = TypeAdapter(list[_Entry])


class FlowLayout:
    """The file's content. What it has for other flows and steps, and keys that are not known here, stay."""

    def __init__(self, file: Path, entries: list[dict[str, Any]], text: str | None) -> None:
        self._file = file
        self._entries = entries
        self._text = text

    @classmethod
    def read(cls, project: Path) -> FlowLayout:
        """The layout of the project, an empty one where it has no such file.

        Raises: TreadleError `layout-file-invalid`.
        """
        file = project / LAYOUT_FILE
        try:
            text = file.read_text(encoding="utf-8")
            entries = cast("list[dict[str, Any]]", _ENTRIES.validate_json(text) and json.loads(text))
        except FileNotFoundError:
            return cls(file, [], None)
        except ValidationError as problem:
            first = problem.errors()[0]
            raise _invalid(f"at `{'.'.join(map(str, first['loc'])) or 'its top'}`: {first['msg']}") from None
        except (OSError, UnicodeDecodeError) as problem:
            raise _invalid(f"it cannot be read: {problem}") from None
        return cls(file, entries, text)

    def positions(self, flow: Flow) -> dict[str, Position]:
        """A position for each step, by its path: that in the file, else one in the column that its edges give."""
        known: dict[str, Position] = {}
        for entry in self._entries:
            if entry["id"] == flow.name:
                known |= entry["config"]
        columns = _columns(flow)
        rows: dict[int, int] = {}
        positions: dict[str, Position] = {}
        for step in flow.steps:
            if step.path in known:
                positions[step.path] = known[step.path]
                continue
            column = columns[step.id]
            rows[column] = rows.get(column, -1) + 1
            positions[step.path] = {"x": column * COLUMN_WIDTH, "y": rows[column] * ROW_HEIGHT}
        return positions

    def save(self, flows: Iterable[Flow]) -> bool:
        """Writes the positions of all steps of these flows; True where the file is another now."""
        for flow in flows:
            positions = {path: dict(position) for path, position in self.positions(flow).items()}
            entry = next((one for one in self._entries if one["id"] == flow.name), None)
            if entry is None:
                self._entries.append({"id": flow.name, "config": positions})
            else:
                entry["config"] = {**entry["config"], **positions}
        text = json.dumps(self._entries, indent=2, ensure_ascii=False)
        if self._text is not None and text == self._text.rstrip("\n"):
            return False
        self._file.write_text(text + "\n", encoding="utf-8")
        self._text = text
        return True


def _columns(flow: Flow) -> dict[str, int]:
    """How many steps are before each one, by the shortest way from a step that nothing comes before."""
    targets = {edge.target for edge in flow.edges if edge.target != edge.source}
    columns = {step.id: 0 for step in flow.steps if step.id not in targets}
    waiting = deque(columns or [step.id for step in flow.steps[:1]])
    columns = columns or dict.fromkeys(waiting, 0)
    while waiting:
        source = waiting.popleft()
        for edge in flow.edges:
            if edge.source == source and edge.target not in columns:
                columns[edge.target] = columns[source] + 1
                waiting.append(edge.target)
    return {step.id: columns.get(step.id, 0) for step in flow.steps}


def _invalid(why: str) -> TreadleError:
    return TreadleError(
        "layout-file-invalid",
        f"{LAYOUT_FILE} has the positions of steps in the picture, and is not as it must be: {why}",
        where=SourceLocation(LAYOUT_FILE, 1),
        hint="mend it, or remove it: all steps are placed anew then",
    )
