"""How a project is usually compiled: on the interpreter of the Lambda runtime, with what was worked out before kept."""

from __future__ import annotations

from pathlib import Path

from treadle_infra.artifacts.bundle import BundleOptions
from treadle_infra.artifacts.project_packages import PackageOptions
from treadle_infra.compile import CompileOptions
from treadle_infra.discovery.discover import DiscoverOptions
from treadle_infra.discovery.project import read_settings
from treadle_infra.interpreters import find_interpreter
from treadle_infra.packages.platforms import Target
from treadle_infra.project_folder import prepare_folder


def usual_options(project: Path, target: Target = "aws", stage: str = "dev") -> CompileOptions:
    """Options for a project on a stage; its `.treadle` folder is made where it is missing."""
    interpreter = find_interpreter(read_settings(project, stage).python_version)
    cache = prepare_folder(project) / "cache"
    return CompileOptions(
        DiscoverOptions(interpreter=interpreter.path, cache_directory=cache / "discovery"),
        BundleOptions(
            cache_directory=cache / "artifacts", interpreter=interpreter.path if interpreter.matches else None
        ),
        PackageOptions(interpreter, cache / "artifacts", target),
    )
