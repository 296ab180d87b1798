"""Event source mappings: which queues and table streams invoke which functions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from treadle_local.aws.service import Params, Result
from treadle_local.functions.constraints import check_tags
from treadle_local.functions.mapping_settings import (
    SourceKind,
    changed,
    check_members,
    new_mapping,
    render,
    source_kind,
)
from treadle_local.functions.model import Backing, EventSourceMapping, FunctionVersion
from treadle_local.functions.references import FunctionReference, parse
from treadle_local.functions.refusals import conflict, invalid, not_found
from treadle_local.functions.registry import Registry, page

_MAPPINGS_PER_PAGE = 100

# Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (execution role permissions)
_QUEUE_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
# Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
_STREAM_ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")


class Mappings:
    """The operations on event source mappings."""

    def __init__(self, registry: Registry, backing: Backing) -> None:
        self._registry = registry
        self._backing = backing
        self._mappings: dict[str, EventSourceMapping] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def all(self) -> Sequence[EventSourceMapping]:
        """Every mapping, disabled ones too."""
        return tuple(self._mappings.values())

    def tags(self, mapping_id: str) -> dict[str, str]:
        """The mapping's own tags, to be read and changed. Raises ResourceNotFoundException."""
        return self._tags[self._find({"UUID": mapping_id}).uuid]

    def create(self, params: Params) -> Result:
        source_arn: str | None = params.get("EventSourceArn")
        kind = source_kind(source_arn or "")
        check_members(kind, params)
        check_tags(params.get("Tags", {}))
        reference, version = self._function(params["FunctionName"])
        now = self._registry.clock.now()
        mapping = new_mapping(kind, str(uuid.uuid4()), reference.qualified_arn, now, params)
        self._check_source(kind, mapping.source_arn, version)
        self._check_single(mapping)
        self._mappings[mapping.uuid] = mapping
        self._tags[mapping.uuid] = dict(params.get("Tags", {}))
        self._backing.mappings_changed()
        return render(mapping, self._registry.region)

    def get(self, params: Params) -> Result:
        return render(self._find(params), self._registry.region)

    def update(self, params: Params) -> Result:
        mapping = self._find(params)
        kind = source_kind(mapping.source_arn)
        check_members(kind, params)
        reference, version = self._function(params.get("FunctionName", mapping.function_arn))
        mapping = replace(
            changed(mapping, params),
            function_arn=reference.qualified_arn,
            last_modified=self._registry.clock.now(),
        )
        self._check_source(kind, mapping.source_arn, version)
        self._check_single(mapping)
        self._mappings[mapping.uuid] = mapping
        self._backing.mappings_changed()
        return render(mapping, self._registry.region)

    def delete(self, params: Params) -> Result:
        mapping = self._find(params)
        del self._mappings[mapping.uuid]
        del self._tags[mapping.uuid]
        self._backing.mappings_changed()
        return render(mapping, self._registry.region, state="Deleting")

    def list_mappings(self, params: Params) -> Result:
        source_arn = params.get("EventSourceArn")
        function_arn = None
        if params.get("FunctionName"):
            function_arn = parse(params["FunctionName"], None, self._registry.region).qualified_arn
        chosen = [
            mapping
            for mapping in self._mappings.values()
            if source_arn in (None, mapping.source_arn) and function_arn in (None, mapping.function_arn)
        ]
        given, more = page(chosen, lambda mapping: mapping.uuid, params, _MAPPINGS_PER_PAGE)
        return {"EventSourceMappings": [render(mapping, self._registry.region) for mapping in given], **more}

    def _find(self, params: Params) -> EventSourceMapping:
        mapping = self._mappings.get(params["UUID"])
        if mapping is None:
            raise not_found("The resource you requested does not exist.")
        return mapping

    def _function(self, text: str) -> tuple[FunctionReference, FunctionVersion]:
        reference = parse(text, None, self._registry.region)
        function = self._registry.functions.get(reference.name)
        version = function.pinned(reference.qualifier) if function is not None else None
        if version is None:
            raise invalid("Function does not exist")
        return reference, version

    def _check_source(self, kind: SourceKind, arn: str, version: FunctionVersion) -> None:
        match kind:
            case "queue":
                self._check_queue(arn, version)
            case "stream":
                self._check_stream(arn, version)
            case _:
                assert_never(kind)

    def _check_queue(self, arn: str, version: FunctionVersion) -> None:
        for action in _QUEUE_ACTIONS:
            if not self._backing.role_allows(version.role_arn, f"sqs:{action}", arn):
                raise invalid(f"The provided execution role does not have permissions to call {action} on SQS")
        if not self._backing.source_exists(arn):
            raise invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                "SQS Error Message: The specified queue does not exist for this wsdl version."
            )
        visibility_seconds = self._backing.queue_visibility_timeout(arn)
        if visibility_seconds is not None and visibility_seconds < version.timeout_seconds:
            raise invalid(
                f"Queue visibility timeout: {visibility_seconds} seconds "
                f"is less than Function timeout: {version.timeout_seconds} seconds"
            )

    def _check_stream(self, arn: str, version: FunctionVersion) -> None:
        if not all(
            self._backing.role_allows(version.role_arn, f"dynamodb:{action}", arn) for action in _STREAM_ACTIONS
        ):
            raise invalid(
                f"Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
                "DescribeStream, and ListStreams Actions on your stream in IAM."
            )
        if not self._backing.source_exists(arn):
            raise invalid(f"Stream not found: {arn}")

    def _check_single(self, mapping: EventSourceMapping) -> None:
        for other in self._mappings.values():
            same = (other.source_arn, other.function_arn) == (mapping.source_arn, mapping.function_arn)
            if same and other.uuid != mapping.uuid:
                name = mapping.function_arn.partition(":function:")[2]
                raise conflict(
                    f'The event source arn (" {mapping.source_arn} ") and function (" {name} ") provided mapping '
                    f"already exists. Please update or delete the existing mapping with UUID {other.uuid}"
                )
