"""Publishes to SNS, which speaks AWS's query protocol: a form in, XML out.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from treadle.aws.client import AwsCall
from treadle.aws.percent import percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.client import AwsClient

_HEADERS = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def publish(
    client: AwsClient,
    topic_arn: str,
    message: str,
    attributes: dict[str, str],
    group: str | None,
    deduplication_id: str | None = None,
) -> None:
    """Publishes one message with these text attributes. A `group` makes the topic's standard queues share fairly.

    A FIFO topic needs a group and a de-duplication id.

    Raises: AwsCallError.
    """
    fields = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic_arn, "Message": message}
    for number, (name, value) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        fields[f"{entry}.Name"] = name
        fields[f"{entry}.Value.DataType"] = "String"
        fields[f"{entry}.Value.StringValue"] = value
    if group is not None:
        fields["MessageGroupId"] = group
    if deduplication_id is not None:
        fields["MessageDeduplicationId"] = deduplication_id
    body = "&".join([f"{name}={percent_encoded(value)}" for name, value in fields.items()])
    client.send(AwsCall("sns", "Publish", f"topic {topic_arn}", _HEADERS, body.encode("ascii")))
