"""Lambda's own lines about a function's environments and invocations, as plain text or as JSON.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html (the lines of text),
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (the records of JSON) and
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html (the levels)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from treadle_local.functions.environment import Done, FailedInit
from treadle_local.functions.model import FunctionVersion
from treadle_local.json_bytes import json_bytes

# What a function's SystemLogLevel lets through.
_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2}

_EXIT_ERROR = b'{"errorType": "Runtime.ExitError"'


def initialized(version: FunctionVersion, region: str) -> list[str]:
    """What is said before the code of a new environment is loaded."""
    digest = hashlib.sha256(version.runtime.encode()).hexdigest()
    runtime_version = f"{version.runtime[:6]}:{version.runtime[6:]}.v1"
    arn = f"arn:aws:lambda:{region}::runtime:{digest}"
    if version.logging.format == "Text":
        return [f"INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {arn}"]
    record = {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": runtime_version,
        "runtimeVersionArn": arn,
        "functionName": version.name,
        "functionVersion": version.version,
    }
    return _written(version, "INFO", "platform.initStart", record)


def init_failed(version: FunctionVersion, failed: FailedInit) -> list[str]:
    """What is said of a start that failed, and will be done again with the first event.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
    """
    status = "timeout" if failed.error_type is None else "error"
    if version.logging.format == "Text":
        parts = [f"INIT_REPORT Init Duration: {failed.duration_ms:.2f} ms", "Phase: init", f"Status: {status}"]
        parts += [f"Error Type: {failed.error_type}"] if failed.error_type is not None else []
        return ["\t".join(parts)]
    record: dict[str, Any] = {
        "initializationType": "on-demand",
        "phase": "init",
        "status": status,
        "metrics": {"durationMs": round(failed.duration_ms, 3)},
    }
    if failed.error_type is not None:
        record["errorType"] = failed.error_type
    return _written(version, "WARN", "platform.initReport", record)


def started(version: FunctionVersion, request_id: str) -> list[str]:
    """What is said before an event is handed over."""
    if version.logging.format == "Text":
        return [f"START RequestId: {request_id} Version: {version.version}"]
    return _written(version, "INFO", "platform.start", {"requestId": request_id, "version": version.version})


def ended(version: FunctionVersion, request_id: str, done: Done) -> list[str]:
    """What is said when an event is done with, in order."""
    duration_ms = done.duration_ms
    billed_ms = max(1, math.ceil(duration_ms + (done.init_ms or 0.0)))
    error = _platform_error(done)
    if version.logging.format == "Text":
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed_ms} ms",
            f"Memory Size: {version.memory_mb} MB",
            f"Max Memory Used: {done.peak_memory_mb} MB",
        ]
        if done.init_ms is not None:
            report.append(f"Init Duration: {done.init_ms:.2f} ms")
        if done.status == "timeout":
            report.append("Status: timeout")
        elif error is not None:
            report += ["Status: error", f"Error Type: {error['errorType']}"]
        return [*_failure(request_id, done, error), f"END RequestId: {request_id}", "\t".join(report) + "\t"]
    metrics: dict[str, float | int] = {
        "durationMs": round(duration_ms, 3),
        "billedDurationMs": billed_ms,
        "memorySizeMB": version.memory_mb,
        "maxMemoryUsedMB": done.peak_memory_mb,
    }
    if done.init_ms is not None:
        metrics["initDurationMs"] = round(done.init_ms, 3)
    record: dict[str, Any] = {
        "requestId": request_id,
        "metrics": metrics,
        "status": "error" if done.status == "memory" else done.status,
    }
    if error is not None:
        record["errorType"] = error["errorType"]
    return _written(version, "INFO" if done.status == "success" else "WARN", "platform.report", record)


def _failure(request_id: str, done: Done, error: Mapping[str, Any] | None) -> list[str]:
    """What the function could not say itself any more."""
    if done.status == "timeout":
        return [f"{_now()} {request_id} {_message(done).partition('Error: ')[2]}"]
    return [] if error is None else [f"{error['errorMessage']}", str(error["errorType"])]


def _platform_error(done: Done) -> Mapping[str, Any] | None:
    """The error document where the process failed rather than the handler."""
    if done.status != "memory" and not (done.status == "error" and done.payload.startswith(_EXIT_ERROR)):
        return None
    document: Mapping[str, Any] = json.loads(done.payload)
    return document


def _message(done: Done) -> str:
    return str(json.loads(done.payload)["errorMessage"])


def _written(version: FunctionVersion, level: str, kind: str, record: Mapping[str, Any]) -> list[str]:
    if _LEVELS[level] < _LEVELS.get(version.logging.system_level or "INFO", 1):
        return []
    return [json_bytes({"time": _now(), "type": kind, "record": record}).decode()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
