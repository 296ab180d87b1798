"""The export of spans: what a collector gets, and that no invocation fails or waits because of it."""

from __future__ import annotations

import base64
import importlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from treadle.manifest import Telemetry
from treadle.otlp import Exporter
from treadle.otlp_spans import export_request, span_of_record
from treadle.trace import new_trace

from .collector import Answer, Collector, plain
from .fake_aws import FakeAws
from .step_folder import API, CRON, EVENT, SCHEDULE, StepFolder, batch, firing, message, request

W3C_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{W3C_ID}-{SPAN_ID}-01"
MAKE = (
    "async def handler(data, context):\n    await context.emit({'topic': 'thing.made'})\n    return {'status': 201}\n"
)
FAIL = "def handler(data):\n    raise LookupError('gone')\n"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


@pytest.fixture
def step(folder: StepFolder, collector: Collector) -> StepFolder:
    return exporting(folder, collector)


def exporting(folder: StepFolder, collector: Collector, **changes: Any) -> StepFolder:
    telemetry = {"otlpEndpoint": collector.endpoint, "serviceName": "shop"}
    return folder.manifest(telemetry=telemetry, triggers=[API, EVENT, CRON], **changes)


def test_a_request_becomes_a_server_span(step: StepFolder, collector: Collector, aws: FakeAws) -> None:
    run = step.step(MAKE).run(request(headers={"traceparent": TRACEPARENT}), environment=aws.environment)
    assert run.answer.result["statusCode"] == 201
    (export,), (written,) = collector.exports, run.records
    assert export.path == "/v1/traces"
    assert export.headers["content-type"] == "application/json"
    assert export.resource == {
        "service.name": "shop",
        "service.namespace": "shop",
        "deployment.environment.name": "dev",
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": "us-east-2",
        "cloud.account.id": "123456789012",
        "cloud.resource_id": "arn:aws:lambda:us-east-2:123456789012:function:shop--dev--Step",
        "faas.name": "shop--dev--Step",
        "faas.version": "7",
        "telemetry.sdk.name": "treadle",
        "telemetry.sdk.language": "python",
    }
    (span,) = export.spans
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == (W3C_ID, written["spanId"], SPAN_ID)
    assert (span["name"], span["kind"], "status" in span) == ("POST /things", 2, False)
    assert plain(span["attributes"]) == {
        "faas.trigger": "http",
        "http.request.method": "POST",
        "http.route": "/things",
        "http.response.status_code": 201,
        "faas.invocation_id": written["requestId"],
        "treadle.step": "Step",
        "treadle.trace_id": written["traceId"],
        "treadle.result": "ok",
        "treadle.hops": 0,
    }
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    assert abs(start / 1e6 - written["startMs"]) < 0.001
    assert abs((end - start) / 1e6 - written["durationMs"]) < 0.001
    (emit,) = span["events"]
    assert emit["name"] == "emit"
    assert start <= int(emit["timeUnixNano"]) <= end
    assert plain(emit["attributes"])["messaging.destination.name"] == "thing.made"


def test_the_messages_of_a_batch_are_consumer_spans_in_one_request(
    step: StepFolder, collector: Collector, aws: FakeAws
) -> None:
    metadata = {"traceId": "t-1", "traceparent": TRACEPARENT, "emitId": "e1", "topic": "thing.made", "hops": 1}
    records = [message("1", message_id=f"m{number}", attempt=number, metadata=metadata) for number in (1, 2, 4)]
    step.step(FAIL).run(batch(*records), entry="event", environment=aws.environment)
    (export,) = collector.exports
    assert [plain(span["attributes"])["treadle.result"] for span in export.spans] == ["retry", "retry", "dead-letter"]
    span = export.spans[0]
    assert (span["name"], span["kind"], span["parentSpanId"]) == ("process thing.made", 5, SPAN_ID)
    assert span["status"] == {"code": 2, "message": "gone"}
    attributes = plain(span["attributes"])
    assert attributes["error.type"] == "LookupError"
    assert (attributes["faas.trigger"], attributes["messaging.system"]) == ("pubsub", "aws_sqs")
    assert (attributes["messaging.message.id"], attributes["messaging.destination.name"]) == ("m1", "thing.made")
    assert (attributes["treadle.trigger.attempt"], attributes["treadle.trigger.emitId"]) == (1, "e1")


def test_a_firing_and_an_invocation_by_hand_become_spans_too(step: StepFolder, collector: Collector) -> None:
    step.step("def handler(one, two):\n    return {'status': 503}\n")
    step.run(firing(), {"treadle.invoke": {"data": 1}}, request(), entry="cron")
    fired, invoked, served = collector.spans
    assert plain(fired["attributes"])["faas.time"] == "2026-07-14T09:00:00Z"
    assert plain(fired["attributes"])["treadle.trigger.schedule"] == SCHEDULE
    assert [plain(span["attributes"])["faas.trigger"] for span in collector.spans] == ["timer", "other", "http"]
    assert [span["name"] for span in (fired, invoked)] == ["Step", "Step"]
    assert "parentSpanId" not in fired
    assert plain(served["attributes"])["http.response.status_code"] == 503


