"""Topology -> the CloudFormation template of its stack, as plain JSON values in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Mapping

from treadle_infra.app.findings import Finding, error
from treadle_infra.app.model import Json
from treadle_infra.synth.entries import Object
from treadle_infra.synth.intrinsics import get_att, logical_id_of, ref
from treadle_infra.synth.resources import ARTIFACT_BUCKET_PARAMETER, ResourceBuilder
from treadle_infra.synth.web_socket import connections_url
from treadle_infra.topology.model import Function, HttpApi, StateTable, StreamTable, Topic, Topology, WebSocketApi

TEMPLATE_LIMIT_BYTES = 1_000_000
OUTPUT_LIMIT = 200
"""Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""


def build_template(topology: Topology, code_keys: Mapping[str, str]) -> Object:
    """The template of the topology's stack; `code_keys` gives the S3 key of each step's zip."""
    template: Object = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Treadle app {topology.app}, stage {topology.stage}",
    }
    if any(topology.of(Function)):
        bucket: Json = {"Type": "String", "Description": "The bucket that holds the zips of the functions"}
        template["Parameters"] = {ARTIFACT_BUCKET_PARAMETER: bucket}
    builder = ResourceBuilder(topology.app, topology.stage, code_keys)
    resources = {logical_id_of(resource.ref): builder.build(resource) for resource in topology.resources}
    template["Resources"] = dict[str, Json](resources)
    outputs = _outputs(topology)
    if outputs:
        template["Outputs"] = outputs
    return template


def template_text(template: Object) -> str:
    """The template as it is written and sent."""
    return json.dumps(template, indent=1, ensure_ascii=False) + "\n"


def check_template(template: Object) -> list[Finding]:
    """What CloudFormation would refuse of the template as a whole."""
    size = len(template_text(template).encode())
    if size <= TEMPLATE_LIMIT_BYTES:
        return []
    return [
        error(
            "template-too-large",
            f"the template has {size:,} bytes and CloudFormation takes {TEMPLATE_LIMIT_BYTES:,}; "
            "several stacks are not supported yet",
        )
    ]


def _outputs(topology: Topology) -> Object:
    """What a person looks for. Where there are more names than a stack may output, they stand in the manifest only."""
    outputs: Object = {}
    for api in topology.of(HttpApi):
        outputs["HttpApiUrl"] = _output("Where the HTTP API answers", get_att(api.ref, "ApiEndpoint"))
        outputs["HttpApiId"] = _output("The id of the HTTP API", ref(api.ref))
    for web_socket_api in topology.of(WebSocketApi):
        url = connections_url(topology.stage, "wss")
        outputs["WebSocketUrl"] = _output("Where clients follow the streams", url)
        outputs["WebSocketApiId"] = _output("The id of the WebSocket API", ref(web_socket_api.ref))
    names: Object = {}
    for table in topology.of(StateTable):
        names[logical_id_of(table.ref)] = _output("The table of the state", ref(table.ref))
    for stream_table in topology.of(StreamTable):
        description = f"The table of the stream {stream_table.ref.stream}"
        names[logical_id_of(stream_table.ref)] = _output(description, ref(stream_table.ref))
    for topic in topology.of(Topic):
        names[logical_id_of(topic.ref)] = _output(f"The SNS topic of {topic.ref.topic}", ref(topic.ref))
    return {**outputs, **names} if len(outputs) + len(names) <= OUTPUT_LIMIT else outputs


def _output(description: str, value: Json) -> Json:
    return {"Description": description, "Value": value}
