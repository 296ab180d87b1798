"""The layers of an app: one for each set of third-party packages that some function runs with."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.names import Names
from treadle_infra.app.model import App
from treadle_infra.topology.model import SHARED, Layer
from treadle_infra.topology.references import LayerRef


def layer_resources(app: App, names: Names) -> Iterator[Layer]:
    """The layers, by their keys."""
    sets = {packages.key: packages for packages in app.packages.values()}
    for key in sorted(sets):
        yield Layer(LayerRef(key), names.layer(key), app.runtime, app.architecture, sets[key].names, SHARED)


def layers_of(app: App, function: str) -> tuple[LayerRef, ...]:
    """The layers of a step's function, or of one of Treadle's own."""
    packages = app.packages.get(function)
    return () if packages is None else (LayerRef(packages.key),)
