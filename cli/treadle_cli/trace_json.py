"""A trace as programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from treadle_cli.moments import iso_time
from treadle_local.observe.spans import Span
from treadle_local.observe.tree import Missing, Node, Run, TraceTree


def trace_json(tree: TraceTree) -> Mapping[str, Any]:
    """All that is known of a trace. Times in milliseconds, offsets from its start."""
    return {**summary_json(tree), "complete": tree.is_complete, "roots": [_node(root, tree) for root in tree.roots]}


def summary_json(tree: TraceTree) -> Mapping[str, Any]:
    """What a list of traces says of one."""
    return {
        "traceId": tree.trace_id,
        "w3cId": tree.w3c_id,
        "start": iso_time(tree.start_ms),
        "startMs": tree.start_ms,
        "durationMs": round(tree.duration_ms, 2),
        "result": tree.result,
        "status": tree.status,
        "runs": tree.runs,
        "steps": list(tree.steps),
    }


def _node(node: Node, tree: TraceTree) -> Mapping[str, Any]:
    match node:
        case Run():
            return {
                "kind": "run",
                "step": node.step,
                "trigger": dict(node.first.trigger),
                "result": node.result,
                "offsetMs": round(node.first.start_ms - tree.start_ms, 2),
                "waitedMs": None if node.waited_ms is None else round(node.waited_ms, 2),
                "attempts": [_attempt(span, tree) for span in node.attempts],
                "children": [_node(child, tree) for child in node.children],
            }
        case Missing():
            return {
                "kind": "missing",
                "step": node.step,
                "topic": node.topic,
                "offsetMs": round(node.sent_ms - tree.start_ms, 2),
                "kills": [
                    {"offsetMs": round(ended - tree.start_ms, 2), "status": status} for ended, status in node.kills
                ],
            }
        case _:
            assert_never(node)


def _attempt(span: Span, tree: TraceTree) -> Mapping[str, Any]:
    error = None if span.failure is None else {"type": span.failure.type, "message": span.failure.message}
    return {
        "spanId": span.span_id,
        "parentId": span.parent_id,
        "requestId": span.request_id,
        "offsetMs": round(span.start_ms - tree.start_ms, 2),
        "durationMs": span.duration_ms,
        "result": span.result,
        "status": span.status,
        "emits": [{"topic": emit.topic, "emitId": emit.emit_id, "atMs": emit.at_ms} for emit in span.emits],
        "state": dict(span.state),
        "streams": {stream: dict(counts) for stream, counts in span.streams.items()},
        "delivered": span.delivered,
        "error": error,
    }
