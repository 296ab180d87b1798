"""What is wrong between files: names and routes that two of them claim, topics and streams that do not meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from treadle.message import HOP_LIMIT
from treadle_infra.app.findings import Finding, SourceLocation, error, warning
from treadle_infra.app.model import (
    CronTrigger,
    HttpTrigger,
    Step,
    Stream,
    StreamTrigger,
    TableOperation,
    TopicTrigger,
)
from treadle_infra.app.paths import route_shape
from treadle_infra.discovery.files import has_dotted_name
from treadle_infra.discovery.places import ConfigPlaces
from treadle_infra.discovery.usage import UsagePlaces


@dataclass(frozen=True, slots=True)
class FoundStep:
    """A step whose config is right, with the places in its file. `is_broken`: something else is wrong with it."""

    step: Step
    places: ConfigPlaces
    usage: UsagePlaces
    is_broken: bool = False


def without_duplicate_steps(steps: Iterable[FoundStep], findings: list[Finding]) -> list[FoundStep]:
    """The steps without those whose name or whose route an earlier one has; IAM's role names ignore case.

    Files that Motia does not find come after all others: an old `x.step.py` beside its `x_step.py` is in nobody's way.
    """
    given = list(steps)
    names: dict[str, Step] = {}
    routes: dict[str, tuple[Step, HttpTrigger]] = {}
    left_out: set[str] = set()
    for found in sorted(given, key=lambda one: has_dotted_name(one.step.path)):
        step = found.step
        problems = [*_name_problem(found, names), *_route_problems(step, routes)]
        if problems:
            left_out.add(step.path)
            findings += [_left_out(step, problems[0])] if has_dotted_name(step.path) else problems
    return [found for found in given if found.step.path not in left_out]


def _left_out(step: Step, problem: Finding) -> Finding:
    message = f"`{step.path}` is left out, as Motia does with Python files of this name: {problem.message}"
    return warning("dotted-file-name", message, problem.where, "delete it, or rename it and what it shares")


def _name_problem(found: FoundStep, names: dict[str, Step]) -> Iterator[Finding]:
    first = names.setdefault(found.step.name.lower(), found.step)
    if first is found.step:
        return
    spelt = "" if first.name == found.step.name else f" (`{first.name}`: case makes no difference)"
    yield error(
        "duplicate-step-name",
        f"the step in {first.path} is named `{found.step.name}` too{spelt}",
        found.places.of("name"),
        "rename one of them",
    )


def _route_problems(step: Step, routes: dict[str, tuple[Step, HttpTrigger]]) -> Iterator[Finding]:
    for trigger in step.triggers:
        if not isinstance(trigger, HttpTrigger):
            continue
        first, first_trigger = routes.setdefault(f"{trigger.method} {route_shape(trigger.path)}", (step, trigger))
        if first_trigger is not trigger:
            there = f" (as `{first_trigger.path}`)" if first_trigger.path != trigger.path else ""
            yield error(
                "duplicate-route",
                f"Endpoint conflict: `{trigger.method} {trigger.path}` is defined in "
                f"{first_trigger.where or first.path} too{there}",
                trigger.where,
                "change the path or the method of one of them",
            )


def without_duplicate_streams(streams: Iterable[tuple[Stream, ConfigPlaces]], findings: list[Finding]) -> list[Stream]:
    """The streams without those whose name an earlier one has."""
    kept: dict[str, Stream] = {}
    for stream, places in streams:
        first = kept.setdefault(stream.name, stream)
        if first is not stream:
            message = f"the stream `{stream.name}` is defined in {first.where} too"
            findings.append(error("duplicate-stream-name", message, places.of("name"), "rename one of them"))
    return list(kept.values())


def inferred_streams(steps: Sequence[FoundStep], defined: Iterable[Stream], findings: list[Finding]) -> list[Stream]:
    """The streams that steps use and no file defines."""
    known = {stream.name for stream in defined}
    missing: dict[str, SourceLocation] = {}
    for found in steps:
        triggers = [trigger for trigger in found.step.triggers if isinstance(trigger, StreamTrigger)]
        triggered = ((trigger.stream, trigger.where or found.step.where) for trigger in triggers)
        for name, where in (*found.usage.streams.items(), *triggered):
            if name not in known:
                missing[name] = min(missing.get(name, where), where)
    for name, where in missing.items():
        findings.append(
            warning(
                "stream-inferred",
                f"the stream `{name}` is used here and defined nowhere; a stream of this name is made all the same",
                where,
                f"define it in steps/{name}_stream.py:\n"
                f'    config = {{"name": "{name}",\n'
                '              "schema": {"type": "object", "properties": {}},\n'
                '              "baseConfig": {"storageType": "default"}}',
            )
        )
    return [Stream(name) for name in missing]


_WRITES: frozenset[TableOperation] = frozenset({"set", "update", "delete", "clear"})


def circular_findings(steps: Iterable[FoundStep]) -> Iterator[Finding]:
    """Steps that write what triggers them, without a condition that would keep one change from bringing the next."""
    for found in steps:
        usage = found.step.usage
        for trigger in found.step.table_triggers:
            what, written = "state", usage.state
            if isinstance(trigger, StreamTrigger):
                what = f"the stream `{trigger.stream}`"
                written = usage.streams.get(trigger.stream, frozenset()) | usage.any_stream
            if trigger.condition is not None or not written & _WRITES:
                continue
            yield warning(
                "trigger-causes-itself",
                f"`{found.step.name}` is triggered by changes of {what} and changes it itself: each of its own writes "
                f"can trigger it again, until the limit of {HOP_LIMIT} hops ends that",
                trigger.where or found.step.where,
                "give the trigger a `condition` that its own writes do not meet",
            )


@dataclass(frozen=True, slots=True)
class VirtualTopics:
    """Topics that something outside the project is drawn to take, or to send."""

    subscribed: frozenset[str] = frozenset()
    emitted: frozenset[str] = frozenset()


def topic_findings(steps: Sequence[FoundStep], virtual: VirtualTopics, *, is_complete: bool) -> list[Finding]:
    """Topics that end nowhere or come from nowhere, and emits that `emits` does not show.

    `is_complete` False: some files cannot be read, so who emits and who subscribes is not known.
    """
    findings = [*_computed_topics(steps), *_undeclared_emits(steps)]
    if is_complete:
        findings += _without_subscriber(steps, virtual)
        findings += _without_emitter(steps, virtual)
    return findings


def _computed_topics(steps: Sequence[FoundStep]) -> Iterator[Finding]:
    for found in steps:
        if found.step.emits is not None:
            continue
        for where in found.usage.computed_topics:
            yield warning(
                "computed-topic",
                f"the topic of this emit is computed, so `{found.step.name}` may publish to every topic of the app",
                where,
                "list the topics in the step's `emits`",
            )


def _undeclared_emits(steps: Sequence[FoundStep]) -> Iterator[Finding]:
    """A helper's emit is for one of the steps that use it; which, only the running program knows."""
    for found in steps:
        if found.step.emits is None:
            continue
        declared = {emit.topic for emit in found.step.emits}
        for topic, where in found.usage.topics:
            shared = where.path != found.step.path
            if topic in declared or (shared and any(_may_emit(other.step, where.path, topic) for other in steps)):
                continue
            yield warning(
                "undeclared-emit",
                f"`{found.step.name}` emits to `{topic}`, which its `emits` does not list: nothing will be sent",
                where,
                f'add "{topic}" to `emits`',
            )


