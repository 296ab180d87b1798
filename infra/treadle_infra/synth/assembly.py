"""Topology + artifacts -> Assembly: everything that AWS or the emulator needs, in one folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from treadle_infra.artifacts.files import replace_file
from treadle_infra.artifacts.model import Artifact
from treadle_infra.synth.entries import Object
from treadle_infra.synth.manifest import artifact_file, artifact_object_key, build_manifest
from treadle_infra.synth.template import TEMPLATE_FILE, StackTemplate, build_stacks, template_text
from treadle_infra.topology.model import Topology

MANIFEST_FILE = "manifest.json"

_ARTIFACT_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Assembly:
    """What `synthesize` makes: the stacks in the order in which they come up, the manifest, the zips sorted by key."""

    app: str
    stage: str
    stack_name: str
    stacks: tuple[StackTemplate, ...]
    manifest: Object
    artifacts: tuple[Artifact, ...]

    @property
    def template(self) -> Object:
        """The template of the app's own stack."""
        return next(stack.template for stack in self.stacks if stack.file == TEMPLATE_FILE)


def synthesize(
    topology: Topology,
    artifacts: Mapping[str, Artifact],
    layers: Mapping[str, Artifact] | None = None,
    former: Mapping[str, str] | None = None,
) -> Assembly:
    """The assembly of a topology. Pure.

    `artifacts` has one entry for each step that has a function, `layers` one for each layer, by its key; `former` the
    stack of each unit that stands somewhere already.
    Raises: TreadleError `stack-too-large`.
    """
    every = {**artifacts, **(layers or {})}
    code_keys = {name: artifact_object_key(topology.app, artifact) for name, artifact in every.items()}
    stacks = build_stacks(topology, code_keys, former or {})
    return Assembly(
        app=topology.app,
        stage=topology.stage,
        stack_name=topology.stack_name,
        stacks=stacks.stacks,
        manifest=build_manifest(topology, stacks, every),
        artifacts=tuple(sorted(every.values(), key=lambda artifact: artifact.key)),
    )


def write_assembly(assembly: Assembly, directory: Path) -> None:
    """Makes `directory` hold exactly this assembly; files that are not an assembly's are left alone.

    Each file is replaced whole and the manifest last, so a reader that starts from the manifest finds what it names;
    what no longer belongs to the assembly goes after that.
    """
    former = _templates_of(directory / MANIFEST_FILE)
    for artifact in assembly.artifacts:
        _write_artifact(artifact, directory / artifact_file(artifact))
    for stack in assembly.stacks:
        _write(directory / stack.file, template_text(stack.template).encode())
    _write(directory / MANIFEST_FILE, (json.dumps(assembly.manifest, indent=1, ensure_ascii=False) + "\n").encode())
    for name in former - {stack.file for stack in assembly.stacks}:
        (directory / name).unlink(missing_ok=True)
    wanted = {artifact.key for artifact in assembly.artifacts}
    for present in directory.glob("artifacts/*.zip"):
        if _ARTIFACT_KEY.fullmatch(present.stem) and present.stem not in wanted:
            present.unlink(missing_ok=True)


def _templates_of(manifest: Path) -> set[str]:
    """The template files of the assembly that stood here before; empty where there was none."""
    try:
        names = json.loads(manifest.read_bytes())["templates"]
        return {name for name in names if name == Path(name).name and name.endswith(".json")}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write_artifact(artifact: Artifact, target: Path) -> None:
    """An artifact of the same key and size is the same artifact."""
    if not (target.exists() and target.stat().st_size == artifact.path.stat().st_size):
        replace_file(target, artifact.path.read_bytes())


def _write(target: Path, content: bytes) -> None:
    if not (target.exists() and target.read_bytes() == content):
        replace_file(target, content)
