"""Replays an assembly: its artifacts and its template go the way they would go on AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from treadle_local.aws.errors import AwsError
from treadle_local.cloudformation.stacks import Stack
from treadle_local.emulator import Emulator


@dataclass(frozen=True, slots=True)
class Replayable:
    """An assembly as it lies in its folder: the emulator's only source of truth about an app."""

    manifest: Mapping[str, Any]
    template: Mapping[str, Any]
    folder: Path

    @property
    def steps(self) -> Mapping[str, str]:
        """Steps, and Treadle's own functions, by the names of their functions."""
        named = {str(entry["function"]): str(entry["step"]) for entry in self.manifest["steps"]}
        own = self.manifest.get("systemFunctions", ())
        return named | {str(entry["function"]): str(entry["name"]) for entry in own}

    @property
    def origins(self) -> Mapping[str, Mapping[str, str]]:
        """Where each resource comes from, by logical id: {"Step": …, "Source": …}."""
        resources = cast("Mapping[str, Mapping[str, Any]]", self.template["Resources"])
        return {name: resource.get("Metadata", {}).get("Treadle", {}) for name, resource in resources.items()}

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        return tuple((route, str(entry["step"])) for entry in self.manifest["steps"] for route in entry["routes"])

    @property
    def subscriptions(self) -> tuple[tuple[str, str], ...]:
        return tuple((topic, str(entry["step"])) for entry in self.manifest["steps"] for topic in entry["subscribes"])

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(str(entry["stream"]) for entry in self.manifest.get("streams", ()))


NOTHING = Replayable({"steps": []}, {"Resources": {}}, Path())
"""What a project without a step replays."""


def load(folder: Path) -> Replayable:
    """Reads an assembly that `synth` or `dev` has written."""
    manifest = json.loads((folder / "manifest.json").read_text())
    template = json.loads((folder / manifest["templates"][0]).read_text())
    return Replayable(manifest, template, folder)


async def replay(emulator: Emulator, assembly: Replayable) -> Stack:
    """Uploads the artifacts, then creates or updates the stack; returns it when that is over, however it ended.

    Raises: AwsError for what is refused before it begins.
    """
    bucket = f"treadle-artifacts-{emulator.region.account}-{emulator.region.name}"
    await _deposit_or_upload(emulator, assembly, bucket)
    manifest = assembly.manifest
    tags = {"treadle:app": str(manifest["app"]), "treadle:stage": str(manifest["stage"])}
    parameters = {"ArtifactBucket": bucket}
    return await emulator.cloudformation.deploy(str(manifest["stack"]), assembly.template, parameters, tags)


async def _deposit_or_upload(emulator: Emulator, assembly: Replayable, bucket: str) -> None:
    """Hands over what the functions are made of: without S3 as long as nobody has called it."""
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
