"""Tags of functions and of event source mappings."""

from __future__ import annotations

from treadle_local.aws.service import Params, Result
from treadle_local.functions.constraints import check_tags
from treadle_local.functions.mappings import Mappings
from treadle_local.functions.references import parse
from treadle_local.functions.refusals import invalid
from treadle_local.functions.registry import Registry


class Tags:
    """The operations on tags."""

    def __init__(self, registry: Registry, mappings: Mappings) -> None:
        self._registry = registry
        self._mappings = mappings

    def tag(self, params: Params) -> Result:
        tags = self._of(params)
        check_tags(tags | params["Tags"])
        tags.update(params["Tags"])
        return {}

    def untag(self, params: Params) -> Result:
        tags = self._of(params)
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags(self, params: Params) -> Result:
        return {"Tags": dict(self._of(params))}

    def _of(self, params: Params) -> dict[str, str]:
        arn: str = params["Resource"]
        if ":event-source-mapping:" in arn:
            return self._mappings.tags(arn.rpartition(":")[2])
        reference = parse(arn, None, self._registry.region)
        if reference.qualifier is not None:
            raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
        return self._registry.find(reference).tags
