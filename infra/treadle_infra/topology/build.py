"""App -> Topology: decides which cloud resources an app becomes and how they are wired. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treadle.names import LIVE_ALIAS, Names
from treadle_infra.app.findings import SourceLocation, TreadleError
from treadle_infra.app.model import App, CronTrigger, HttpTrigger, QueueSettings, Step, TableTrigger, TopicTrigger
from treadle_infra.app.paths import gateway_path
from treadle_infra.topology.batches import Timing, timing
from treadle_infra.topology.changes import change_resources
from treadle_infra.topology.cron import schedule_resources, scheduled, scheduler_role
from treadle_infra.topology.grants import grants_for
from treadle_infra.topology.layers import layer_resources, layers_of
from treadle_infra.topology.live import live_resources
from treadle_infra.topology.model import (
    SHARED,
    Alias,
    DeadLetterQueue,
    EventSourceMapping,
    Function,
    GatewayRole,
    HttpApi,
    HttpStage,
    Integration,
    LogGroup,
    Origin,
    Queue,
    QueuePolicy,
    Resource,
    Role,
    Route,
    Rule,
    Schedule,
    StateTable,
    Subscription,
    Topic,
    Topology,
)
from treadle_infra.topology.placement import Placement, api_numbers
from treadle_infra.topology.references import (
    AliasRef,
    DeadLetterQueueRef,
    EventSourceMappingRef,
    FunctionRef,
    GatewayRoleRef,
    HttpApiRef,
    HttpStageRef,
    IntegrationRef,
    LogGroupRef,
    QueuePolicyRef,
    QueueRef,
    RoleRef,
    RouteRef,
    StateTableRef,
    SubscriptionRef,
    TopicRef,
    WebSocketStageRef,
)
from treadle_infra.topology.settings import (
    DEAD_LETTER_RETENTION_SECONDS,
    environment,
)

INTEGRATION_TIMEOUT_MILLISECONDS = 30_000
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
RECEIVES_BEYOND_RETRIES = 4
"""The adapter dead-letters at the receive after the last retry; the queue's own redrive is for killed processes."""
QUEUE_RETENTION_SECONDS = 4 * 24 * 3600


def build_topology(app: App, placement: Placement) -> Topology:
    """The topology of `app` where `placement` says; equal inputs give equal outputs, order included.

    Raises: TreadleError `queue-settings-differ`: two triggers of one step ask for different queues;
    `fifo-and-schedule-in-one-step`.
    """
    builder = _Builder(app, placement)
    resources: list[Resource] = [*builder.shared()]
    for step in app.steps:
        resources += builder.step(step)
    return Topology(app.name, placement.stage, placement.stack_name, tuple(resources), app.tags)


