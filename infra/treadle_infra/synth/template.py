"""Topology -> the CloudFormation template of its stack, as plain JSON values in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from treadle_infra.app.model import Json
from treadle_infra.synth.entries import Object
from treadle_infra.synth.intrinsics import get_att, logical_id_of, ref
from treadle_infra.synth.resources import ARTIFACT_BUCKET_PARAMETER, ResourceBuilder
from treadle_infra.synth.splitting import Splitter
from treadle_infra.synth.stacks import OWN, Level, Unit, level_of, place, unit_of
from treadle_infra.synth.web_socket import connections_url
from treadle_infra.topology.model import HttpApi, ResourceT, StateTable, StreamTable, Topic, Topology, WebSocketApi

_INDENTATION = 10
"""The bytes at the beginning of a template's line, at most: no value is nested deeper."""
OUTPUT_LIMIT = 200
"""Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

TEMPLATE_FILE = "template.json"


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """One stack of an app: `file` is its template's in the assembly, `level` says when it comes up.

    `parameters` has what other stacks hand on to it: parameter name -> (name of the other stack, output name).
    """

    name: str
    file: str
    level: Level
    template: Object
    parameters: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of an app, in the order in which they come up, and which unit is in which: the placement to keep."""

    stacks: tuple[StackTemplate, ...]
    placed: Mapping[str, str]


def build_stacks(topology: Topology, code_keys: Mapping[str, str], former: Mapping[str, str]) -> Stacks:
    """The stacks of the topology; `code_keys` gives the S3 key of each step's zip, `former` what stands where already.

    Raises: TreadleError `stack-too-large`.
    """
    builder = ResourceBuilder(topology.app, topology.stage, code_keys, topology.tags)
    entries = {logical_id_of(resource.ref): builder.build(resource) for resource in topology.resources}
    units = {logical_id_of(resource.ref): unit_of(resource) for resource in topology.resources}
    placed = place(_needs(entries, units), former)
    members: dict[str, list[str]] = {} if units else {OWN: []}
    for logical_id, unit in units.items():
        members.setdefault(placed[unit], []).append(logical_id)
    names = {stack: f"{topology.stack_name}--{stack}" if stack else topology.stack_name for stack in members}
    splitters = {stack: Splitter(entries, frozenset(here)) for stack, here in members.items()}
    resources = {
        stack: {logical_id: splitters[stack].rewritten(entries[logical_id]) for logical_id in here}
        for stack, here in members.items()
    }
    owners = {logical_id: stack for stack, here in members.items() for logical_id in here}
    stacks: list[StackTemplate] = []
    for stack in sorted(members, key=lambda end: (level_of(end), _number(end))):
        needed = splitters[stack].parameters
        handed_on = {
            name: value
            for other, splitter in splitters.items()
            if other != stack
            for name, value in splitter.parameters.items()
            if owners[value[0]] == stack
        }
        template = _template(topology, stack, resources[stack], needed, handed_on)
        given = {name: (names[owners[logical_id]], name) for name, (logical_id, _) in sorted(needed.items())}
        file = f"{stack}.{TEMPLATE_FILE}" if stack else TEMPLATE_FILE
        stacks.append(StackTemplate(names[stack], file, level_of(stack), template, given))
    return Stacks(tuple(stacks), {unit.key: stack for unit, stack in placed.items() if unit.key})


def _needs(entries: Mapping[str, Object], units: Mapping[str, Unit]) -> dict[Unit, tuple[int, int]]:
    needs: dict[Unit, tuple[int, int]] = {}
    for logical_id, unit in units.items():
        resources, size = needs.get(unit, (0, 0))
        needs[unit] = resources + 1, size + _size(logical_id, entries[logical_id])
    return needs


def _size(logical_id: str, entry: Object) -> int:
    """At least the bytes of the entry in the template: to write it as it will stand there takes ten times longer."""
    text = json.dumps({logical_id: entry}, ensure_ascii=False)
    lines = text.count(",") + 2 * (text.count("{") + text.count("["))
    return len(text.encode()) + lines * _INDENTATION


def _number(stack: str) -> int:
    return int(stack.rpartition("-")[2] or 0)


def _template(
    topology: Topology,
    stack: str,
    resources: Mapping[str, Object],
    needed: Mapping[str, tuple[str, str]],
    handed_on: Mapping[str, tuple[str, str]],
) -> Object:
    part = f", {stack}" if stack else ""
    template: Object = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Treadle app {topology.app}, stage {topology.stage}{part}",
    }
    parameters: Object = {}
    if any(entry["Type"] in _HAS_CODE for entry in resources.values()):
        bucket: Json = {"Type": "String", "Description": "The bucket that holds the zips of the functions"}
        parameters[ARTIFACT_BUCKET_PARAMETER] = bucket
    for name, (logical_id, _) in sorted(needed.items()):
        parameters[name] = {"Type": "String", "Description": f"Of {logical_id}, which is in another stack"}
    if parameters:
        template["Parameters"] = parameters
    template["Resources"] = dict[str, Json](resources)
    outputs = _outputs(topology, resources.keys())
    for name, (logical_id, attribute) in sorted(handed_on.items()):
        value: Json = {"Ref": logical_id} if attribute == "Ref" else {"Fn::GetAtt": [logical_id, attribute]}
        outputs.setdefault(name, _output("For the app's other stacks", value))
    if outputs:
        template["Outputs"] = outputs
    return template


_HAS_CODE = frozenset({"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"})


def template_text(template: Object) -> str:
    """The template as it is written and sent."""
    return json.dumps(template, indent=1, ensure_ascii=False) + "\n"


def _outputs(topology: Topology, here: Set[str]) -> Object:
    """What a person looks for. Where there are more names than a stack may output, they stand in the manifest only."""
    outputs: Object = {}
    for api in _here(topology.of(HttpApi), here):
        logical_id = logical_id_of(api.ref)
        outputs[f"{logical_id}Url"] = _output("Where the HTTP API answers", get_att(api.ref, "ApiEndpoint"))
        outputs[f"{logical_id}Id"] = _output("The id of the HTTP API", ref(api.ref))
    for web_socket_api in _here(topology.of(WebSocketApi), here):
        url = connections_url(topology.stage, "wss")
        outputs["WebSocketUrl"] = _output("Where clients follow the streams", url)
        outputs["WebSocketApiId"] = _output("The id of the WebSocket API", ref(web_socket_api.ref))
    names: Object = {}
    for table in _here(topology.of(StateTable), here):
        names[logical_id_of(table.ref)] = _output("The table of the state", ref(table.ref))
    for stream_table in _here(topology.of(StreamTable), here):
        description = f"The table of the stream {stream_table.ref.stream}"
        names[logical_id_of(stream_table.ref)] = _output(description, ref(stream_table.ref))
    for topic in _here(topology.of(Topic), here):
        names[logical_id_of(topic.ref)] = _output(f"The SNS topic of {topic.ref.topic}", ref(topic.ref))
    return {**outputs, **names} if len(outputs) + len(names) <= OUTPUT_LIMIT else outputs


def _here(resources: Iterable[ResourceT], here: Set[str]) -> Iterator[ResourceT]:
    return (resource for resource in resources if logical_id_of(resource.ref) in here)


def _output(description: str, value: Json) -> Json:
    return {"Description": description, "Value": value}
