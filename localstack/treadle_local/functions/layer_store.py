"""The layers that exist: their versions, and what a function that names some of them gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from treadle_local.aws.service import Region
from treadle_local.functions.code import MAXIMUM_UNZIPPED_BYTES
from treadle_local.functions.model import CodePackage
from treadle_local.functions.refusals import invalid, not_found, not_here
from treadle_local.functions.registry import Policy

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (function layers)
MAXIMUM_LAYERS = 5

# Source: https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html (LayerName)
_FORMS = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<version>\d+))?"
)


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One version of a layer, which never changes."""

    layer_arn: str
    number: int
    package: CodePackage
    created: float
    description: str = ""
    license: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        return f"{self.layer_arn}:{self.number}"


@dataclass(slots=True)
class Layer:
    """A layer with its versions by number. `last_number` stays when they are deleted: no number is used twice."""

    name: str
    arn: str
    versions: dict[int, LayerVersion] = field(default_factory=dict[int, LayerVersion])
    policies: dict[int, Policy] = field(default_factory=dict[int, Policy])
    last_number: int = 0


@dataclass(frozen=True, slots=True)
class LayerReference:
    """A layer of this account and region, and the version of it that is meant (None: not said)."""

    name: str
    number: int | None
    region: Region

    @property
    def layer_arn(self) -> str:
        return self.region.arn("lambda", f"layer:{self.name}")

    @property
    def arn(self) -> str:
        return self.layer_arn if self.number is None else f"{self.layer_arn}:{self.number}"


class LayerStore:
    """All layers of the account."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.layers: dict[str, Layer] = {}

    def reference(self, text: str, number: int | None = None) -> LayerReference:
        """The layer meant by a name or an ARN. Raises ResourceNotFoundException for one that is elsewhere."""
        match = _FORMS.fullmatch(text)
        here = (self.region.name, self.region.account)
        if match is None or (match["region"] or here[0], match["account"] or here[1]) != here:
            raise not_found("The resource you requested does not exist.")
        inner = match["version"]
        return LayerReference(match["name"], int(inner) if inner is not None else number, self.region)

    def find(self, reference: LayerReference) -> LayerVersion | None:
        layer = self.layers.get(reference.name)
        return None if layer is None or reference.number is None else layer.versions.get(reference.number)

    def versions(self) -> Iterator[LayerVersion]:
        for layer in self.layers.values():
            yield from layer.versions.values()

    def packages(self, arns: Sequence[str]) -> tuple[CodePackage, ...]:
        """What a function gets that names these versions. Raises InvalidParameterValueException.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
        """
        if len(arns) > MAXIMUM_LAYERS:
            raise invalid(f"Cannot reference more than {MAXIMUM_LAYERS} layers.")
        packages = tuple(self._package(arn) for arn in arns)
        seen: dict[str, str] = {}
        for arn in arns:
            other = seen.setdefault(arn.rpartition(":")[0], arn)
            if other is not arn:
                raise invalid(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. "
                    f"{other} and {arn} are versions of the same layer."
                )
        return packages

    def _package(self, arn: str) -> CodePackage:
        match = _FORMS.fullmatch(arn)
        if match is None or match["account"] != self.region.account:
            raise not_here(f"{arn}: a layer of another account")
        if match["region"] != self.region.name:
            raise invalid(
                "Layers are not in the same region as the function. "
                f"Layers are expected to be in region {self.region.name}."
            )
        version = self.find(self.reference(arn))
        if version is None:
            raise invalid(f"Layer version {arn} does not exist.")
        return version.package


def check_together(code: CodePackage, layers: Sequence[CodePackage]) -> None:
    """Returns when a function's code and its layers fit into its environment together.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (deployment package, unzipped)
    """
    if any(layer.is_unlimited for layer in layers):
        return
    of_layers = sum(layer.unzipped_size for layer in layers)
    if of_layers > MAXIMUM_UNZIPPED_BYTES:
        raise invalid(f"Layers consume more than the available size of {MAXIMUM_UNZIPPED_BYTES} bytes")
    together = code.unzipped_size + of_layers
    if layers and together > MAXIMUM_UNZIPPED_BYTES:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {MAXIMUM_UNZIPPED_BYTES} bytes. "
            f"The actual size is {together} bytes."
        )