class _Builder:
    def __init__(self, app: App, placement: Placement) -> None:
        self._app = app
        self._placement = placement
        self._names = Names(app.name, placement.stage)
        self._keeps_data = placement.stage in app.production_stages
        self._schedules = scheduled(app, self._names)
        answering = ((step.name, len(_http_triggers(step))) for step in app.steps if _http_triggers(step))
        self._apis = api_numbers(answering, placement.former.apis)

    def shared(self) -> Iterator[Resource]:
        ordered = fifo_topics(self._app)
        for topic in sorted(_topics(self._app)):
            is_fifo = topic in ordered
            yield Topic(TopicRef(topic), self._names.topic(topic, fifo=is_fifo), SHARED, is_fifo)
        if self._app.steps:
            # whatever the steps do with it today: a table that came and went with an edit would take its data along
            name, keeps = self._names.state_table(), self._keeps_data
            yield StateTable(StateTableRef(), name, keeps, SHARED, self._app.reacts_to_state)
        if self._apis or self._app.streams:
            prefix, role_name = self._names.function_prefix(), self._names.gateway_role()
            yield GatewayRole(GatewayRoleRef(), role_name, prefix, LIVE_ALIAS, SHARED)
        for number in sorted(set(self._apis.values())):
            api = HttpApiRef(number)
            yield HttpApi(api, self._names.http_api(number), SHARED, self._app.cors)
            yield HttpStage(HttpStageRef(number), api, "$default", SHARED)
        if self._app.streams:
            yield from live_resources(self._app, self._names, keeps_data=self._keeps_data)
        yield from change_resources(self._app, self._names)
        yield from layer_resources(self._app, self._names)
        yield from scheduler_role(self._names, self._schedules.values())

    def step(self, step: Step) -> Iterator[Resource]:
        origin = Origin(step.name, step.where)
        http_triggers, settings = _http_triggers(step), queue_settings(step)
        times = timing(step, settings)
        yield LogGroup(LogGroupRef(step.name), self._names.log_group(step.name), self._app.log_retention_days, origin)
        yield Role(RoleRef(step.name), self._names.role(step.name), grants_for(step, self._app), origin)
        yield self._function(step, handler_of(step), times.function_seconds, origin)
        yield Alias(AliasRef(step.name), LIVE_ALIAS, FunctionRef(step.name), origin)
        if http_triggers:
            yield from self._routes(step, http_triggers, origin)
        schedules = self._schedules.get(step.name, ())
        if settings is not None or schedules:
            yield from self._dead_letter_queue(step, settings, schedules, origin)
        if settings is not None:
            yield from self._queue(step, settings, times)
        if schedules:
            yield from schedule_resources(step.name, schedules, origin)

    def _function(self, step: Step, handler: str, timeout_seconds: int, origin: Origin) -> Function:
        return Function(
            ref=FunctionRef(step.name),
            name=self._names.function(step.name),
            handler=handler,
            runtime=self._app.runtime,
            architecture=self._app.architecture,
            memory_mb=step.memory_mb,
            timeout_seconds=timeout_seconds,
            environment=environment(self._app, self._names),
            connections=WebSocketStageRef() if self._app.streams else None,
            role=RoleRef(step.name),
            log_group=LogGroupRef(step.name),
            origin=origin,
            layers=layers_of(self._app, step.name),
        )

    def _routes(self, step: Step, triggers: list[HttpTrigger], origin: Origin) -> Iterator[Resource]:
        api, integration = HttpApiRef(self._apis[step.name]), IntegrationRef(step.name)
        yield Integration(
            integration, api, AliasRef(step.name), GatewayRoleRef(), INTEGRATION_TIMEOUT_MILLISECONDS, origin
        )
        for trigger in triggers:
            route = RouteRef(trigger.method, gateway_path(trigger.path))
            yield Route(route, api, integration, Origin(step.name, trigger.where or step.where))

    def _dead_letter_queue(
        self, step: Step, settings: QueueSettings | None, schedules: Sequence[Rule | Schedule], origin: Origin
    ) -> Iterator[Resource]:
        """Of the kind that the step's queue is, as AWS wants it."""
        queue = DeadLetterQueueRef(step.name)
        is_fifo = settings is not None and settings.is_fifo
        name = self._names.dead_letter_queue(step.name, fifo=is_fifo)
        yield DeadLetterQueue(queue, name, DEAD_LETTER_RETENTION_SECONDS, origin, is_fifo)
        topics = tuple(TopicRef(topic) for topic in sorted({trigger.topic for trigger in _topic_triggers(step)}))
        rules = tuple(schedule.ref for schedule in schedules if isinstance(schedule, Rule))
        if topics or rules:
            yield QueuePolicy(QueuePolicyRef(queue), topics, rules, origin)

    def _queue(self, step: Step, settings: QueueSettings, times: Timing) -> Iterator[Resource]:
        places = [trigger.where for trigger in step.triggers if isinstance(trigger, TopicTrigger | TableTrigger)]
        origin = Origin(step.name, places[0] or step.where)
        queue, dead_letter_queue = QueueRef(step.name), DeadLetterQueueRef(step.name)
        yield Queue(
            ref=queue,
            name=self._names.queue(step.name, fifo=settings.is_fifo),
            visibility_timeout_seconds=times.visibility_seconds,
            delay_seconds=settings.delay_seconds,
            retention_seconds=QUEUE_RETENTION_SECONDS,
            max_retries=settings.max_retries,
            max_receive_count=settings.max_retries + RECEIVES_BEYOND_RETRIES,
            dead_letter_queue=dead_letter_queue,
            origin=origin,
            is_fifo=settings.is_fifo,
        )
        subscribed: dict[str, SourceLocation] = {}
        for trigger in _topic_triggers(step):
            subscribed.setdefault(trigger.topic, trigger.where or step.where)
        topics = tuple(TopicRef(topic) for topic in sorted(subscribed))
        if topics:
            yield QueuePolicy(QueuePolicyRef(queue), topics, (), origin)
        for topic in topics:
            place = Origin(step.name, subscribed[topic.topic])
            yield Subscription(SubscriptionRef(step.name, topic.topic), topic, queue, dead_letter_queue, place)
        mapping = EventSourceMappingRef(step.name)
        yield EventSourceMapping(mapping, queue, AliasRef(step.name), times.batch_size, settings.concurrency, origin)


