"""Flows as JSON and as Mermaid diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_infra.app.flows import Flow, FlowEdge, FlowStep
from treadle_infra.app.model import Emit
from treadle_infra.flow_layout import Position

_SHAPES = {"api": ("([", "])"), "event": ("[", "]"), "cron": ("{{", "}}"), "noop": ("[/", "/]")}


def flow_json(flow: Flow, positions: Mapping[str, Position]) -> dict[str, Any]:
    """A flow as Motia's Workbench takes it; `position` is Treadle's addition."""
    return {
        "id": flow.name,
        "name": flow.name,
        "steps": [{**_step(step), "position": dict(positions[step.path])} for step in flow.steps],
        "edges": [_edge(edge) for edge in flow.edges],
    }


def _step(step: FlowStep) -> dict[str, Any]:
    optional = {
        "description": step.description,
        "subscribes": list(step.subscribes) or None,
        "virtualEmits": [_emit(emit) for emit in step.virtual.emits] or None,
        "virtualSubscribes": list(step.virtual.subscribes) or None,
        "action": "webhook" if step.routes else None,
        "webhookUrl": step.routes[0] if step.routes else None,
        "bodySchema": step.body_schema,
        "cronExpression": step.schedules[0] if step.schedules else None,
    }
    return {
        "id": step.id,
        "name": step.name,
        "type": step.kind,
        "emits": [_emit(emit) for emit in step.emits],
        "language": "python",
        "filePath": step.path,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _emit(emit: Emit) -> str | dict[str, Any]:
    if emit.label is None and not emit.conditional:
        return emit.topic
    label = {} if emit.label is None else {"label": emit.label}
    return {"topic": emit.topic, **label, **({"conditional": True} if emit.conditional else {})}


def _edge(edge: FlowEdge) -> dict[str, Any]:
    data: dict[str, Any] = {"variant": edge.variant, "topic": edge.emit.topic}
    if edge.emit.label is not None:
        data["label"] = edge.emit.label
    if edge.emit.conditional:
        data["labelVariant"] = "conditional"
    return {"id": f"{edge.source}-{edge.target}", "source": edge.source, "target": edge.target, "data": data}


def flow_mermaid(flow: Flow) -> str:
    """A Mermaid flowchart: rounded routes, hexagonal schedules, dashed edges for what is conditional or only drawn."""
    numbers = {step.id: f"step{number}" for number, step in enumerate(flow.steps)}
    lines = [f"---\ntitle: {_text(flow.name)}\n---", "flowchart LR"]
    for step in flow.steps:
        begin, end = _SHAPES[step.kind]
        detail = "<br>".join(_text(text) for text in (step.name, *step.routes, *step.schedules))
        lines.append(f'  {numbers[step.id]}{begin}"{detail}"{end}')
    for edge in flow.edges:
        arrow = "-->" if edge.variant == "event" and not edge.emit.conditional else "-.->"
        text = _text(edge.emit.label or edge.emit.topic)
        lines.append(f'  {numbers[edge.source]} {arrow}|"{text}"| {numbers[edge.target]}')
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;").replace("\n", " ")
