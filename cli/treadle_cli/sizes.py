"""How large the zips of a project are, and what makes them so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle_infra.compile import Compilation


def size_lines(compilation: Compilation) -> Iterator[str]:
    """Each function, then each layer with its packages, the largest first; what counts for the limit is unzipped."""
    from treadle_infra.artifacts.layers import UNZIPPED_LIMIT_BYTES, size_tree

    for entry in sizes_json(compilation)["functions"]:
        share = entry["unzippedBytes"] / UNZIPPED_LIMIT_BYTES
        yield f"{entry['unzippedBytes'] / 1e6:11.1f} MB  {share:4.0%} of the limit  {entry['function']}"
    for key, distributions in compilation.layers.distributions.items():
        layer = compilation.layers.artifacts[key]
        yield f"packages of {', '.join(_functions(compilation, key))}: {layer.path.stat().st_size / 1e6:.1f} MB zipped"
        yield size_tree(distributions)


def untried_line(compilation: Compilation) -> str:
    """Which handlers were not loaded from their zips, and why."""
    architecture, number = compilation.app.architecture, len(compilation.untried)
    shown = ", ".join(compilation.untried[:3]) + (f" and {number - 3} more" if number > 3 else "")
    return f"Not loaded here, since their packages are for {architecture} (their files were looked at): {shown}"


def sizes_json(compilation: Compilation) -> dict[str, Any]:
    """Bytes of each function (its packages among them), and of each layer with its packages."""
    layers = compilation.layers
    assembly = compilation.assembly
    if assembly is None:
        return {"functions": [], "layers": []}
    sizes = {artifact.key: artifact.size for artifact in assembly.artifacts}
    entries: list[Any] = [*assembly.manifest["steps"], *assembly.manifest["systemFunctions"]]  # type: ignore[misc]
    return {
        "functions": [
            {
                "function": entry.get("step") or entry["name"],
                "unzippedBytes": sum(sizes[key] for key in (entry["artifact"], *entry["layers"])),
            }
            for entry in entries
        ],
        "layers": [
            {
                "functions": _functions(compilation, key),
                "unzippedBytes": layers.artifacts[key].size,
                "zippedBytes": layers.artifacts[key].path.stat().st_size,
                "packages": [{"package": one.name, "version": one.version, "bytes": one.size} for one in distributions],
            }
            for key, distributions in layers.distributions.items()
        ],
    }


def _functions(compilation: Compilation, key: str) -> list[str]:
    return [function for function, packages in compilation.layers.sets.items() if packages.key == key]
