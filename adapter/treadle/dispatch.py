"""Picks the trigger that an event belongs to, by what the manifest says; an event that fits none is an error."""

from __future__ import annotations

from treadle.errors import UnroutableEvent
from treadle.json_values import object_or_none
from treadle.process import current_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.process import StepProcess
    from treadle.shapes import Event, LambdaContext, LambdaHandler

PAYLOAD_VERSION = "2.0"


def start() -> LambdaHandler:
    """The handler that Lambda calls for each event of this process's step; all that it needs is loaded.

    Raises: ManifestError.
    """
    process = current_process()
    if process.manifest.application is not None:
        import treadle.triggers.asgi  # pyright: ignore[reportUnusedImport]
    elif process.manifest.route_keys:
        import treadle.triggers.api  # pyright: ignore[reportUnusedImport]
    if process.manifest.is_flow:
        import treadle.flow  # pyright: ignore[reportUnusedImport]
    if process.manifest.middleware:
        import treadle.middleware  # pyright: ignore[reportUnusedImport]
    if process.manifest.is_queued:
        import treadle.triggers.event  # pyright: ignore[reportUnusedImport]
    if process.manifest.cron_triggers:
        import treadle.triggers.cron  # noqa: F401 # pyright: ignore[reportUnusedImport]

    def handler(event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
        return dispatch(process, event, lambda_context)

    telemetry = process.manifest.telemetry
    if telemetry is None:
        return handler
    from treadle.otlp import exporting

    return exporting(handler, telemetry)


def dispatch(process: StepProcess, event: Event, lambda_context: LambdaContext) -> dict[str, Any]:
    """What Lambda gives back for `event`.

    Raises: UnroutableEvent; for a direct invocation whatever the handler raises.
    """
    manifest = process.manifest
    process.begin(lambda_context)
    route_key = event.get("routeKey")
    if route_key in manifest.route_keys:
        if event.get("version") != PAYLOAD_VERSION:
            raise UnroutableEvent(f"the integration of {route_key} must use payload format {PAYLOAD_VERSION}")
        if manifest.application is not None:
            from treadle.triggers.asgi import serve_application

            return serve_application(process, event, lambda_context)
        from treadle.triggers.api import serve_request

        return serve_request(process, event, lambda_context)
    if manifest.is_queued and _is_from_queue(process, event, lambda_context):
        from treadle.triggers.event import serve_batch

        return serve_batch(process, event, lambda_context)
    if manifest.cron_triggers and ("treadle.cron" in event or _is_firing(process, event, lambda_context)):
        from treadle.triggers.cron import serve_firing

        return serve_firing(process, event, lambda_context)
    if "treadle.invoke" in event and manifest.application is not None:
        raise UnroutableEvent(f"step {manifest.step} is an application: send it a request")
    if "treadle.invoke" in event:
        from treadle.triggers.direct import serve_direct

        return serve_direct(process, event, lambda_context)
    raise UnroutableEvent(_explanation(process, event))


def _sources(event: Event) -> list[object]:
    """The `eventSourceARN` of each record; empty where the event has no records."""
    records: list[object] = event.get("Records") or []
    return [(object_or_none(record) or {}).get("eventSourceARN") for record in records]


def _is_from_queue(process: StepProcess, event: Event, lambda_context: LambdaContext) -> bool:
    """True where all records come from the step's own queue."""
    sources = _sources(event)
    if not sources:
        return False
    queue = process.queue_arn(lambda_context)
    return all(source == queue for source in sources)


def _is_firing(process: StepProcess, event: Event, lambda_context: LambdaContext) -> bool:
    """True for the plain event of one of the step's own rules.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    """
    if event.get("source") != "aws.events" or event.get("detail-type") != "Scheduled Event":
        return False
    rules: list[object] = event.get("resources") or []
    return bool(rules) and str(rules[0]).rpartition("/")[2] in process.schedules(lambda_context)


def _explanation(process: StepProcess, event: Event) -> str:
    manifest = process.manifest
    triggers = "; ".join(map(str, manifest.triggers)) or "none"
    sources = {str(source) for source in _sources(event)}
    if sources:
        described = f"records of {', '.join(sorted(sources))}"
    elif "routeKey" in event:
        described = f"routeKey {event['routeKey']}"
    elif "resources" in event:
        described = f"resources {', '.join(map(str, event['resources']))}"
    else:
        described = f"keys {', '.join(sorted(map(str, event))) or 'none'}"
    return f"an event with {described} fits no trigger of step {manifest.step} (triggers: {triggers})"
