"""New projects from templates.

In a template's text files `NAME` stands for the app's name; `gitignore` becomes `.gitignore`.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from treadle.names import legal_app_name
from treadle_infra.app.findings import TreadleError

TEMPLATES = ("messaging",)
_NAMED = frozenset({"README.md", "treadle.toml"})


def create_project(folder: Path, template: str) -> tuple[str, ...]:
    """Writes a template into a new or empty folder; returns the files written, relative to it.

    Raises TreadleError `no-such-template`, `folder-not-empty`, `folder-not-writable`.
    """
    if template not in TEMPLATES:
        raise TreadleError(
            "no-such-template", f"there is no template `{template}`", hint=f"the templates are: {', '.join(TEMPLATES)}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TreadleError("folder-not-empty", f"{folder} exists and is not empty", hint="choose another name")
    try:
        return _write_template(folder, template)
    except OSError as problem:
        raise TreadleError(
            "folder-not-writable", f"{folder} cannot be written: {problem.strerror}", hint="choose another folder"
        ) from None


def _write_template(folder: Path, template: str) -> tuple[str, ...]:
    name = legal_app_name(folder.resolve().name)
    written: list[str] = []
    with as_file(files("treadle_infra") / "templates" / template) as source:
        for path in sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            relative = path.relative_to(source)
            target = folder / relative.with_name(".gitignore" if relative.name == "gitignore" else relative.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text()
            target.write_text(text.replace("NAME", name) if relative.name in _NAMED else text)
            written.append(target.relative_to(folder).as_posix())
    return tuple(written)
