"""A project's third-party packages through a build: on the path of discovery, then in the layers of the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from treadle_infra.app.findings import Finding, TreadleError
from treadle_infra.app.model import App
from treadle_infra.artifacts.layers import Layers, build_layers
from treadle_infra.discovery.closure import PACKAGE_NOT_REQUIRED_CODE
from treadle_infra.discovery.discover import DiscoverOptions
from treadle_infra.interpreters import Interpreter
from treadle_infra.packages.installing import Installed, forget_unused, install
from treadle_infra.packages.platforms import Target, architecture_of, host_platform, lambda_platform
from treadle_infra.packages.requirements import Requirements, read_requirements


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """`target`: where the functions are to run; discovery always runs here, with the packages for here."""

    interpreter: Interpreter
    cache_directory: Path
    target: Target = "aws"


class ProjectPackages:
    """The requirements of one project, installed for this machine when it is made."""

    def __init__(self, project: Path, options: PackageOptions | None) -> None:
        self._options = options
        self._requirements: Requirements | None = None
        self._here: Installed | None = None
        self.findings: tuple[Finding, ...] = ()
        if options is None:
            return
        try:
            self._requirements = read_requirements(project, options.interpreter.path, options.cache_directory)
            if self._requirements is not None:
                platform = host_platform(options.interpreter)
                self._here = install(self._requirements, platform, options.cache_directory)
        except TreadleError as problem:
            self.findings = (problem.finding,)

    def on_path(self, options: DiscoverOptions) -> DiscoverOptions:
        """The options by which discovery finds the packages."""
        if self._here is None:
            return options
        paths = (*options.extra_paths, str(self._here.folder))
        return dataclasses.replace(options, extra_paths=paths, packages=self._here.distributions.roots)

    def layers(self, app: App) -> Layers:
        """The layers of the app's functions for the target; what cannot be had for it stands in their findings."""
        if self._options is None or self._requirements is None or self._here is None:
            return Layers()
        if not any((*(step.imports for step in app.steps), *_of_streams(app))):
            return Layers()
        cache = self._options.cache_directory
        try:
            installed = self._here
            if self._options.target == "aws":
                platform = lambda_platform(app.architecture, self._options.interpreter)
                installed = install(self._requirements, platform, cache)
        except TreadleError as problem:
            return Layers(findings=(problem.finding,), is_complete=False)
        forget_unused(cache)
        is_for_aws = self._options.target == "aws"
        return build_layers(app, installed, cache, self._requirements.place_of, is_for_aws=is_for_aws)

    def placed(self, app: App, layers: Layers) -> App:
        """The app with its packages, on the target's architecture; without the steps whose packages cannot be had."""
        architecture = app.architecture
        if self._options is not None and self._options.target == "host":
            architecture = architecture_of(self._options.interpreter)
        steps = tuple(step for step in app.steps if step.name not in layers.refused)
        if not layers.is_complete:
            steps = tuple(step for step in steps if not step.imports)
        return dataclasses.replace(app, steps=steps, architecture=architecture, packages=layers.sets)

    def without_consequences(self, findings: Iterable[Finding]) -> list[Finding]:
        """What discovery found; where the packages could not be installed, not that they are missing."""
        return [finding for finding in findings if not (self.findings and finding.code == PACKAGE_NOT_REQUIRED_CODE)]


def _of_streams(app: App) -> list[tuple[str, ...]]:
    imports = [stream.imports for stream in app.streams]
    return [*imports, app.authentication.imports] if app.authentication is not None else imports
