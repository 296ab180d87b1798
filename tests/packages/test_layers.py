"""What steps import of third-party packages becomes layers: one for each set of packages, the same on every machine."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from packages.conftest import Build
from support.discovered import api, write
from support.wheels import write_wheel
from treadle_infra.compile import Compilation


def step(name: str, source: str = "") -> str:
    return f"{source}\n{api()}".replace('"Hello"', f'"{name}"').replace('"/hello"', f'"/{name.lower()}"')


def packages_of(compilation: Compilation) -> dict[str, tuple[str, ...]]:
    assert [str(finding) for finding in compilation.findings] == []
    return {function: packages.names for function, packages in compilation.app.packages.items()}


def names_in(compilation: Compilation, function: str) -> list[str]:
    key = compilation.app.packages[function].key
    return zipfile.ZipFile(compilation.layers.artifacts[key].path).namelist()


def template_of(compilation: Compilation) -> dict[str, Any]:
    assert compilation.assembly is not None
    return compilation.assembly.template["Resources"]  # type: ignore[return-value]


def found(compilation: Compilation) -> tuple[str, str, str]:
    assert len(compilation.findings) == 1, "\n".join(str(finding) for finding in compilation.findings)
    finding = compilation.findings[0]
    assert finding.hint
    return finding.code, str(finding.where), finding.message


STEPS = {
    "steps/a_step.py": step("A", "import leaf"),
    "steps/b_step.py": step("B", "import helper"),
    "steps/helper.py": "import branch\n",
    "steps/c_step.py": step("C", "import json, boto3"),
    "steps/d_step.py": step("D", "from leaf import NAME"),
}


def test_steps_with_the_same_packages_share_a_layer_and_one_without_has_none(build: Build) -> None:
    compilation = build({**STEPS, "requirements.txt": "branch.lib\nextra-lib\n"})

    leaf, branch = ("leaf 1.0",), ("Branch_Lib 1.0", "leaf 1.0")
    assert packages_of(compilation) == {"A": leaf, "B": branch, "D": leaf}
    resources = template_of(compilation)
    layers = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::Lambda::LayerVersion"}
    assert sorted(layer["Description"] for layer in layers.values()) == ["Branch_Lib 1.0, leaf 1.0", "leaf 1.0"]
    assert all(layer["CompatibleRuntimes"] == ["python3.13"] for layer in layers.values())
    assert all(layer["CompatibleArchitectures"] == ["arm64"] for layer in layers.values())
    functions = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"}
    assert functions["FunctionA"]["Layers"] == functions["FunctionD"]["Layers"] != functions["FunctionB"]["Layers"]
    assert "Layers" not in functions["FunctionC"]


def test_a_layer_holds_the_packages_and_their_bytecode_and_nothing_of_the_installer(build: Build) -> None:
    compilation = build({"steps/a_step.py": step("A", "import leaf"), "requirements.txt": "leaf\n"})

    assert names_in(compilation, "A") == [
        "python/leaf-1.0.dist-info/METADATA",
        "python/leaf-1.0.dist-info/WHEEL",
        "python/leaf/__init__.py",
        "python/leaf/__pycache__/__init__.cpython-313.pyc",
    ]


def test_two_builds_from_two_folders_give_the_same_bytes(build: Build) -> None:
    files = {**STEPS, "requirements.txt": "Branch_Lib\n"}
    first, second = build(files, folder="one/app"), build(files, folder="two/app")

    assert first.assembly is not None
    assert second.assembly is not None
    assert first.assembly.stacks == second.assembly.stacks
    one = {artifact.key: artifact.path.read_bytes() for artifact in first.assembly.artifacts}
    assert one == {artifact.key: artifact.path.read_bytes() for artifact in second.assembly.artifacts}


def test_the_packages_of_one_namespace_go_each_where_it_is_imported(build: Build) -> None:
    compilation = build(
        {
            "steps/a_step.py": step("A", "import cloud.one"),
            "steps/b_step.py": step("B", "from cloud import two"),
            "requirements.txt": "cloud-one\ncloud-two\n",
        }
    )

    assert packages_of(compilation) == {"A": ("cloud-one 1.0",), "B": ("cloud-two 1.0",)}
    assert not any("bin" in name for name in names_in(compilation, "A"))


def test_what_an_extra_may_ask_for_comes_along_where_it_is_installed(build: Build) -> None:
    files = {"steps/a_step.py": step("A", "import extra_lib"), "requirements.txt": "extra-lib\n"}

    assert packages_of(build(files)) == {"A": ("extra-lib 1.0",)}
    assert packages_of(build({**files, "requirements.txt": "extra-lib[leaves]\n"})) == {
        "A": ("extra-lib 1.0", "leaf 1.0")
    }


def test_treadle_among_the_requirements_is_left_to_treadle(build: Build) -> None:
    compilation = build({"steps/a_step.py": step("A", "import leaf"), "requirements.txt": "leaf\ntreadle\n"})

    assert packages_of(compilation) == {"A": ("leaf 1.0",)}


@pytest.mark.parametrize(
    "files",
    [
        {
            "requirements.txt": "-r base/all.txt\n",
            "base/all.txt": "-c pins.txt\nleaf\n",
            "base/pins.txt": "leaf==1.0\n",
        },
        {"requirements.txt": "leaf ; python_version >= '3.9'\nnot-there ; python_version < '3'\n"},
        {"pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["leaf"]\n'},
    ],
)
def test_requirements_stand_in_any_of_the_usual_files(build: Build, files: dict[str, str]) -> None:
    assert packages_of(build({"steps/a_step.py": step("A", "import leaf"), **files})) == {"A": ("leaf 1.0",)}


def test_nothing_is_installed_or_zipped_again_until_a_requirement_changes(
    build: Build, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {**STEPS, "requirements.txt": "-r more.txt\n", "more.txt": "Branch_Lib\n"}
    first = build(files)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))  # whoever asks the index now finds nothing

    edited = build({**files, "steps/a_step.py": step("A", "import leaf\nx = 1")})

    assert packages_of(edited) == packages_of(first)
    assert first.assembly is not None
    assert edited.assembly is not None
    changed = {artifact.key for artifact in edited.assembly.artifacts} - {one.key for one in first.assembly.artifacts}
    assert len(changed) == 1
    assert [finding.code for finding in build({**files, "more.txt": "leaf==1.0\nBranch_Lib\n"}).findings] == [
        "package-not-found"
    ]


def test_for_this_machine_the_functions_have_its_architecture(build: Build) -> None:
    import platform

    compilation = build({"steps/a_step.py": step("A", "import honest"), "requirements.txt": "honest\n"}, target="host")

    wanted = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    resources = template_of(compilation)
    assert resources["FunctionA"]["Properties"]["Architectures"] == [wanted]


# refusals


@pytest.mark.parametrize(
    ("requirement", "module", "code", "says"),
    [
        ("not-there", "not_there", "package-not-found", "`not-there`"),
        ("source-only", "source_only", "package-source-only", "`source-only` has no wheel"),
        ("liar", "liar", "package-not-loadable", "`liar/_fast.so` is for x86_64, not for arm64"),
        ("modern", "modern", "package-not-loadable", "`modern/_fast.so` needs glibc 2.38 and Lambda has 2.34"),
        ("other-machine", "other_machine", "package-wrong-platform", "`other-machine`"),
    ],
)
def test_a_package_that_lambda_cannot_run_is_refused_by_name(
    build: Build, requirement: str, module: str, code: str, says: str
) -> None:
    compilation = build(
        {"steps/a_step.py": step("A", f"import {module}"), "requirements.txt": f"leaf\n{requirement}\n"}
    )

    assert found(compilation)[:2] == (code, "requirements.txt:2")
    assert says in found(compilation)[2]


def test_the_same_packages_are_right_for_the_other_architecture(build: Build) -> None:
    files = {
        "steps/a_step.py": step("A", "import other_machine, liar, modern"),
        "requirements.txt": "liar\nmodern\nother-machine\n",
        "treadle.toml": 'architecture = "x86_64"\n',
    }
    compilation = build(files)

    assert packages_of(compilation) == {"A": ("liar 1.0", "modern 1.0", "other-machine 1.0")}
    assert template_of(compilation)["FunctionA"]["Properties"]["Architectures"] == ["x86_64"]


def test_an_import_that_nothing_brings_is_found_with_its_line(build: Build) -> None:
    compilation = build({"steps/a_step.py": step("A", "import leaf\nimport twig"), "requirements.txt": "leaf\n"})

    assert found(compilation)[:2] == ("package-not-required", "steps/a_step.py:2")


def test_packages_that_are_too_large_together_are_shown_by_size(build: Build, index: Path) -> None:
    for number in range(3):
        write_wheel(
            index, f"heavy{number}", files={f"heavy{number}.bin": bytes(90_000_000 + number), f"heavy{number}.py": ""}
        )
    compilation = build(
        {
            "steps/a_step.py": step("A", "import heavy0, heavy1, heavy2, leaf"),
            "steps/b_step.py": step("B", "import heavy0"),
            "requirements.txt": "heavy0\nheavy1\nheavy2\nleaf\n",
        }
    )

    code, where, message = found(compilation)
    assert (code, where) == ("packages-too-large", "steps/a_step.py:2")
    lines = message.splitlines()[1:]
    assert [line.split()[2] for line in lines] == ["heavy2", "heavy1", "heavy0", "leaf"]
    assert [one.name for one in compilation.app.steps] == ["B"]


# packages on this machine


PYPROJECT = """\
[project]
name = "{name}"
version = "1.0"
dependencies = {dependencies}
"""


def test_a_wheel_on_this_machine_is_a_requirement_like_any_other(build: Build, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "own", "own", files={"own.py": ""}, requires=("leaf",))
    compilation = build({"steps/a_step.py": step("A", "import own"), "requirements.txt": f"{wheel}\n"})

    assert packages_of(compilation) == {"A": ("leaf 1.0", "own 1.0")}


def test_the_elf_reader_is_not_misled_by_damage(tmp_path: Path) -> None:
    from support.wheels import shared_object
    from treadle_infra.packages.binaries import binary_problem

    whole = shared_object(183, "GLIBC_2.17", "GLIBC_2.34", "GLIBC_ABI_DT_RELR")
    assert binary_problem("a.so", whole, "arm64") is None
    assert binary_problem("a.so", whole[:100], "arm64") == "`a.so` is a damaged ELF file"
    assert binary_problem("a.so", b"/* GNU ld script */", "arm64") is None
    assert binary_problem("a.so", b"\xcf\xfa\xed\xfe....", "arm64") == "`a.so` is not for Linux"


def test_a_project_of_real_packages_is_packaged_for_both_architectures(tmp_path: Path) -> None:
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    for architecture in ("arm64", "x86_64"):
        project = tmp_path / "real"
        write(
            project,
            {
                "steps/a_step.py": step("A", "import pydantic"),
                "requirements.txt": "pydantic\n",
                "treadle.toml": f'architecture = "{architecture}"\n',
            },
        )
        compilation = compile_project(project, "dev", usual_options(project))
        assert any("pydantic_core/" in name for name in names_in(compilation, "A"))
        assert any(name.startswith("pydantic 2") for name in packages_of(compilation)["A"])


def test_a_member_of_a_workspace_uses_another_one(tmp_path: Path) -> None:
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    builds = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    shared = f'[project]\nname = "shared-kit"\nversion = "1"\n{builds}'
    app = (
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["shared-kit"]\n'
        "[tool.uv.sources]\nshared-kit = { workspace = true }\n"
    )
    write(
        tmp_path / "repo",
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*", "libs/*"]\n',
            "libs/shared/pyproject.toml": shared,
            "libs/shared/shared_kit/__init__.py": "KIND = 'shared'\n",
            "apps/shop/pyproject.toml": app,
            "apps/shop/steps/a_step.py": step("A", "import shared_kit"),
        },
    )
    project = tmp_path / "repo/apps/shop"
    compilation = compile_project(project, "dev", usual_options(project, "host"))

    assert packages_of(compilation) == {"A": ("shared-kit 1",)}
    assert "python/shared_kit/__init__.py" in names_in(compilation, "A")
    before = packages_of(compilation)
    (tmp_path / "repo/libs/shared/shared_kit/more.py").write_text("")
    after = compile_project(project, "dev", usual_options(project, "host"))
    assert packages_of(after) == before
    assert "python/shared_kit/more.py" in names_in(after, "A")


def test_a_path_among_uv_s_sources_is_a_requirement(tmp_path: Path) -> None:
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    builds = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    app = (
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["path-kit"]\n'
        '[tool.uv.sources]\npath-kit = { path = "../kit", editable = true }\n'
    )
    write(
        tmp_path / "repo",
        {
            "kit/pyproject.toml": f'[project]\nname = "path-kit"\nversion = "2"\n{builds}',
            "kit/path_kit/__init__.py": "",
            "shop/pyproject.toml": app,
            "shop/steps/a_step.py": step("A", "import path_kit"),
        },
    )
    compilation = compile_project(tmp_path / "repo/shop", "dev", usual_options(tmp_path / "repo/shop", "host"))
    assert packages_of(compilation) == {"A": ("path-kit 2",)}


def test_an_editable_requirement_is_packaged_as_a_copy(tmp_path: Path) -> None:
    from treadle_infra.compile import compile_project
    from treadle_infra.options import usual_options

    project = tmp_path / "editable"
    pyproject = '[project]\nname = "my-lib"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\n'
    files = {"lib/pyproject.toml": pyproject + 'build-backend = "setuptools.build_meta"\n', "lib/mylib/__init__.py": ""}
    write(project, {**files, "steps/a_step.py": step("A", "import mylib"), "requirements.txt": "-e ./lib\n"})
    compilation = compile_project(project, "dev", usual_options(project, "host"))

    assert packages_of(compilation) == {"A": ("my-lib 1",)}
    assert "python/mylib/__init__.py" in names_in(compilation, "A")
