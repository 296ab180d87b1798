"""Source -> Usage: what a step and all that it imports do with the context, told without running them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import TableOperation, Usage
from treadle_infra.discovery.file_usage import ContextArgument, FileUsage, usage_of_file
from treadle_infra.discovery.source import Sources

_ROUNDS = 8
"""How many calls deep a context is followed under parameter names that do not say what they are."""


@dataclass(frozen=True, slots=True)
class UsagePlaces:
    """A step's usage with the places of it: of each stream's first use, each topic's emits and each computed topic."""

    usage: Usage
    streams: Mapping[str, SourceLocation] = field(default_factory=dict[str, SourceLocation])
    topics: tuple[tuple[str, SourceLocation], ...] = ()
    computed_topics: tuple[SourceLocation, ...] = ()


def usage_of(
    sources: Sources, step_path: str, files: Iterable[str], contexts: frozenset[ContextArgument] = frozenset()
) -> UsagePlaces:
    """The usage in all `files`, the import closure of the step in `step_path`; `contexts`: who else is handed one."""
    found = _follow_context(sources, step_path, tuple(files), contexts)
    constants = _constants(found.values())
    state: set[TableOperation] = set()
    streams: defaultdict[str, set[TableOperation]] = defaultdict(set)
    any_stream: set[TableOperation] = set()
    stream_places: dict[str, SourceLocation] = {}
    topics: list[tuple[str, SourceLocation]] = []
    computed: list[SourceLocation] = []
    for path, file in found.items():
        state |= file.state
        any_stream |= file.any_stream
        for use in file.streams:
            streams[use.name] |= use.operations
            stream_places.setdefault(use.name, SourceLocation(path, use.line))
        for emit in file.emits:
            where = SourceLocation(path, emit.line)
            named = None if emit.topic is None else _topic(emit.topic, emit.is_literal, constants)
            computed += [where] if named is None else []
            topics += [] if named is None else [(named, where)]
    usage = Usage(
        state=frozenset(state),
        streams={name: frozenset(operations) for name, operations in sorted(streams.items())},
        any_stream=frozenset(any_stream),
        topics=frozenset(topic for topic, _ in topics),
        emits_computed_topic=computed[0] if computed else None,
    )
    return UsagePlaces(usage, stream_places, tuple(dict.fromkeys(topics)), tuple(dict.fromkeys(computed)))


def _follow_context(
    sources: Sources, step_path: str, files: tuple[str, ...], contexts: frozenset[ContextArgument]
) -> dict[str, FileUsage]:
    """The usage of each file, its functions' parameters known as contexts where another function hands one to them."""
    arguments = contexts
    found: dict[str, FileUsage] = {}
    for _ in range(_ROUNDS):
        found = {path: _usage_of_file(sources, path, path == step_path, arguments, found.get(path)) for path in files}
        handed_on = contexts.union(*(usage.handed_on for usage in found.values()))
        if handed_on == arguments:
            break
        arguments = handed_on
    return found


def _usage_of_file(
    sources: Sources, path: str, is_step: bool, arguments: frozenset[ContextArgument], before: FileUsage | None
) -> FileUsage:
    known = before or usage_of_file(sources.content(path), is_step)
    own = frozenset(argument for argument in arguments if argument.callee in known.defined)
    return usage_of_file(sources.content(path), is_step, own) if own else known


def _constants(usages: Iterable[FileUsage]) -> Mapping[str, set[str]]:
    """The texts that each constant's name stands for, over all files; `Topics.SENT` stands in a class."""
    constants: defaultdict[str, set[str]] = defaultdict(set)
    for usage in usages:
        for name, text in usage.constants:
            constants[name].add(text)
    return constants


def _topic(topic: str, is_literal: bool, constants: Mapping[str, set[str]]) -> str | None:
    """The topic itself, or the one text that a constant from another file has; None where that cannot be told."""
    if is_literal:
        return topic
    parts = topic.removesuffix(".value").split(".")
    for length in (2, 1):
        texts = constants.get(".".join(parts[-length:]), set[str]())
        if len(texts) == 1:
            return next(iter(texts))
    return None
