"""One run of a step's handler, whatever triggered it: its context, its calls, its record."""

from __future__ import annotations

from treadle.calls import Calls
from treadle.context import Context
from treadle.invoke import call_handler, positional_parameters, takes_context_alone
from treadle.logger import Logger
from treadle.record import InvocationRecord
from treadle.time_limit import TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.manifest import Trigger
    from treadle.message import Origin
    from treadle.process import StepProcess
    from treadle.shapes import LambdaContext, UserHandler


class Invocation:
    """One run; several share a Lambda invocation where a batch of messages comes in.

    `record.write` is left to the trigger, which knows what becomes of the run.
    """

    __slots__ = ("_calls", "_limit", "_process", "context", "logger", "origin", "record", "skipped")

    def __init__(
        self,
        process: StepProcess,
        lambda_context: LambdaContext,
        trigger: dict[str, object],
        origin: Origin,
        limit_seconds: float | None = None,
    ) -> None:
        manifest = process.manifest
        request_id = lambda_context.aws_request_id
        self._process = process
        self._limit = TimeLimit(limit_seconds)
        self._calls = Calls()
        self.skipped = False
        self.origin = origin
        self.record = InvocationRecord(
            request_id=request_id,
            trace=origin.trace,
            step=manifest.step,
            version=process.version,
            trigger=trigger,
            hops=origin.hops,
        )
        self.logger = Logger(
            trace_id=origin.trace_id, step=manifest.step, flows=origin.flows or manifest.flows, request_id=request_id
        )
        make = Context
        if manifest.is_flow:
            from treadle.flow import FlowContext

            make = FlowContext
        self.context = make(process, lambda_context, self._calls, self.logger, self.record, origin)

    def run(
        self,
        first_argument: object,
        *,
        scheduled: bool = False,
        route_key: str | None = None,
        cause: str | Trigger | None = None,
    ) -> object:
        """The handler's result, once all that it started is done.

        A handler gets `first_argument` and the context; one that takes a single argument gets only the first of them,
        or where it is run as `scheduled` only the context, as in Motia. The middleware of `route_key` is run around it.
        `cause`: the topic, or the trigger itself, where it was no route. Its condition may leave the handler out: the
        result is then None, and the run `skipped`.
        Raises: what the handler raises, or else the first error of a call that it did not await. The record notes it.
        """
        try:
            try:
                self._process.context = self.context
                handler = self._process.handler(route_key)
                if self._process.manifest.is_flow:
                    result = self._run_flow(handler, first_argument, cause or route_key)
                else:
                    alone = scheduled and positional_parameters(handler, 2, untold=1) < 2
                    arguments = (self.context,) if alone else (first_argument, self.context)
                    with self._limit:
                        result = call_handler(handler, arguments, self.logger)
            except BaseException:
                self._settle()
                raise
            error = self._settle()
            if error is not None:
                raise error
        except BaseException as error:
            self.record.fail(error, self._process.project_root)
            raise
        finally:
            self._process.context = None
            self.context.finish()
        return result

    def _run_flow(self, handler: UserHandler, argument: object, cause: str | Trigger | None) -> object:
        from treadle import flow

        context = self.context
        assert isinstance(context, flow.FlowContext)  # noqa: S101 - as `__init__` has made it
        trigger = flow.trigger_of(self._process.manifest, cause)
        value = flow.begin(context, self._process, trigger, argument)
        with self._limit:
            if not flow.holds(self._process, trigger, context, self.logger):
                self.skipped = True
                return None
            alone = value is None and takes_context_alone(handler)
            arguments = (context,) if alone else (value, context)
            return flow.answered(call_handler(handler, arguments, self.logger), value)

    def _settle(self) -> BaseException | None:
        """Runs the calls that were not awaited, and returns the first error among them; the others are logged."""
        first: BaseException | None = None
        for call in self._calls.settle():
            if not call.writes:
                self.logger.warn(f"{call.name} was not awaited and did nothing")
            elif call.name == "emit":
                self.logger.warn("emit was not awaited; it ran when the handler returned")
            if call.error is not None:
                self.logger.failure(f"{call.name}, which was not awaited, failed", call.error)
                first = first or call.error
        return first
