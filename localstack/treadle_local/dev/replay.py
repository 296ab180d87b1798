"""Replays an assembly: its artifacts and its template go the way they would go on AWS."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.emulator import Emulator


@dataclass(frozen=True, slots=True)
class Replayable:
    """An assembly as it lies in its folder: the emulator's only source of truth about an app."""

    manifest: Mapping[str, Any]
    templates: Mapping[str, Mapping[str, Any]]
    folder: Path

    @property
    def stacks(self) -> tuple[str, ...]:
        """The names of its stacks, in the order in which they come up."""
        return tuple(str(entry["stack"]) for entry in self.manifest.get("stacks", ()))

    @property
    def steps(self) -> Mapping[str, str]:
        """Steps, and Treadle's own functions, by the names of their functions."""
        named = {str(entry["function"]): str(entry["step"]) for entry in self.manifest["steps"]}
        own = self.manifest.get("systemFunctions", ())
        return named | {str(entry["function"]): str(entry["name"]) for entry in own}

    @property
    def origins(self) -> Mapping[str, Mapping[str, str]]:
        """Where each resource comes from, by logical id: {"Step": …, "Source": …}."""
        return {
            name: resource.get("Metadata", {}).get("Treadle", {})
            for template in self.templates.values()
            for name, resource in cast("Mapping[str, Mapping[str, Any]]", template["Resources"]).items()
        }

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        return tuple((route, str(entry["step"])) for entry in self.manifest["steps"] for route in entry["routes"])

    @property
    def subscriptions(self) -> tuple[tuple[str, str], ...]:
        return tuple((topic, str(entry["step"])) for entry in self.manifest["steps"] for topic in entry["subscribes"])

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(str(entry["stream"]) for entry in self.manifest.get("streams", ()))


NOTHING = Replayable({"steps": []}, {}, Path())
"""What a project without a step replays."""


def load(folder: Path) -> Replayable:
    """Reads an assembly that `synth` or `dev` has written."""
    manifest = json.loads((folder / "manifest.json").read_text())
    templates = {entry["stack"]: json.loads((folder / entry["template"]).read_text()) for entry in manifest["stacks"]}
    return Replayable(manifest, templates, folder)


@dataclass(frozen=True, slots=True)
class Replayed:
    """`succeeded`: all stacks are as the assembly says. `outputs` are those of all that came up."""

    succeeded: bool
    outputs: Mapping[str, str]


async def replay(emulator: Emulator, assembly: Replayable) -> Replayed:
    """Uploads the artifacts, then creates or updates the stacks in their order, up to the first that fails.

    Stacks of the same app and stage that the assembly has not are removed at the end.
    Raises: AwsError for what is refused before it begins.
    """
    bucket = f"treadle-artifacts-{emulator.region.account}-{emulator.region.name}"
    await _deposit_or_upload(emulator, assembly, bucket)
    manifest = assembly.manifest
    tags = {"treadle:app": str(manifest["app"]), "treadle:stage": str(manifest["stage"])}
    outputs: dict[str, dict[str, str]] = {}
    for entry in manifest["stacks"]:
        given = {name: outputs[one["stack"]][one["output"]] for name, one in entry["parameters"].items()}
        template = assembly.templates[entry["stack"]]
        if "ArtifactBucket" in template.get("Parameters", {}):
            given["ArtifactBucket"] = bucket
        stack = await emulator.cloudformation.deploy(entry["stack"], template, given, tags)
        outputs[entry["stack"]] = dict(stack.outputs)
        if not stack.succeeded:
            return Replayed(succeeded=False, outputs=_together(outputs))
    await remove_stacks(emulator, str(manifest["stack"]), keep=assembly.stacks)
    return Replayed(succeeded=True, outputs=_together(outputs))


async def remove_stacks(emulator: Emulator, own: str, keep: Collection[str] = ()) -> None:
    """Removes the stacks of an app on a stage, by the name of its own one, the other way round than they came up."""
    present = [name for name in emulator.cloudformation.stack_names() if name == own or name.startswith(f"{own}--")]
    for name in sorted(set(present) - set(keep), key=lambda name: _removal_order(name.removeprefix(own))):
        await emulator.cloudformation.remove(name)


def _removal_order(end: str) -> int:
    return 0 if end.startswith("--steps-") else 1 if end == "" else 2


def _together(outputs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: value for each in outputs.values() for name, value in each.items()}


async def _deposit_or_upload(emulator: Emulator, assembly: Replayable, bucket: str) -> None:
    """Hands over what the functions are made of: without S3 as long as nobody has called it."""
    layers = (artifact["objectKey"] for artifact in assembly.manifest["artifacts"] if "packages" in artifact)
    emulator.unlimited_objects.update((bucket, key) for key in layers)
    for artifact in assembly.manifest["artifacts"]:
        key = artifact["objectKey"]
        known = emulator.moto.deposited(bucket, key)
        content = (assembly.folder / artifact["file"]).read_bytes() if known is None else known
        if not emulator.moto.deposit(bucket, key, content):
            await _upload(emulator, assembly, bucket)
            return


async def _upload(emulator: Emulator, assembly: Replayable, bucket: str) -> None:
    try:
        await emulator.call("s3", "CreateBucket", {"Bucket": bucket})
    except AwsError as refusal:
        if refusal.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
    listed = await emulator.call("s3", "ListObjectsV2", {"Bucket": bucket})
    present = {entry["Key"] for entry in listed.get("Contents", ())}
    for artifact in assembly.manifest["artifacts"]:
        if artifact["objectKey"] not in present:
            content = (assembly.folder / artifact["file"]).read_bytes()
            await emulator.call("s3", "PutObject", {"Bucket": bucket, "Key": artifact["objectKey"], "Body": content})
