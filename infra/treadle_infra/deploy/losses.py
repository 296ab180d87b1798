"""What is lost with a resource that goes: messages that wait in a queue, items of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from treadle_infra.deploy.account import Account

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

QUEUE = "AWS::SQS::Queue"
TABLE = "AWS::DynamoDB::Table"
LOG_GROUP = "AWS::Logs::LogGroup"

_COUNTED_ITEMS = 1_000
_COUNTS: tuple[QueueAttributeNameType, ...] = (
    *("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"),
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages or items; `at_least`: there are more, which were not counted."""

    number: int
    noun: str
    at_least: bool = False

    def __str__(self) -> str:
        more = "more than " if self.at_least else ""
        return f"{more}{self.number:,} {self.noun}{'s' * (self.number != 1)}"


def count_contents(account: Account, resource_type: str, physical_id: str) -> Count | None:
    """How much is in a queue or table; None for what holds nothing, is gone, or may not be looked into."""
    try:
        match resource_type:
            case "AWS::SQS::Queue":
                return Count(_messages(account, physical_id), "message")
            case "AWS::DynamoDB::Table":
                return _items(account, physical_id)
            case _:
                return None
    except ClientError:
        return None


def _messages(account: Account, queue_url: str) -> int:
    answer = account.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=_COUNTS)
    counts = answer.get("Attributes", {})
    return sum(int(counts.get(name, 0)) for name in _COUNTS)


def _items(account: Account, table: str) -> Count:
    """Counts a small table; DynamoDB's own count is six hours old at times, so it serves for large ones only."""
    page = account.dynamodb.scan(TableName=table, Select="COUNT", Limit=_COUNTED_ITEMS)
    if "LastEvaluatedKey" not in page:
        return Count(page["Count"], "item")
    described = account.dynamodb.describe_table(TableName=table)["Table"].get("ItemCount", 0)
    return Count(max(described, page["Count"]), "item", at_least=True)
