"""The picture of an app: its steps as nodes and the topics between them as edges, one graph for each flow."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from treadle_infra.app.model import (
    App,
    CronTrigger,
    DrawnStep,
    Emit,
    HttpTrigger,
    Json,
    StateTrigger,
    Step,
    StreamTrigger,
    TopicTrigger,
    Virtual,
)

NodeKind = Literal["api", "event", "cron", "noop"]
Variant = Literal["event", "virtual"]

_IDS = uuid.UUID("0f1c6c52-3f3b-5b0e-9c57-7d1f0f6b9a35")


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One node. `routes` are like `POST /messages`, `path` is the step's file; `id` is the same on every machine.

    `changes` are what it reacts to the changes of: `state`, `stream orders`.
    """

    id: str
    name: str
    kind: NodeKind
    path: str
    description: str | None
    subscribes: tuple[str, ...]
    emits: tuple[Emit, ...]
    virtual: Virtual
    routes: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    body_schema: Json = None


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """From the step that emits a topic to one that takes it; `virtual` edges are only drawn."""

    source: str
    target: str
    variant: Variant
    emit: Emit


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps that name this flow, in the order of their files, and the edges between them."""

    name: str
    steps: tuple[FlowStep, ...]
    edges: tuple[FlowEdge, ...]


def flows_of(app: App) -> tuple[Flow, ...]:
    """Every flow that a step names, by name. Events go to every subscriber; an edge is drawn within a flow only."""
    every: list[Step | DrawnStep] = [*app.steps, *app.drawn]
    steps = sorted(every, key=lambda step: step.where.path)
    names = sorted({name for step in steps for name in step.flows})
    return tuple(_flow(name, [_node(step) for step in steps if name in step.flows]) for name in names)


def _flow(name: str, steps: Sequence[FlowStep]) -> Flow:
    edges = (edge for source in steps for target in steps for edge in _edges(source, target))
    return Flow(name, tuple(steps), tuple(edges))


def _edges(source: FlowStep, target: FlowStep) -> Iterator[FlowEdge]:
    taken = {*target.subscribes, *target.virtual.subscribes}
    sent: Iterable[tuple[Variant, tuple[Emit, ...]]] = (("event", source.emits), ("virtual", source.virtual.emits))
    for variant, emits in sent:
        for emit in emits:
            if emit.topic in taken:
                yield FlowEdge(source.id, target.id, variant, emit)


def _node(step: Step | DrawnStep) -> FlowStep:
    path = step.where.path
    node = FlowStep(
        str(uuid.uuid5(_IDS, path)), step.name, "noop", path, step.description, (), step.emits or (), step.virtual
    )
    match step:
        case DrawnStep():
            return dataclasses.replace(node, kind=step.kind)
        case Step():
            return _with_triggers(node, step)
        case _:
            assert_never(step)


def _with_triggers(node: FlowStep, step: Step) -> FlowStep:
    """The node with what its triggers say; its kind is that of the first."""
    kinds: list[NodeKind] = []
    routes: list[str] = []
    subscribes: list[str] = []
    schedules: list[str] = []
    changes: list[str] = []
    schema: Json = None
    for trigger in step.triggers:
        match trigger:
            case HttpTrigger():
                kinds.append("api")
                routes.append(f"{trigger.method} {trigger.path}")
                schema = schema or trigger.body_schema
            case TopicTrigger():
                kinds.append("event")
                subscribes.append(trigger.topic)
            case CronTrigger():
                kinds.append("cron")
                schedules.append(trigger.expression)
            case StateTrigger() | StreamTrigger():
                kinds.append("event")
                changes.append("state" if isinstance(trigger, StateTrigger) else f"stream {trigger.stream}")
            case _:
                assert_never(trigger)
    return dataclasses.replace(
        node,
        kind=kinds[0] if kinds else node.kind,
        routes=tuple(dict.fromkeys(routes)),
        subscribes=tuple(subscribes),
        schedules=tuple(schedules),
        changes=tuple(dict.fromkeys(changes)),
        body_schema=schema,
    )
