"""CloudFormation's intrinsic functions, and the logical id of whatever a reference points at."""

from __future__ import annotations

from typing import assert_never

from treadle.names import logical_id
from treadle_infra.app.model import Json
from treadle_infra.topology.references import (
    AliasRef,
    AsynchronousSettingsRef,
    ConnectionsTableRef,
    DeadLetterQueueRef,
    EventSourceMappingRef,
    FunctionRef,
    GatewayRoleRef,
    HttpApiRef,
    HttpStageRef,
    IntegrationRef,
    LayerRef,
    LogGroupRef,
    QueuePolicyRef,
    QueueRef,
    Reference,
    RoleRef,
    RouteRef,
    RulePermissionRef,
    RuleRef,
    ScheduleRef,
    SchedulerRoleRef,
    StateTableRef,
    StreamMappingRef,
    StreamTableRef,
    SubscriptionRef,
    TopicRef,
    TriggerMappingRef,
    WebSocketApiRef,
    WebSocketIntegrationRef,
    WebSocketRouteRef,
    WebSocketStageRef,
)

_LAYER_KEY_LENGTH = 32


def ref(reference: Reference) -> Json:
    return {"Ref": logical_id_of(reference)}


def get_att(reference: Reference, attribute: str) -> Json:
    return {"Fn::GetAtt": [logical_id_of(reference), attribute]}


def sub(text: str) -> Json:
    return {"Fn::Sub": text}


def arn_sub(service: str, resource: str) -> Json:
    """The ARN of `resource` in the account and region of the stack."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")


def logical_id_of(reference: Reference) -> str:
    """The logical id of a resource: unique in the stack, since no kind below is the beginning of another."""
    match reference:
        case FunctionRef(step):
            return logical_id("Function", step)
        case LayerRef(key):
            return f"Layer{key[:_LAYER_KEY_LENGTH]}"
        case AliasRef(step):
            return logical_id("Alias", step)
        case RoleRef(step):
            return logical_id("Role", step)
        case LogGroupRef(step):
            return logical_id("LogGroup", step)
        case QueueRef(step):
            return logical_id("Queue", step)
        case DeadLetterQueueRef(step):
            return logical_id("DeadLetterQueue", step)
        case QueuePolicyRef(queue):
            return f"PolicyOf{logical_id_of(queue)}"
        case TopicRef(topic):
            return logical_id("Topic", topic)
        case SubscriptionRef(step, topic):
            return logical_id("Subscription", step, topic)
        case EventSourceMappingRef(step):
            return logical_id("EventSourceMapping", step)
        case HttpApiRef(number):
            return f"HttpApi{_from_two(number)}"
        case HttpStageRef(number):
            return f"HttpStage{_from_two(number)}"
        case GatewayRoleRef():
            return "GatewayRole"
        case IntegrationRef(step):
            return logical_id("Integration", step)
        case RouteRef(method, path):
            return logical_id("Route", method, path)
        case StateTableRef():
            return "StateTable"
        case StreamTableRef(stream):
            return logical_id("StreamTable", stream)
        case ConnectionsTableRef():
            return "ConnectionsTable"
        case StreamMappingRef(stream):
            return logical_id("MappingOfStream", stream)
        case TriggerMappingRef(triggering):
            return "TriggersOfState" if triggering is None else logical_id("TriggersOfStream", triggering)
        case WebSocketApiRef():
            return "WebSocketApi"
        case WebSocketStageRef():
            return "WebSocketStage"
        case WebSocketIntegrationRef():
            return "WebSocketIntegration"
        case WebSocketRouteRef(key):
            return logical_id("WebSocketRoute", key)
        case RuleRef(step, number):
            return logical_id("Rule", *_numbered(step, number))
        case RulePermissionRef(rule):
            return f"PermissionOf{logical_id_of(rule)}"
        case ScheduleRef(step, number):
            return logical_id("Schedule", *_numbered(step, number))
        case SchedulerRoleRef():
            return "InvokerRole"
        case AsynchronousSettingsRef(step):
            return logical_id("AsynchronousSettings", step)
        case _:
            assert_never(reference)


def _from_two(number: int) -> str:
    return "" if number == 1 else str(number)


def _numbered(step: str, number: int) -> tuple[str, ...]:
    """The first of a step's triggers goes by the step's name alone."""
    return (step,) if number == 0 else (step, str(number + 1))