def handler_of(step: Step) -> str:
    """The handler string of the step's function: the entry that knows every kind of trigger that the step has."""
    if step.application is not None:
        return "treadle.entry.asgi.handler"
    if _http_triggers(step):
        return "treadle.entry.api.handler"
    is_queued = bool(_topic_triggers(step) or step.table_triggers)
    return "treadle.entry.event.handler" if is_queued else "treadle.entry.cron.handler"


def fifo_topics(app: App) -> frozenset[str]:
    """The topics that a FIFO queue subscribes to: only a FIFO topic has an order to hand on.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html
    """
    return frozenset(trigger.topic for step in app.steps for trigger in _topic_triggers(step) if trigger.queue.is_fifo)


def _topics(app: App) -> set[str]:
    topics: set[str] = set()
    for step in app.steps:
        topics |= step.usage.topics
        topics |= {emit.topic for emit in step.emits or ()}
        topics |= {trigger.topic for trigger in _topic_triggers(step)}
    return topics


def _http_triggers(step: Step) -> list[HttpTrigger]:
    return [trigger for trigger in step.triggers if isinstance(trigger, HttpTrigger)]


def _topic_triggers(step: Step) -> list[TopicTrigger]:
    return [trigger for trigger in step.triggers if isinstance(trigger, TopicTrigger)]


def queue_settings(step: Step) -> QueueSettings | None:
    """What the step asks of its queue; None where nothing is queued for it.

    Raises: TreadleError `queue-settings-differ`: two triggers ask for different queues;
    `fifo-and-schedule-in-one-step`.
    """
    triggers = _topic_triggers(step)
    for trigger in triggers[1:]:
        if trigger.queue != triggers[0].queue:
            raise TreadleError(
                "queue-settings-differ",
                f"the triggers of `{step.name}` on `{triggers[0].topic}` and `{trigger.topic}` "
                "ask for different queues; a step has one queue",
                where=trigger.where or step.where,
                hint="give both triggers the same queue settings, or make two steps",
            )
    settings = triggers[0].queue if triggers else QueueSettings() if step.table_triggers else None
    schedule = next((trigger for trigger in step.triggers if isinstance(trigger, CronTrigger)), None)
    if settings is not None and settings.is_fifo and schedule is not None:
        raise TreadleError(
            "fifo-and-schedule-in-one-step",
            f"`{step.name}` has a FIFO queue and a schedule; its dead-letter queue would have to be of two kinds: "
            "what a schedule could not deliver goes to standard queues only",
            where=schedule.where or step.where,
            hint="make two steps of it, or emit from a second one that has the schedule",
        )
    return settings


def route_key(trigger: HttpTrigger) -> str:
    """The trigger as API Gateway writes it: `GET /orders/{id}`."""
    return f"{trigger.method} {gateway_path(trigger.path)}"
