"""A package index of a few tiny wheels, and projects that require them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.discovered import write
from support.wheels import shared_object, write_wheel
from treadle_infra.compile import Compilation, compile_project
from treadle_infra.options import usual_options
from treadle_infra.packages.platforms import Target

Build = Callable[..., Compilation]

X86_64, ARM64 = 62, 183
ARM64_TAG = "cp313-cp313-manylinux_2_28_aarch64"
X86_64_TAG = "cp313-cp313-manylinux_2_28_x86_64"


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels: each is what its name says."""
    folder = tmp_path_factory.mktemp("index")
    write_wheel(folder, "leaf", files={"leaf/__init__.py": "NAME = 'leaf'\n"})
    write_wheel(folder, "Branch_Lib", files={"branch.py": "import leaf\n"}, requires=("leaf>=1",))
    write_wheel(folder, "extra-lib", files={"extra_lib.py": ""}, requires=('leaf; extra == "leaves"',))
    write_wheel(folder, "cloud-one", files={"cloud/one/__init__.py": "", "bin/cloud-one": "#!x"})
    write_wheel(folder, "cloud-two", files={"cloud/two.py": ""})
    write_wheel(folder, "other-machine", files={"other_machine.py": ""}, tag=X86_64_TAG)
    source_only = folder / "source_only-1.0.tar.gz"
    source_only.write_bytes(b"")
    for name, machine, version in (("honest", ARM64, "2.17"), ("liar", X86_64, "2.17"), ("modern", ARM64, "2.38")):
        binary = shared_object(machine, f"GLIBC_{version}")
        files: dict[str, str | bytes] = {f"{name}/__init__.py": "", f"{name}/_fast.so": binary}
        write_wheel(folder, name, files=files, tag=ARM64_TAG)
        write_wheel(folder, name, files={f"{name}/__init__.py": ""}, tag=X86_64_TAG)
    write_wheel(folder, "treadle", "99.0", files={"treadle/__init__.py": "raise RuntimeError\n"})
    return folder


@pytest.fixture
def build(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds a project of these files against the index, for AWS where nothing else is said."""
    for name in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(index.parent / "uv"))
    monkeypatch.setenv("UV_FIND_LINKS", str(index))

    def built(files: dict[str, str], *, folder: str = "project", target: Target = "aws") -> Compilation:
        project = tmp_path / folder
        project.parent.mkdir(exist_ok=True)
        write(project, files)
        return compile_project(project, "dev", usual_options(project, target))

    return built
