"""Amazon SNS in the emulator: operations by name, and what each needs to be allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Region, Result, Target
from treadle_local.clock import Clock
from treadle_local.sns.control import TopicOperations
from treadle_local.sns.delivery import Delivery, OnUndelivered, QueueAccepts
from treadle_local.sns.errors import not_in_the_emulator
from treadle_local.sns.publishing import PublishOperations
from treadle_local.sns.topics import Topics
from treadle_local.sqs.service import Sqs

_NOT_BUILT = frozenset(
    {
        *("AddPermission", "RemovePermission", "ConfirmSubscription"),
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
    """The SNS service of one region: standard topics with queues as subscribers.

    FIFO topics and other protocols are refused by name. A queue gets a message only when its policy lets SNS send
    for the topic; what reaches neither queue nor dead-letter queue is reported to `on_undelivered`.
    """

    def __init__(
        self, region: Region, clock: Clock, sqs: Sqs, queue_accepts: QueueAccepts, on_undelivered: OnUndelivered
    ) -> None:
        self._region = region
        stored = Topics(region)
        delivery = Delivery(clock, sqs, queue_accepts, on_undelivered)
        topics = TopicOperations(stored, delivery.forget)
        publishing = PublishOperations(stored, delivery)
        self._handlers: Mapping[str, Callable[[Params, Caller], Result]] = {
            "Publish": publishing.publish,
            "PublishBatch": publishing.publish_batch,
            "CreateTopic": topics.create_topic,
            "DeleteTopic": topics.delete_topic,
            "ListTopics": topics.list_topics,
            "GetTopicAttributes": topics.get_topic_attributes,
            "SetTopicAttributes": topics.set_topic_attributes,
            "Subscribe": topics.subscribe,
            "Unsubscribe": topics.unsubscribe,
            "ListSubscriptions": topics.list_subscriptions,
            "ListSubscriptionsByTopic": topics.list_subscriptions_by_topic,
            "GetSubscriptionAttributes": topics.get_subscription_attributes,
            "SetSubscriptionAttributes": topics.set_subscription_attributes,
            "TagResource": topics.tag_resource,
            "UntagResource": topics.untag_resource,
            "ListTagsForResource": topics.list_tags_for_resource,
        }

    def handle(self, operation: str, params: Params, caller: Caller) -> Result:
        """Does the operation; a publish has been delivered when this returns."""
        handler = self._handlers.get(operation)
        if handler is None:
            if operation in _NOT_BUILT:
                raise not_in_the_emulator(f"{operation} is")
            raise AwsError("UnknownOperationException", f"The operation {operation} is not one of Amazon SNS.")
        return handler(params, caller)

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
