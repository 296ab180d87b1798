"""Topology -> manifest.json: what the emulator and the deployer need to know besides the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_infra.app.model import Json
from treadle_infra.artifacts.model import Artifact
from treadle_infra.synth.entries import Object
from treadle_infra.synth.template import Stacks, StackTemplate
from treadle_infra.topology.model import (
    Alias,
    DeadLetterQueue,
    Function,
    Integration,
    Layer,
    LogGroup,
    Queue,
    Role,
    Route,
    Rule,
    Schedule,
    StateTable,
    StreamTable,
    Subscription,
    Topic,
    Topology,
)
from treadle_infra.topology.placement import FormerPlacement
from treadle_infra.topology.references import (
    AnyTopic,
    TopicRef,
)

ASSEMBLY_FORMAT = 1


def artifact_object_key(app: str, artifact: Artifact) -> str:
    """The key under which the artifact's zip stands in the artifact bucket."""
    return f"treadle/{app}/{artifact.key}.zip"


def build_manifest(topology: Topology, stacks: Stacks, artifacts: Mapping[str, Artifact]) -> Object:
    """The assembly's table of contents.

    Example: {"assembly": 1, "app": "chat", "stage": "dev", "stack": "chat--dev", "templates": ["template.json"],
    "stacks": [{"stack": "chat--dev", "template": "template.json", "level": 1, "parameters": {}}],
    "placement": {"apis": {"SendMessage": 1}, "stacks": {"step:SendMessage": ""}},
    "artifacts": [{"key": "<sha256>", "file": "artifacts/<sha256>.zip", "objectKey": "treadle/chat/<sha256>.zip",
    "step": "SendMessage"}, {"key": "<sha256>", ..., "packages": ["six 1.17.0"]}], "steps": [...],
    "topics": [{"topic": "sent", "name": "chat--dev--sent"}],
    "stateTable": "chat--dev--state", "streams": [{"stream": "messages", "table": "chat--dev--messages--stream"}],
    "systemFunctions": [{"name": "_treadle-broadcast", "function": "chat--dev--_treadle-broadcast", ...}]}
    """
    functions = list(topology.of(Function))
    layers = list(topology.of(Layer))
    return {
        "assembly": ASSEMBLY_FORMAT,
        "app": topology.app,
        "stage": topology.stage,
        "stack": topology.stack_name,
        "templates": [stack.file for stack in stacks.stacks],
        "stacks": [_stack(stack) for stack in stacks.stacks],
        "placement": {
            "apis": {route.origin.step or "": route.api.number for route in topology.of(Integration)},
            "stacks": dict[str, Json](stacks.placed),
        },
        "artifacts": [
            *(_artifact(topology.app, artifacts[one.ref.step], {"step": one.ref.step}) for one in functions),
            *(_artifact(topology.app, artifacts[one.ref.key], {"packages": [*one.packages]}) for one in layers),
        ],
        "steps": _steps(topology, artifacts),
        "topics": [{"topic": topic.ref.topic, "name": topic.name} for topic in topology.of(Topic)],
        "stateTable": next((table.name for table in topology.of(StateTable)), None),
        "streams": [{"stream": table.ref.stream, "table": table.name} for table in topology.of(StreamTable)],
        "systemFunctions": _system_functions(topology, artifacts),
    }


def former_placement(manifest: Mapping[str, Any]) -> FormerPlacement:
    """What an assembly that has been deployed places, by its manifest."""
    placed: Mapping[str, Any] = manifest.get("placement") or {}
    return FormerPlacement(placed.get("apis", {}), placed.get("stacks", {}))


def _stack(stack: StackTemplate) -> Json:
    given: Object = {name: {"stack": other, "output": output} for name, (other, output) in stack.parameters.items()}
    return {"stack": stack.name, "template": stack.file, "level": stack.level.value, "parameters": given}


def _artifact(app: str, artifact: Artifact, what: Object) -> Json:
    return {
        "key": artifact.key,
        "file": artifact_file(artifact),
        "objectKey": artifact_object_key(app, artifact),
        **what,
    }


