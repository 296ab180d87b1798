"""Amazon SNS in the emulator: operations by name, and what each needs to be allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.sns.delivery import Delivery, OnUndelivered
from treadle_local.sns.endpoints import Accepts, FunctionEndpoints, Functions, QueueEndpoints
from treadle_local.sns.errors import not_in_the_emulator
from treadle_local.sns.policies import policy_of
from treadle_local.sns.publishing import PublishOperations
from treadle_local.sns.subscription_control import SubscriptionOperations
from treadle_local.sns.tags import TagOperations
from treadle_local.sns.topic_control import TopicOperations
from treadle_local.sns.topics import Topics
from treadle_local.sqs.service import Sqs

_NOT_BUILT = frozenset(
    {
        *("GetDataProtectionPolicy", "PutDataProtectionPolicy"),
        *("CreatePlatformApplication", "DeletePlatformApplication", "ListPlatformApplications"),
        *("GetPlatformApplicationAttributes", "SetPlatformApplicationAttributes", "CreatePlatformEndpoint"),
        *("DeleteEndpoint", "GetEndpointAttributes", "SetEndpointAttributes", "ListEndpointsByPlatformApplication"),
        *("CheckIfPhoneNumberIsOptedOut", "ListPhoneNumbersOptedOut", "OptInPhoneNumber", "ListOriginationNumbers"),
        *("GetSMSAttributes", "SetSMSAttributes", "GetSMSSandboxAccountStatus", "ListSMSSandboxPhoneNumbers"),
        *("CreateSMSSandboxPhoneNumber", "DeleteSMSSandboxPhoneNumber", "VerifySMSSandboxPhoneNumber"),
    }
)
_WITHOUT_RESOURCE = frozenset(
    {
        *("ListTopics", "ListSubscriptions", "Unsubscribe"),
        *("GetSubscriptionAttributes", "SetSubscriptionAttributes"),
    }
)


class Sns:
    """The SNS service of one region: standard and FIFO topics with queues and functions as subscribers.

    Other protocols are refused by name. A queue or function gets a message only when its policy lets SNS in for the
    topic; what reaches neither it nor a dead-letter queue is reported to `on_undelivered`.
    """

    def __init__(
        self,
        region: Region,
        clock: Clock,
        sqs: Sqs,
        functions: Functions,
        accepts: Accepts,
        on_undelivered: OnUndelivered,
    ) -> None:
        self._region = region
        self._topics = stored = Topics(region)
        delivery = Delivery(
            clock,
            QueueEndpoints(sqs, accepts),
            FunctionEndpoints(functions, accepts),
            lambda: sqs.base_url,
            on_undelivered,
        )
        topics = TopicOperations(stored, delivery.forget)
        subscriptions = SubscriptionOperations(stored)
        tags = TagOperations(stored)
        publishing = PublishOperations(stored, delivery)
        self._handlers: Mapping[str, Callable[[Params, Caller], Result]] = {
            "Publish": publishing.publish,
            "PublishBatch": publishing.publish_batch,
            "CreateTopic": topics.create_topic,
            "DeleteTopic": topics.delete_topic,
            "ListTopics": topics.list_topics,
            "GetTopicAttributes": topics.get_topic_attributes,
            "SetTopicAttributes": topics.set_topic_attributes,
            "AddPermission": topics.add_permission,
            "RemovePermission": topics.remove_permission,
            "Subscribe": subscriptions.subscribe,
            "Unsubscribe": subscriptions.unsubscribe,
            "ConfirmSubscription": subscriptions.confirm_subscription,
            "ListSubscriptions": subscriptions.list_subscriptions,
            "ListSubscriptionsByTopic": subscriptions.list_subscriptions_by_topic,
            "GetSubscriptionAttributes": subscriptions.get_subscription_attributes,
            "SetSubscriptionAttributes": subscriptions.set_subscription_attributes,
            "TagResource": tags.tag_resource,
            "UntagResource": tags.untag_resource,
            "ListTagsForResource": tags.list_tags_for_resource,
        }

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """Does the operation; a publish has been delivered when this returns."""
        handler = self._handlers.get(operation)
        if handler is None:
            if operation in _NOT_BUILT:
                raise not_in_the_emulator(f"{operation} is")
            raise AwsError("UnknownOperationException", f"The operation {operation} is not one of Amazon SNS.")
        return handler(params, caller)

    def policy_of(self, arn: str) -> Mapping[str, Any] | None:
        """The access policy in force for a topic, its own or the default one; None where there is no such topic."""
        topic = self._topics.find(arn)
        return None if topic is None else policy_of(topic, self._region.account).value

    def targets(self, operation: str, params: Params) -> Sequence[Target]:
        """The action on the topic; a batch needs the action of its single form.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
        """
        action = f"sns:{'Publish' if operation == 'PublishBatch' else operation}"
        if operation in _WITHOUT_RESOURCE:
            return (Target(action, "*"),)
        if operation == "CreateTopic":
            return (Target(action, self._region.arn("sns", str(params.get("Name") or "*"))),)
        resource = str(params.get("TopicArn") or params.get("TargetArn") or params.get("ResourceArn") or "*")
        if operation == "Subscribe":
            context = {
                "sns:Protocol": str(params.get("Protocol") or ""),
                "sns:Endpoint": str(params.get("Endpoint") or ""),
            }
            return (Target(action, resource, context),)
        return (Target(action, resource),)
