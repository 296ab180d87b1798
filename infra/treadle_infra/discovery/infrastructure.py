"""The `infrastructure` of a step: memory, timeout and queue, checked by Motia's rules and in its words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from treadle_infra.app.findings import Finding, error, warning
from treadle_infra.app.model import QueueSettings
from treadle_infra.discovery.config_models import closest
from treadle_infra.discovery.places import ConfigPlaces
from treadle_infra.discovery.validation import dotted, shown

DEFAULT_MEMORY_MB = 256
API_TIMEOUT_LIMIT_SECONDS = 29
"""API Gateway ends a request at 30 s. Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
VISIBILITY_TIMEOUT_LIMIT_SECONDS = 43_200
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
CONCURRENCY = (2, 1_000)
"""Source: https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html"""
_PROCESSORS_BY_MEMORY_MB = (
    (128, 0.0625),
    (256, 0.125),
    (512, 0.25),
    (1024, 0.5),
    (1536, 0.75),
    (2048, 1.0),
    (3008, 1.5),
    (4096, 2.0),
    (5120, 2.5),
    (6144, 3.0),
    (7168, 3.5),
    (8192, 4.0),
    (9216, 4.5),
    (10240, 5.0),
)
_PROCESSORS_TOLERANCE = 0.1
_MEANT = {"retries": "set `infrastructure.queue.maxRetries`", "memory": "write `ram`"}


@dataclass(frozen=True, slots=True)
class Infrastructure:
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    queue: QueueSettings = field(default_factory=QueueSettings)


def read_infrastructure(
    config: Mapping[str, Any] | None, places: ConfigPlaces, findings: list[Finding], *, has_queue: bool
) -> Infrastructure:
    """The settings; whatever is wrong with them goes into `findings`, keys that nothing reads as warnings.

    `has_queue` False: the step has no queue of which this could speak, or speaks of it elsewhere.
    """
    reader = _Reader(places, findings)
    known = {"handler", "queue"} if has_queue else {"handler"}
    reader.unknown_keys(config or {}, known, ("infrastructure",))
    handler = reader.section(config or {}, "handler", {"ram", "cpu", "timeout"})
    ram, timeout = _read_handler(reader, handler)
    queue = _read_queue(reader, config or {}, timeout) if has_queue else QueueSettings()
    return Infrastructure(ram, timeout, queue)


def queue_problems(queue: QueueSettings, reject: Callable[[str, str], None]) -> None:
    """Calls `reject(key, message)` for every setting of a queue that AWS or Motia does not take."""
    visibility = queue.visibility_timeout_seconds
    if queue.max_retries < 0:
        reject("maxRetries", "maxRetries cannot be negative")
    if queue.delay_seconds < 0:
        reject("delaySeconds", "delaySeconds cannot be negative")
    if queue.delay_seconds > 900:
        reject("delaySeconds", "delaySeconds cannot exceed 900 seconds (15 minutes)")
    if visibility is not None and not 0 <= visibility <= VISIBILITY_TIMEOUT_LIMIT_SECONDS:
        reject("visibilityTimeout", f"visibilityTimeout must be 0 to {VISIBILITY_TIMEOUT_LIMIT_SECONDS} seconds")
    if queue.concurrency is not None and not CONCURRENCY[0] <= queue.concurrency <= CONCURRENCY[1]:
        reject("concurrency", f"concurrency must be {CONCURRENCY[0]} to {CONCURRENCY[1]}")


def visibility_problem(visibility_seconds: int | None, timeout_seconds: int | None) -> str | None:
    """What is wrong with handing a message out again before its handler must have ended."""
    if visibility_seconds is None or timeout_seconds is None or visibility_seconds > timeout_seconds:
        return None
    return (
        f"Visibility timeout ({visibility_seconds}s) must be greater than handler timeout ({timeout_seconds}s) "
        "to prevent premature message redelivery"
    )


