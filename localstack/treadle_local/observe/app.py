"""A running app as its logs show it: whose log groups there are, and the traces in them.

It asks AWS's own API for everything, so that an emulator and a deployed stage are one to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_infra.app.findings import TreadleError
from treadle_local.observe.lines import Reported
from treadle_local.observe.reading import Entry, Groups, Logs
from treadle_local.observe.tree import TraceTree, trace_of, traces_of, walk

_RECORDS = '{ $.treadle = "invocation" }'
_BAD_ENDS = '{ $.type = "platform.report" && $.record.status != "success" }'
_LEGAL_TRACE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,32}")
_AMBIGUOUS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class App:
    """The manifest of an app and the logs of its functions."""

    manifest: Mapping[str, Any]
    logs: Logs

    def steps(self) -> list[str]:
        return [str(entry["step"]) for entry in self.manifest["steps"]]

    def groups(self, steps: Sequence[str] = (), *, system: bool = True) -> Groups:
        """The log groups of these steps, by their names; of all where none is named, Treadle's own functions too.

        Raises: TreadleError `no-such-step`.
        """
        own = {str(entry["step"]): str(entry["logGroup"]) for entry in self.manifest["steps"]}
        added = {str(entry["name"]): str(entry["logGroup"]) for entry in self.manifest.get("systemFunctions", ())}
        for step in steps:
            if step not in own and step not in added:
                raise TreadleError(
                    "no-such-step", f"there is no step `{step}`", hint=f"the steps are: {', '.join(own)}"
                )
        if steps:
            return {step: group for step, group in {**own, **added}.items() if step in steps}
        return {**own, **added} if system else own

    def subscribers(self) -> Mapping[str, Sequence[str]]:
        """The steps that get each topic's messages."""
        found: dict[str, list[str]] = {}
        for entry in self.manifest["steps"]:
            for topic in entry["subscribes"]:
                found.setdefault(str(topic), []).append(str(entry["step"]))
        return found

    def trace_id(self, text: str) -> str:
        """The whole of a trace id of which Motia's or the W3C's form is given, or the beginning of one.

        Raises: TreadleError `no-such-trace`, `ambiguous-trace`.
        """
        if not _LEGAL_TRACE_ID.fullmatch(text):
            raise _no_such_trace(text)
        if self._trace_ids("traceId", text):
            return text
        found = self._trace_ids("traceId", f"{text}*") | self._trace_ids("traceId", f"{text.upper()}*")
        if _HEX.fullmatch(text):
            found |= self._trace_ids("w3cId", f"{text.lower()}*")
        if not found:
            raise _no_such_trace(text)
        exact = [trace_id for trace_id in found if trace_id == text.upper()]
        if len(found) > 1 and not exact:
            listed = sorted(found)
            shown = ", ".join([*listed[:_AMBIGUOUS_SHOWN], *(["..."] if len(listed) > _AMBIGUOUS_SHOWN else [])])
            raise TreadleError("ambiguous-trace", f"`{text}` begins {len(found)} trace ids", hint=f"they are: {shown}")
        return exact[0] if exact else found.pop()

    def _trace_ids(self, field: str, wanted: str) -> set[str]:
        """Motia's form of the ids of all traces whose id of either form is as wanted."""
        entries = self.logs.read(self.groups(), pattern=f'{{ $.{field} = "{wanted}" }}')
        return {str(entry.fields().get("traceId")) for entry in entries}

    def trace(self, text: str) -> TraceTree:
        """A trace by its id or the beginning of it.

        Raises: TreadleError `no-such-trace`, `ambiguous-trace`.
        """
        trace_id = self.trace_id(text)
        entries = self.logs.read(self.groups(), pattern=f'{{ $.traceId = "{trace_id}" }}')
        tree = trace_of(entries, self.subscribers())
        if tree is None or _may_have_lost(tree, entries):
            since_ms = entries[0].time_ms if entries else 0
            tree = trace_of(entries, self.subscribers(), self._bad_ends(since_ms)) or tree
        if tree is None:
            hint = f"its steps may still be running; see what they have logged: treadle logs --trace {trace_id}"
            raise TreadleError("no-such-trace", f"trace `{trace_id}` has no finished run yet", hint=hint)
        return tree

    def _bad_ends(self, since_ms: int) -> list[tuple[Entry, Reported]]:
        entries = self.logs.read(self.groups(), since_ms=since_ms, pattern=_BAD_ENDS)
        return [(entry, line) for entry in entries if isinstance(line := entry.line, Reported)]

    def latest_traces(self, since_ms: int, count: int) -> list[TraceTree]:
        """The last traces of which there is a record since then, by their start."""
        entries = self.logs.read(self.groups(), since_ms=since_ms, pattern=_RECORDS)
        return traces_of(entries, self.subscribers())[-count:]


def _no_such_trace(text: str) -> TreadleError:
    hint = (
        "`treadle trace` lists the latest traces; each HTTP response has the id of its trace in its X-Trace-Id header"
    )
    return TreadleError("no-such-trace", f"there is no trace `{text}`", hint=hint)


def _may_have_lost(tree: TraceTree, entries: Sequence[Entry]) -> bool:
    """Whether a run of the trace may have ended without a record."""
    recorded = {span.request_id for node in walk(tree.roots) for span in getattr(node, "attempts", ())}
    return not tree.is_complete or any(entry.fields().get("requestId") not in recorded for entry in entries)