def artifact_file(artifact: Artifact) -> str:
    """Where the zip stands in the assembly."""
    return f"artifacts/{artifact.key}.zip"


def _steps(topology: Topology, artifacts: Mapping[str, Artifact]) -> list[Json]:
    queues = {queue.origin.step: queue for queue in topology.of(Queue)}
    dead_letter_queues = {queue.origin.step: queue.name for queue in topology.of(DeadLetterQueue)}
    routes: dict[str | None, list[Json]] = {}
    for route in topology.of(Route):
        routes.setdefault(route.origin.step, []).append(route.key)
    subscribed: dict[str | None, list[Json]] = {}
    for subscription in topology.of(Subscription):
        subscribed.setdefault(subscription.origin.step, []).append(subscription.topic.topic)
    roles = {role.ref: role for role in topology.of(Role)}
    schedules = _schedules(topology)
    functions = _Functions(topology, artifacts)
    steps: list[Json] = []
    for function in topology.of(Function):
        if function.is_system:
            continue
        step = function.ref.step
        queue = queues.get(step)
        steps.append(
            {
                "step": step,
                "source": str(function.origin.where),
                **functions.entry(function),
                "routes": routes.get(step, []),
                "subscribes": subscribed.get(step, []),
                "publishes": _published(roles[function.role]),
                "queue": None if queue is None else queue.name,
                "deadLetterQueue": dead_letter_queues.get(step),
                "maxRetries": None if queue is None else queue.max_retries,
                "schedules": schedules.get(step, []),
            }
        )
    return steps


class _Functions:
    """What the manifest says of every function, a step's or Treadle's own."""

    def __init__(self, topology: Topology, artifacts: Mapping[str, Artifact]) -> None:
        self._artifacts = artifacts
        self._aliases = {alias.function: alias.name for alias in topology.of(Alias)}
        self._roles = {role.ref: role.name for role in topology.of(Role)}
        self._log_groups = {group.ref: group.name for group in topology.of(LogGroup)}

    def entry(self, function: Function) -> Object:
        return {
            "function": function.name,
            "alias": self._aliases[function.ref],
            "role": self._roles[function.role],
            "logGroup": self._log_groups[function.log_group],
            "artifact": self._artifacts[function.ref.step].key,
            "handler": function.handler,
            "runtime": function.runtime,
            "memoryMb": function.memory_mb,
            "timeoutSeconds": function.timeout_seconds,
            "layers": [self._artifacts[layer.key].key for layer in function.layers],
        }


def _schedules(topology: Topology) -> dict[str, list[Json]]:
    """The rules and schedules of each step; `expression` is as the step has it, `aws` as AWS does."""
    found: dict[str, list[Json]] = {}
    for rule in topology.of(Rule):
        entry = _schedule("rule", rule, timezone=None)
        found.setdefault(rule.ref.step, []).append(entry)
    for schedule in topology.of(Schedule):
        entry = _schedule("schedule", schedule, timezone=schedule.timezone)
        found.setdefault(schedule.ref.step, []).append(entry)
    return found


def _schedule(kind: str, schedule: Rule | Schedule, timezone: str | None) -> Json:
    return {
        "name": schedule.name,
        "kind": kind,
        "expression": schedule.written,
        "dialect": schedule.dialect,
        "timezone": timezone,
        "aws": schedule.expression,
    }


def _system_functions(topology: Topology, artifacts: Mapping[str, Artifact]) -> list[Json]:
    dead_letter_queues = {queue.ref.step: queue.name for queue in topology.of(DeadLetterQueue)}
    functions = _Functions(topology, artifacts)
    return [
        {
            "name": function.ref.step,
            **functions.entry(function),
            "deadLetterQueue": dead_letter_queues.get(function.ref.step),
        }
        for function in topology.of(Function)
        if function.is_system
    ]


def _published(role: Role) -> Json:
    """The topics that the role may publish to; None means every topic of the app."""
    targets = [target for grant in role.grants for target in grant.targets]
    if any(isinstance(target, AnyTopic) for target in targets):
        return None
    return [target.topic for target in targets if isinstance(target, TopicRef)]