def _read_handler(reader: _Reader, handler: Mapping[str, Any]) -> tuple[int | None, int | None]:
    at = ("infrastructure", "handler")
    ram = reader.whole(handler, "ram", at)
    timeout = reader.whole(handler, "timeout", at)
    cpu = reader.number(handler, "cpu", at)
    if ram is not None and ram < 128:
        reader.reject("RAM must be at least 128 MB", *at, "ram")
    if ram is not None and ram > 10_240:
        reader.reject("RAM cannot exceed 10240 MB", *at, "ram")
    if timeout is not None and timeout < 1:
        reader.reject("Timeout must be at least 1s", *at, "timeout")
    if timeout is not None and timeout > 900:
        reader.reject("Timeout cannot exceed 900s", *at, "timeout")
    if ram is not None and cpu is not None:
        expected = _processors(ram)
        if abs(cpu - expected) > _PROCESSORS_TOLERANCE:
            reader.reject(
                f"CPU ({cpu:g} vCPU) is not proportional to RAM ({ram} MB). Expected approximately {expected:.2f} vCPU",
                *at,
                "cpu",
            )
    return ram, timeout


def _processors(memory_mb: int) -> float:
    """The share of processors that goes with so much memory, between the steps of Motia's table."""
    sizes = [size for size, _ in _PROCESSORS_BY_MEMORY_MB]
    position = bisect_left(sizes, memory_mb)
    if position == 0:
        return _PROCESSORS_BY_MEMORY_MB[0][1]
    if position == len(sizes):
        return _PROCESSORS_BY_MEMORY_MB[-1][1]
    (low, least), (high, most) = _PROCESSORS_BY_MEMORY_MB[position - 1], _PROCESSORS_BY_MEMORY_MB[position]
    return least + (most - least) * (memory_mb - low) / (high - low)


def _read_queue(reader: _Reader, config: Mapping[str, Any], timeout_seconds: int | None) -> QueueSettings:
    at = ("infrastructure", "queue")
    keys = {"type", "visibilityTimeout", "maxRetries", "delaySeconds", "concurrency"}
    queue = reader.section(config, "queue", keys)
    kind = queue.get("type") or "standard"
    if kind not in ("standard", "fifo"):
        reader.reject(f"`{dotted((*at, 'type'))}` must be `standard` or `fifo`; got {shown(kind)}", *at, "type")
    retries, delay = reader.whole(queue, "maxRetries", at), reader.whole(queue, "delaySeconds", at)
    settings = QueueSettings(
        max_retries=3 if retries is None else retries,
        visibility_timeout_seconds=reader.whole(queue, "visibilityTimeout", at),
        delay_seconds=delay or 0,
        concurrency=reader.whole(queue, "concurrency", at),
        is_fifo=kind == "fifo",
    )
    queue_problems(settings, lambda key, message: reader.reject(message, *at, key))
    premature = visibility_problem(settings.visibility_timeout_seconds, timeout_seconds)
    if premature is not None:
        reader.reject(premature, *at, "visibilityTimeout")
    return settings


class _Reader:
    def __init__(self, places: ConfigPlaces, findings: list[Finding]) -> None:
        self.places = places
        self.findings = findings

    def reject(self, message: str, *keys: str | int) -> None:
        self.findings.append(error("infrastructure-invalid", message, self.places.of(*keys)))

    def section(self, config: Mapping[str, Any], name: str, known: set[str]) -> Mapping[str, Any]:
        value: object = config.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.reject(f"`infrastructure.{name}` must be a dict; got {shown(value)}", "infrastructure", name)
            return {}
        section = cast("dict[str, Any]", value)
        self.unknown_keys(section, known, ("infrastructure", name))
        return section

    def unknown_keys(self, section: Mapping[str, Any], known: set[str], at: tuple[str, ...]) -> None:
        for key in section:
            if key not in known:
                hint = _MEANT.get(key) or closest(key, sorted(known)) or f"the keys are: {', '.join(sorted(known))}"
                message = f"`{dotted((*at, key))}` is not a setting here; nothing reads it"
                self.findings.append(warning("infrastructure-key-unknown", message, self.places.of(*at, key), hint))

    def whole(self, section: Mapping[str, Any], key: str, at: tuple[str, ...]) -> int | None:
        value: object = section.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.reject(f"`{dotted((*at, key))}` must be a whole number; got {shown(value)}", *at, key)
        return None

    def number(self, section: Mapping[str, Any], key: str, at: tuple[str, ...]) -> float | None:
        value: object = section.get(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self.reject(f"`{dotted((*at, key))}` must be a number; got {shown(value)}", *at, key)
        return None