def test_an_invocation_that_fails_is_told_and_fails_as_it_would(step: StepFolder, collector: Collector) -> None:
    run = step.step("def handler(context):\n    raise LookupError('gone')\n").run(firing(), entry="cron")
    assert (run.answer.error, run.answer.message) == ("LookupError", "gone")
    assert collector.spans[0]["status"]["code"] == 2


def test_one_connection_serves_many_invocations(step: StepFolder, collector: Collector) -> None:
    run = step.run(request(), request(), request())
    assert [export.connection for export in collector.exports] == [0, 0, 0]
    assert run.lines("warn") == []


def test_a_connection_that_was_closed_meanwhile_is_made_again(step: StepFolder, collector: Collector) -> None:
    collector.answers = [Answer(drop=True)]
    run = step.run(request(), request())
    assert [export.connection for export in collector.exports] == [0, 1]
    assert (len(collector.spans), run.lines("warn")) == (2, [])


def test_the_environment_names_the_endpoint_and_the_headers(folder: StepFolder, collector: Collector) -> None:
    folder.manifest(telemetry={"otlpEndpoint": "http://127.0.0.1:9", "serviceName": "shop"})
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.endpoint}/otlp/",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s%20e=cret, X-Tenant = a,",
    }
    folder.run(request(), environment=environment)
    (export,) = collector.exports
    assert export.path == "/otlp/v1/traces"
    assert (export.headers["api-key"], export.headers["x-tenant"]) == ("s e=cret", "a")


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://host"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "no-value"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0ahost: evil"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "a b=c"},
    ],
)
def test_settings_that_cannot_be_used_are_told_and_fail_nothing(
    step: StepFolder, collector: Collector, environment: dict[str, str]
) -> None:
    run = step.run(request(), environment=environment)
    assert run.answer.result["statusCode"] == 200
    (warning,) = run.lines("warn")
    assert warning["msg"].startswith("spans are not exported: ")
    assert "evil" not in warning["msg"]
    assert collector.exports == []


def test_a_collector_that_is_away_is_told_of_once(step: StepFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free}"}
    run = step.run(*[request()] * 5, environment=environment)
    assert [answer.result["statusCode"] for answer in run.answers] == [200] * 5
    (warning,) = run.lines("warn")
    assert f"could not be sent to http://127.0.0.1:{free}/v1/traces: ConnectionRefusedError" in warning["msg"]


def test_a_collector_that_does_not_answer_costs_a_second_once(step: StepFolder, collector: Collector) -> None:
    collector.answers = [Answer(silent=True)] * 10
    started = time.monotonic()
    run = step.run(*[request()] * 20)
    assert time.monotonic() - started < 5
    assert len(collector.exports) == 1
    assert [answer.result["statusCode"] for answer in run.answers] == [200] * 20
    assert "no answer within 1 s" in run.lines("warn")[0]["msg"]


def test_no_invocation_runs_out_of_time_for_its_spans(step: StepFolder, collector: Collector) -> None:
    collector.answers = [Answer(silent=True)]
    started = time.monotonic()
    run = step.run(request(), remaining_ms=(120,))
    assert (run.answer.result["statusCode"], collector.exports) == (200, [])
    run = step.run(request(), remaining_ms=(400,))
    assert len(collector.exports) == 1
    assert "no answer within 0.3 s" in run.lines("warn")[0]["msg"]
    assert time.monotonic() - started < 5


class Process:
    """An exporter whose clock stands still, and the runs of an environment that it serves."""

    aws_request_id = "r"
    invoked_function_arn = "arn:aws:lambda:us-east-2:123456789012:function:shop--dev--Step:live"

    def __init__(self, collector: Collector) -> None:
        self.now = 1000.0
        self.exporter = Exporter(Telemetry(collector.endpoint, "shop"), lambda: self.now)

    def get_remaining_time_in_millis(self) -> int:
        return 10_000

    def run(self) -> str:
        """The span of one more run."""
        trace = new_trace()
        self.exporter.read(record(spanId=trace.span_id), trace)
        self.exporter.flush(self)
        return trace.span_id


@pytest.fixture
def process(collector: Collector) -> Iterator[Process]:
    process = Process(collector)
    yield process
    process.exporter.close()


