"""The control plane of SNS: subscriptions and their attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Result
from treadle_local.sns.arns import check_subscription_arn, is_fifo, is_function_arn, is_queue_arn
from treadle_local.sns.errors import among_attributes, invalid, not_in_the_emulator
from treadle_local.sns.paging import page
from treadle_local.sns.subscription_attributes import Kind, subscription_attributes, with_subscription_attributes
from treadle_local.sns.subscription_limits import check_filter_policies, check_subscriptions
from treadle_local.sns.topics import Protocol, Subscription, SubscriptionSettings, Topic, Topics

_NOT_BUILT = frozenset({"application", "email", "email-json", "firehose", "http", "https", "sms"})


class SubscriptionOperations:
    """The operations on subscriptions; each takes and returns AWS's shapes. Nobody has to confirm a queue or function.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def subscribe(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        protocol = _protocol(params.get("Protocol") or "")
        endpoint: str = params.get("Endpoint") or ""
        attributes: Mapping[str, str] = params.get("Attributes") or {}
        _check_endpoint(topic, protocol, endpoint)
        subscription = topic.subscriptions.get((protocol, endpoint))
        before = SubscriptionSettings() if subscription is None else subscription.settings
        try:
            settings = with_subscription_attributes(before, attributes, self._kind(topic, protocol, endpoint))
        except AwsError as error:
            raise among_attributes(error) from None
        if subscription is None:
            check_subscriptions(topic.settings, len(topic.subscriptions) + 1)
            if settings.filter_policy is not None:
                check_filter_policies(topic)
            subscription = self._topics.subscribe(topic, protocol, endpoint, settings)
        elif settings != before:
            raise among_attributes(invalid("Subscription already exists with different attributes"))
        return {"SubscriptionArn": subscription.arn}

    def unsubscribe(self, params: Params, caller: Caller) -> Result:
        arn = params.get("SubscriptionArn")
        check_subscription_arn(arn, self._topics.region)
        self._topics.unsubscribe(str(arn))
        return {}

    def confirm_subscription(self, params: Params, caller: Caller) -> Result:
        """Refuses every token: no subscription of the emulator waits to be confirmed."""
        self._topics.at(params.get("TopicArn"))
        raise invalid("Token")

    def list_subscriptions(self, params: Params, caller: Caller) -> Result:
        return self._page(self._topics.subscriptions(), params)

    def list_subscriptions_by_topic(self, params: Params, caller: Caller) -> Result:
        topic = self._topics.at(params.get("TopicArn"))
        return self._page(sorted(topic.subscriptions.values(), key=lambda subscription: subscription.arn), params)

    def get_subscription_attributes(self, params: Params, caller: Caller) -> Result:
        subscription = self._topics.subscription(params.get("SubscriptionArn"))
        return {"Attributes": subscription_attributes(subscription, self._topics.region)}

    def set_subscription_attributes(self, params: Params, caller: Caller) -> Result:
        subscription = self._topics.subscription(params.get("SubscriptionArn"))
        topic = self._topics.at(subscription.topic_arn)
        change = {params.get("AttributeName") or "": params.get("AttributeValue") or ""}
        kind = self._kind(topic, subscription.protocol, subscription.endpoint)
        settings = with_subscription_attributes(subscription.settings, change, kind)
        if settings.filter_policy is not None and subscription.settings.filter_policy is None:
            check_filter_policies(topic)
        subscription.settings = settings
        return {}

    def _kind(self, topic: Topic, protocol: Protocol, endpoint: str) -> Kind:
        return Kind(protocol, topic.settings.fifo and is_fifo(endpoint), self._topics.region)

    def _page(self, subscriptions: Sequence[Subscription], params: Params) -> Result:
        by_arn = {subscription.arn: subscription for subscription in subscriptions}
        arns, token = page(list(by_arn), params.get("NextToken"))
        found = [
            {
                "SubscriptionArn": arn,
                "Owner": self._topics.region.account,
                "Protocol": by_arn[arn].protocol,
                "Endpoint": by_arn[arn].endpoint,
                "TopicArn": by_arn[arn].topic_arn,
            }
            for arn in arns
        ]
        return {"Subscriptions": found, **token}


def _protocol(name: str) -> Protocol:
    match name:
        case "sqs":
            return "sqs"
        case "lambda":
            return "lambda"
        case _ if name in _NOT_BUILT:
            raise not_in_the_emulator(f"Subscriptions of protocol {name} are")
        case _:
            raise invalid(f"Amazon SNS does not support this protocol string: {name}")


def _check_endpoint(topic: Topic, protocol: Protocol, endpoint: str) -> None:
    """FIFO topics deliver to queues of both kinds, standard topics to standard queues and to functions.

    Source: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html
    """
    match protocol:
        case "sqs":
            if not is_queue_arn(endpoint):
                raise invalid("SQS endpoint ARN")
            if is_fifo(endpoint) and not topic.settings.fifo:
                raise invalid(
                    "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
                )
        case "lambda":
            if topic.settings.fifo:
                raise invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")
            if not is_function_arn(endpoint):
                raise invalid("Lambda endpoint ARN")
