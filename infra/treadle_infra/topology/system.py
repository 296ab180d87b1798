"""Treadle's own functions: which ones an app has, and what each of them consists of."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.names import BROADCAST, CHANGES, LIVE_ALIAS, SYSTEM_PREFIX, WEBSOCKET, Names
from treadle_infra.app.model import App
from treadle_infra.topology.layers import layers_of
from treadle_infra.topology.model import SHARED, Alias, Function, Grant, LogGroup, Resource, Role
from treadle_infra.topology.references import AliasRef, FunctionRef, LogGroupRef, RoleRef, WebSocketStageRef
from treadle_infra.topology.settings import environment


def system_functions(app: App) -> tuple[str, ...]:
    """The names of Treadle's own functions that `app` has: where it has streams, and where changes trigger steps."""
    triggered = any(step.table_triggers for step in app.steps)
    return (*((WEBSOCKET, BROADCAST) if app.streams else ()), *((CHANGES,) if triggered else ()))


def system_function(
    app: App, name: str, timeout_seconds: int, memory_mb: int, grants: tuple[Grant, ...], names: Names
) -> Iterator[Resource]:
    """One of these functions with what belongs to it."""
    yield LogGroup(LogGroupRef(name), names.log_group(name), app.log_retention_days, SHARED)
    yield Role(RoleRef(name), names.role(name), grants, SHARED)
    yield Function(
        ref=FunctionRef(name),
        name=names.function(name),
        handler=f"treadle.entry.{name.removeprefix(SYSTEM_PREFIX)}.handler",
        runtime=app.runtime,
        architecture=app.architecture,
        memory_mb=memory_mb,
        timeout_seconds=timeout_seconds,
        environment=environment(app, names),
        connections=None if name == CHANGES else WebSocketStageRef(),
        role=RoleRef(name),
        log_group=LogGroupRef(name),
        origin=SHARED,
        layers=layers_of(app, name),
    )
    yield Alias(AliasRef(name), LIVE_ALIAS, FunctionRef(name), SHARED)
