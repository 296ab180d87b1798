"""Publishes to SNS, which speaks AWS's query protocol: a form in, XML out.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from treadle.aws.client import AwsCall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.client import AwsClient

_HEADERS = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

_ESCAPES = [chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in range(256)]
_MANY = 64


def publish(client: AwsClient, topic_arn: str, message: str, attributes: dict[str, str], group: str | None) -> None:
    """Publishes one message with these text attributes. A `group` makes the topic's standard queues share fairly.

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
    body = "&".join([f"{name}={percent_encoded(value)}" for name, value in fields.items()])
    client.send(AwsCall("sns", "Publish", f"topic {topic_arn}", _HEADERS, body.encode("ascii")))


def percent_encoded(text: str) -> str:
    """`text` as a form field. One replacement per distinct character: texts are long, their alphabets small."""
    special = set(text) - _UNRESERVED
    if len(special) > _MANY:
        return "".join([_ESCAPES[byte] for byte in text.encode("utf-8")])
    if "%" in special:
        text = text.replace("%", "%25")
        special.remove("%")
    for character in special:
        text = text.replace(character, "".join([f"%{byte:02X}" for byte in character.encode("utf-8")]))
    return text