def test_spans_that_could_not_be_sent_go_with_a_later_invocation(
    collector: Collector, process: Process, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.answers = [Answer(503, b"busy"), Answer(502), Answer(504)]
    ran = [process.run()]
    for pause in (2, 4, 8):
        process.now += pause - 0.1
        ran.append(process.run())
        process.now += 0.1
        ran.append(process.run())
    assert [[span["spanId"] for span in export.spans] for export in collector.exports] == [
        ran[:1],
        ran[:3],
        ran[:5],
        ran[:7],
    ]
    (warning,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert "HTTP 503 busy" in warning["msg"]


def test_the_newest_spans_wait_and_the_pauses_end(collector: Collector, process: Process) -> None:
    collector.answers = [Answer(503)] * 20
    for _ in range(20):
        process.run()
        process.now += 300
    ran = [process.run() for _ in range(513)]
    assert len(collector.exports) == 533
    collector.answers = [Answer(503)]
    process.run()
    waiting = [process.run() for _ in range(600)]
    process.now += 2
    last = process.run()
    assert len(ran) == 513
    assert [span["spanId"] for span in collector.exports[-1].spans] == [*waiting[-511:], last]


def test_what_a_collector_refuses_for_good_is_not_sent_again(collector: Collector, process: Process) -> None:
    collector.answers = [Answer(400, b"bad spans")]
    process.run()
    process.now += 2
    second = process.run()
    assert [span["spanId"] for span in collector.exports[1].spans] == [second]


def test_the_collectors_word_on_when_to_come_back_is_kept(collector: Collector, process: Process) -> None:
    collector.answers = [Answer(429, b"", retry_after="60")]
    process.run()
    for pause in (59.9, 0.1):
        assert len(collector.exports) == 1
        process.now += pause
        process.run()
    assert len(collector.exports) == 2


def test_spans_that_a_collector_rejects_are_told_of(step: StepFolder, collector: Collector) -> None:
    collector.answers = [Answer(body=b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too long"}}')]
    run = step.run(request(), request())
    assert "too long" in run.lines("warn")[0]["msg"]
    assert len(collector.exports) == 2


def test_what_its_caller_does_not_sample_is_not_exported(step: StepFolder, collector: Collector) -> None:
    run = step.run(request(headers={"traceparent": TRACEPARENT[:-1] + "0"}), request())
    assert [span["spanId"] for span in collector.spans] == [run.records[1]["spanId"]]


def test_an_app_without_telemetry_loads_nothing_of_it(folder: StepFolder) -> None:
    run = folder.run(request(), environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert not {"treadle.otlp", "treadle.otlp_spans", "threading", "socket"} & run.modules


def test_what_is_exported_is_what_the_official_definitions_read(
    step: StepFolder, collector: Collector, aws: FakeAws
) -> None:
    service: Any = importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    json_format: Any = importlib.import_module("google.protobuf.json_format")
    failing = message(metadata={"traceId": "t-1", "traceparent": TRACEPARENT, "emitId": "e1", "topic": "t\u00e9"})
    step.step("def handler(data, context):\n    raise LookupError('n\u00f6 \\ud800')\n")
    step.run(batch(failing), request(), firing(), environment=aws.environment)
    bodies = [export.body for export in collector.exports] + [export_request(own_functions(), {"service.name": "shop"})]
    assert len(bodies) == 4
    for body in bodies:
        spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        ids = [(span["traceId"], span["spanId"], span.get("parentSpanId", "")) for span in spans]
        read = json_format.Parse(with_base64_ids(body), service.ExportTraceServiceRequest())
        (resource_spans,) = read.resource_spans
        (scope_spans,) = resource_spans.scope_spans
        found = [(s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex()) for s in scope_spans.spans]
        assert found == ids
        assert {(len(trace_id), len(span_id)) for trace_id, span_id, _ in found} == {(32, 16)}
        assert resource_spans.resource.attributes[0].value.string_value == "shop"
        assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in scope_spans.spans)
        assert all(span.name and span.kind in (2, 5) for span in scope_spans.spans)


def own_functions() -> list[dict[str, Any]]:
    """Spans of Treadle's own functions, whose records come from elsewhere."""
    stream = {"kind": "stream", "stream": "messages", "group": "room", "id": "1", "event": "update"}
    websocket = {"kind": "websocket", "routeKey": "join", "connectionId": "abc="}
    return [span_of_record(record(trigger=trigger)) for trigger in (stream, websocket)]


def record(**changes: Any) -> dict[str, Any]:
    return {
        "requestId": "r",
        "traceId": "t-1",
        "w3cId": W3C_ID,
        "spanId": SPAN_ID,
        "parentId": None,
        "step": "_treadle-broadcast",
        "trigger": {"kind": "invoke"},
        "hops": 0,
        "result": "ok",
        "startMs": 1784000000123.456,
        "durationMs": 1.25,
        "emits": [],
        **changes,
    }


def with_base64_ids(body: Any) -> str:
    """OTLP's JSON as protobuf's own mapping has it: there bytes are base64, in OTLP ids are hex digits.

    Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """

    def mapped(value: Any, key: str = "") -> Any:
        if key in ("traceId", "spanId", "parentSpanId"):
            return base64.b64encode(bytes.fromhex(value)).decode()
        if isinstance(value, dict):
            return {name: mapped(item, name) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if isinstance(value, list):
            return [mapped(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return value

    return json.dumps(mapped(body))
