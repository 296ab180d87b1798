"""The context that every handler gets: emit, logger, state, streams, the trace, and Powertools' metrics and tracer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.calls import Calls
    from treadle.emit import Emit
    from treadle.logger import Logger
    from treadle.message import Origin
    from treadle.metrics import Metrics
    from treadle.process import StepProcess
    from treadle.record import InvocationRecord
    from treadle.shapes import LambdaContext
    from treadle.state import State
    from treadle.streams import Streams
    from treadle.tracer import Tracer


class Context:
    """What a handler may use. Programs may hang attributes of their own on it.

    What reaches AWS is imported when it is first asked for: a step that only answers requests does not pay for it.
    """

    def __init__(
        self,
        process: StepProcess,
        lambda_context: LambdaContext,
        calls: Calls,
        logger: Logger,
        record: InvocationRecord,
        origin: Origin,
    ) -> None:
        self.logger = logger
        self.trace_id = self.traceId = origin.trace_id
        self.flows = list(origin.flows or process.manifest.flows)
        self._process = process
        self._lambda_context = lambda_context
        self._calls = calls
        self._record = record
        self._origin = origin
        self._emit: Emit | None = None
        self._state: State | None = None
        self._streams: Streams | None = None
        self._metrics: Metrics | None = None

    def __getitem__(self, name: str) -> object:
        """`context["state"]` is `context.state`: programs take it for a dict. Raises: KeyError."""
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    @property
    def traceparent(self) -> str:
        """The header that carries the trace on: `httpx.get(url, headers={"traceparent": context.traceparent})`"""
        return self._origin.trace.traceparent

    @property
    def metrics(self) -> Metrics:
        """`context.metrics.add_metric("OrdersPlaced", "Count", 1)`: Powertools' Metrics, written when the run ends.

        Raises: PowertoolsMissing.
        """
        if self._metrics is None:
            from treadle.metrics import process_metrics

            self._metrics = process_metrics(self._process.manifest.step)
        return self._metrics

    @property
    def tracer(self) -> Tracer:
        """`context.tracer.put_annotation("order", "o1")`: Powertools' Tracer. Raises: PowertoolsMissing."""
        from treadle.tracer import process_tracer

        return process_tracer(self._process.manifest.step)

    def finish(self) -> None:
        """Writes the metrics that the run has gathered."""
        if self._metrics is not None:
            from treadle.metrics import write_metrics

            write_metrics(self.logger)

    @property
    def emit(self) -> Emit:
        """`await context.emit({"topic": "order.created", "data": {...}})`"""
        if self._emit is None:
            from treadle.emit import Emit

            self._emit = Emit(
                self._process.manifest,
                self._process.resources(self._lambda_context),
                self._calls,
                self.logger,
                self._record,
                self._origin,
            )
        return self._emit

    @property
    def state(self) -> State:
        """`await context.state.set("orders", "o1", {...})`"""
        if self._state is None:
            from treadle.state import State

            resources = self._process.resources(self._lambda_context)
            manifest = self._process.manifest
            written_by = self._origin.text() if manifest.notes_state_trace else ""
            self._state = State(
                resources, self._calls, self._record.state, written_by, wraps_values=manifest.wraps_state_values
            )
        return self._state

    @property
    def streams(self) -> Streams:
        """`await context.streams.messages.set("m1", {...})`"""
        if self._streams is None:
            from treadle.streams import Streams

            resources = self._process.resources(self._lambda_context)
            self._streams = Streams(
                self._process.manifest,
                resources,
                self._calls,
                self._record.streams,
                self._origin.text(),
                self.logger,
            )
        return self._streams
