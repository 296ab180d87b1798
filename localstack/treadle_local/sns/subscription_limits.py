"""How many subscriptions a topic may have."""

from __future__ import annotations

from treadle_local.sns.errors import filter_policy_limit, invalid, subscription_limit
from treadle_local.sns.topics import Topic, TopicSettings

LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT = 100
"""Source: https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""

FIFO_SUBSCRIPTIONS_LIMIT = 100
"""Source: https://docs.aws.amazon.com/general/latest/gr/sns.html"""

FILTER_POLICIES_LIMIT = 200
"""Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""


def check_subscriptions(settings: TopicSettings, count: int) -> None:
    """Raises `InvalidParameter` or `SubscriptionLimitExceeded` where a topic of these settings cannot have so many."""
    if settings.has_large_messages and count > LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT:
        raise invalid(
            f"A topic with a MaximumMessageSize above 256 KiB has at most {LARGE_MESSAGE_SUBSCRIPTIONS_LIMIT} "
            "subscriptions"
        )
    if settings.fifo and count > FIFO_SUBSCRIPTIONS_LIMIT:
        raise subscription_limit(FIFO_SUBSCRIPTIONS_LIMIT)


def check_filter_policies(topic: Topic) -> None:
    """Raises `FilterPolicyLimitExceeded` where the topic can have no further filter policy."""
    count = sum(subscription.settings.filter_policy is not None for subscription in topic.subscriptions.values())
    if count >= FILTER_POLICIES_LIMIT:
        raise filter_policy_limit(FILTER_POLICIES_LIMIT)
