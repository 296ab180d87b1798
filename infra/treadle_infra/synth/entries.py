"""The frame of every entry of a template's `Resources`."""

from __future__ import annotations

from treadle_infra.app.model import Json
from treadle_infra.topology.model import Origin

Object = dict[str, Json]


def entry(
    kind: str, origin: Origin, properties: Object, *, note: Object | None = None, attributes: Object | None = None
) -> Object:
    """`note` says what the resource stands for where no step owns it; `attributes` stand beside the properties."""
    metadata: Object = {**(note or {})}
    if origin.step is not None:
        metadata["Step"] = origin.step
    if origin.where is not None:
        metadata["Source"] = str(origin.where)
    whole: Object = {"Type": kind, **(attributes or {})}
    if metadata:
        whole["Metadata"] = {"Treadle": metadata}
    whole["Properties"] = properties
    return whole