def _may_emit(step: Step, path: str, topic: str) -> bool:
    return path in step.files and (step.emits is None or any(emit.topic == topic for emit in step.emits))


def _without_subscriber(steps: Sequence[FoundStep], virtual: VirtualTopics) -> Iterator[Finding]:
    subscribed = {topic for found in steps for topic in _subscribed(found.step)} | virtual.subscribed
    for found in steps:
        for topic, where in _emitted(found):
            if topic not in subscribed:
                yield warning(
                    "topic-without-subscriber",
                    f"Step ({_kind(found.step)}) {found.step.path} emits to {topic}, "
                    "but there is no subscriber defined",
                    where,
                    "subscribe a step to it; until then its messages go nowhere",
                )


def _without_emitter(steps: Sequence[FoundStep], virtual: VirtualTopics) -> Iterator[Finding]:
    if any(found.step.emits is None and found.usage.computed_topics for found in steps):
        return
    emitted = {topic for found in steps for topic, _ in _emitted(found)} | virtual.emitted
    for found in steps:
        for trigger in found.step.triggers:
            if isinstance(trigger, TopicTrigger) and trigger.topic not in emitted:
                yield warning(
                    "topic-without-emitter",
                    f"`{found.step.name}` subscribes to `{trigger.topic}`, but no step emits to it",
                    trigger.where,
                )


def _emitted(found: FoundStep) -> list[tuple[str, SourceLocation]]:
    """The topics that a step may emit to, each with one place."""
    if found.step.emits is None:
        return list(dict(reversed(found.usage.topics)).items())
    key = "enqueues" if found.places.has("enqueues") else "emits"
    return [(emit.topic, found.places.of(key, position)) for position, emit in enumerate(found.step.emits)]


def _subscribed(step: Step) -> Iterator[str]:
    return (trigger.topic for trigger in step.triggers if isinstance(trigger, TopicTrigger))


def _kind(step: Step) -> str:
    """What the step is in Motia's words: of several kinds of trigger, the first of these three."""
    kinds = {type(trigger) for trigger in step.triggers}
    return "API" if HttpTrigger in kinds else "Event" if TopicTrigger in kinds or CronTrigger not in kinds else "Cron"
