"""The whole compiler in one call: a project folder becomes an assembly. What `check`, `synth` and `dev` share."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from treadle_infra.app.findings import Finding, TreadleError, has_errors
from treadle_infra.app.model import App
from treadle_infra.app.stream_access import undeclared_access
from treadle_infra.artifacts.bundle import BundleOptions, bundle
from treadle_infra.artifacts.layers import Layers, check_sizes
from treadle_infra.artifacts.model import Artifact
from treadle_infra.artifacts.project_packages import PackageOptions, ProjectPackages
from treadle_infra.artifacts.proof import Proof, prove
from treadle_infra.discovery.discover import DiscoverOptions, Discovery, discover
from treadle_infra.synth.assembly import Assembly, synthesize
from treadle_infra.topology.build import build_topology
from treadle_infra.topology.check import check
from treadle_infra.topology.model import Topology
from treadle_infra.topology.placement import FormerPlacement, placement
from treadle_infra.topology.system import system_functions


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """`packages` None: the project's requirements are left alone, and a step that imports one is refused.

    `is_for_aws`: whether that is told too which only a stage on AWS does otherwise.
    `proves`: whether each handler is loaded from its zip and layers, which takes its time where one has changed.
    """

    discover: DiscoverOptions
    bundle: BundleOptions
    packages: PackageOptions | None = None
    proves: bool = False
    is_for_aws: bool = True


@dataclass(frozen=True, slots=True)
class Compilation:
    """What became of a project.

    Steps with an error are left out of all but `findings`, so that the rest can run. `assembly` is None where nothing
    is left. `phase_seconds` has the duration of each phase, in order. `untried` are the functions whose handlers could
    not be loaded here, since their packages are for another machine.
    """

    app: App
    topology: Topology
    assembly: Assembly | None
    findings: tuple[Finding, ...]
    phase_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    layers: Layers = field(default_factory=Layers)
    untried: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True where a finding is an error: such a project is not deployed to AWS."""
        return has_errors(self.findings)


def compile_project(
    project: Path, stage: str, options: CompileOptions, former: FormerPlacement | None = None
) -> Compilation:
    """Discovers, bundles, builds, checks and synthesizes `project` for `stage`. Writes nothing but caches.

    What `former` places stays where it is.
    """
    former = former or FormerPlacement()
    stopwatch = _Stopwatch()
    with stopwatch.phase("install"):
        packages = ProjectPackages(project, options.packages)
    with stopwatch.phase("discover"):
        discovery = discover(project, packages.on_path(options.discover), stage)
    with stopwatch.phase("layers"):
        layers = packages.layers(discovery.app)
    with stopwatch.phase("bundle"):
        bundles = bundle(project, discovery.app, options.bundle)
    app = _bundled(packages.placed(discovery.app, layers), bundles.artifacts)
    with stopwatch.phase("build_topology"):
        topology = build_topology(app, placement(app.name, stage, former))
    with stopwatch.phase("check"):
        found = packages.without_consequences(discovery.findings)
        findings = [*packages.findings, *found, *layers.findings, *bundles.findings, *check(topology)]
        is_for_aws = options.packages is None or options.packages.target == "aws"
        findings += check_sizes(app, bundles.artifacts, layers, is_for_aws=is_for_aws)
        findings += undeclared_access(app) if options.is_for_aws else ()
    with stopwatch.phase("synthesize"):
        assembly = None
        try:
            assembly = (
                synthesize(topology, bundles.artifacts, layers.artifacts, former.stacks) if topology.resources else None
            )
        except TreadleError as too_large:
            findings.append(too_large.finding)
    proof = Proof()
    if options.proves and options.packages is not None and not has_errors(findings):
        with stopwatch.phase("prove"):
            proof = prove(project, app, topology, bundles.artifacts, layers, options.packages)
    every = (*findings, *proof.findings)
    return Compilation(app, topology, assembly, every, stopwatch.seconds, layers, proof.untried)


def discover_project(project: Path, options: CompileOptions) -> Discovery:
    """What `compile_project` begins with: the project's app, and all that is wrong before anything is built from it."""
    packages = ProjectPackages(project, options.packages)
    found = discover(project, packages.on_path(options.discover))
    return Discovery(found.app, (*packages.findings, *packages.without_consequences(found.findings)))


def _bundled(app: App, artifacts: Mapping[str, Artifact]) -> App:
    """The app with all that has a zip: nothing at all where Treadle's own functions have none."""
    if not artifacts.keys() >= {*system_functions(app)}:
        return App(app.name)
    return dataclasses.replace(app, steps=tuple(step for step in app.steps if step.name in artifacts))


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started
