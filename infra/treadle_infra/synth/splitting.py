"""A reference from one stack into another: the ARN or name where it can be told beforehand, else a parameter.

No stack exports anything: an export that is in use cannot change, so one stack would hold up all others.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from treadle_infra.app.model import Json
from treadle_infra.synth.entries import Object

_REF = "Ref"
_IN_TEXT = re.compile(r"\$\{(?!!)([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}")
_HANDED_ON = {
    ("AWS::ApiGatewayV2::Api", _REF): "Id",
    ("AWS::Lambda::LayerVersion", _REF): "Arn",
    ("AWS::DynamoDB::Table", "StreamArn"): "StreamArn",
}
"""What AWS assigns, and what its parameter's name ends in."""


class Splitter:
    """Rewrites the entries of one stack so that they stand without the other stacks' resources.

    `parameters` grows with what this stack must be told: parameter name -> (logical id, `Ref` or attribute).
    """

    def __init__(self, entries: Mapping[str, Object], here: frozenset[str]) -> None:
        """`entries` are those of all stacks by logical id; `here` are those of this stack."""
        self._entries = entries
        self._here = here
        self.parameters: dict[str, tuple[str, str]] = {}

    def rewritten(self, entry: Object) -> Object:
        """The entry with each reference out of this stack replaced, and without waiting for what is elsewhere."""
        whole = cast("Object", self._value(entry))
        waits = whole.get("DependsOn")
        if isinstance(waits, list):
            whole["DependsOn"] = [logical_id for logical_id in waits if logical_id in self._here]
            if not whole["DependsOn"]:
                del whole["DependsOn"]
        return whole

    def _value(self, value: Json) -> Json:
        match value:
            case {"Ref": str(logical_id), **others} if not others and self._is_elsewhere(logical_id):
                return self._reference(logical_id, _REF)
            case {"Fn::GetAtt": [str(logical_id), str(attribute)], **others} if not others and self._is_elsewhere(
                logical_id
            ):
                return self._reference(logical_id, attribute)
            case {"Fn::Sub": str(text), **others} if not others:
                return {"Fn::Sub": _IN_TEXT.sub(self._in_text, text)}
            case _:
                return self._parts(value)

    def _parts(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {key: self._value(part) for key, part in value.items()}
        return [self._value(part) for part in value] if isinstance(value, list) else value

    def _is_elsewhere(self, logical_id: str) -> bool:
        return logical_id in self._entries and logical_id not in self._here

    def _in_text(self, found: re.Match[str]) -> str:
        logical_id, attribute = found.group(1), found.group(2) or _REF
        if not self._is_elsewhere(logical_id):
            return found.group(0)
        match self._reference(logical_id, attribute):
            case {"Fn::Sub": str(text)}:
                return text
            case {"Ref": str(parameter)}:
                return f"${{{parameter}}}"
            case str(text):
                return text
            case other:
                raise TypeError(f"{other} cannot stand in a text")

    def _reference(self, logical_id: str, attribute: str) -> Json:
        end = _HANDED_ON.get((str(self._entries[logical_id]["Type"]), attribute))
        if end is None:
            return known_beforehand(self._entries, logical_id, attribute)
        parameter = f"{logical_id}{end}"
        self.parameters[parameter] = (logical_id, attribute)
        return {"Ref": parameter}


def known_beforehand(entries: Mapping[str, Object], logical_id: str, attribute: str) -> Json:
    """What `Ref` or an attribute of a resource with a name of its own will be.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
    """
    entry = entries[logical_id]
    properties = cast("Mapping[str, Json]", entry["Properties"])
    match entry["Type"], attribute:
        case "AWS::Lambda::Function", "Ref":
            return properties["FunctionName"]
        case "AWS::Lambda::Function", "Arn":
            return _arn("lambda", f"function:{properties['FunctionName']}")
        case "AWS::Lambda::Alias", "Ref":
            function = cast("Mapping[str, str]", properties["FunctionName"])["Ref"]
            name = known_beforehand(entries, function, "Ref")
            return _arn("lambda", f"function:{name}:{properties['Name']}")
        case "AWS::IAM::Role", "Ref":
            return properties["RoleName"]
        case "AWS::IAM::Role", "Arn":
            return {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{properties['RoleName']}"}
        case "AWS::Logs::LogGroup", "Ref":
            return properties["LogGroupName"]
        case "AWS::Logs::LogGroup", "Arn":
            return _arn("logs", f"log-group:{properties['LogGroupName']}:*")
        case "AWS::SQS::Queue", "Ref":
            name = properties["QueueName"]
            return {"Fn::Sub": f"https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{name}"}
        case "AWS::SQS::Queue", "Arn":
            return _arn("sqs", str(properties["QueueName"]))
        case "AWS::SNS::Topic", "Ref" | "TopicArn":
            return _arn("sns", str(properties["TopicName"]))
        case "AWS::DynamoDB::Table", "Ref":
            return properties["TableName"]
        case "AWS::DynamoDB::Table", "Arn":
            return _arn("dynamodb", f"table/{properties['TableName']}")
        case "AWS::Events::Rule", "Arn":
            return _arn("events", f"rule/{properties['Name']}")
        case kind, _:
            raise TypeError(f"{attribute} of {logical_id} ({kind}) is not known outside its stack")


def _arn(service: str, resource: str) -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"}
