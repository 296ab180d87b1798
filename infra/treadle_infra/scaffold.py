"""New projects from templates.

A project has the files of `_common` and those of its template. In some, `NAME` stands for the app's name; `gitignore`
becomes `.gitignore`.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from treadle.names import legal_app_name
from treadle_infra.app.findings import TreadleError

TEMPLATES = ("messaging", "todo-api", "ai-agent", "human-approval")
_COMMON = "_common"
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


def files_of_template(template: str, name: str) -> dict[str, str]:
    """The texts that a project of this legal name gets, by their paths in it, sorted."""
    texts: dict[str, str] = {}
    with as_file(files("treadle_infra") / "templates") as templates:
        for source in (templates / _COMMON, templates / template):
            for path in source.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    relative = path.relative_to(source)
                    target = relative.with_name(".gitignore" if relative.name == "gitignore" else relative.name)
                    text = path.read_text(encoding="utf-8")
                    texts[target.as_posix()] = text.replace("NAME", name) if relative.name in _NAMED else text
    return dict(sorted(texts.items()))


def _write_template(folder: Path, template: str) -> tuple[str, ...]:
    texts = files_of_template(template, legal_app_name(folder.resolve().name))
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return tuple(texts)
