"""New steps and streams: one file each, which `treadle check` has nothing against."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treadle_infra.app.findings import TreadleError
from treadle_infra.discovery.config_models import METHODS

StepType = Literal["api", "event", "cron", "stream", "noop"]

_FOLDERS = ("steps", "src")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class StepWishes:
    """What the new step is to have; None or empty: what follows from its name.

    `folder` is relative to the project.
    """

    method: str | None = None
    path: str | None = None
    subscribes: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    cron: str | None = None
    flows: tuple[str, ...] = ()
    folder: str | None = None


def create_step(project: Path, name: str, kind: StepType, wishes: StepWishes) -> str:
    """Writes the file of a new step or stream; returns its path, relative to the project.

    Raises TreadleError `name-not-allowed`, `step-exists`, `folder-not-writable`, `step-config-invalid`.
    """
    words = _WORD.findall(name)
    if not words or re.search(r"[^\w\s.-]", name, re.ASCII):
        raise TreadleError(
            "name-not-allowed", f"`{name}` makes no name for a file", hint="write letters and digits: ResizeImage"
        )
    file_words = "_".join(word.lower() for word in words)
    file_words = re.sub(r"_(step|stream)$", "", file_words)
    folder = wishes.folder or next((name for name in _FOLDERS if (project / name).is_dir()), _FOLDERS[0])
    file = project / folder / f"{file_words}_{'stream' if kind == 'stream' else 'step'}.py"
    text = _text(_step_name(name, words), file_words, kind, wishes)
    if file.exists():
        raise TreadleError("step-exists", f"{file} is there already", hint="choose another name")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise TreadleError(
            "folder-not-writable", f"{file} cannot be written: {problem.strerror}", hint="choose another folder"
        ) from None
    return file.relative_to(project).as_posix()


def _step_name(name: str, words: list[str]) -> str:
    """The name as it was written where that is one word, else its words in one: `resize image` -> `ResizeImage`."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) and name != name.lower():
        return name
    return "".join(word[:1].upper() + word[1:] for word in words)


def _text(name: str, file_words: str, kind: StepType, wishes: StepWishes) -> str:
    config: dict[str, object] = {"name": name, "type": kind}
    parameters, body = "context", [f'context.logger.info("{name} has run")']
    match kind:
        case "api":
            method = (wishes.method or "GET").upper()
            if method not in METHODS:
                message = f"the method must be one of {', '.join(METHODS)}; got `{wishes.method}`"
                raise TreadleError("step-config-invalid", message)
            config |= {"path": wishes.path or f"/{file_words.replace('_', '-')}", "method": method}
            if method in ("POST", "PUT", "PATCH"):
                config["bodySchema"] = {"type": "object", "properties": {}}
            parameters = "req, context"
        case "event":
            config["subscribes"] = list(wishes.subscribes or (f"{file_words.replace('_', '.')}.wanted",))
            config["input"] = {"type": "object", "properties": {}}
            parameters, body = "data, context", [f'context.logger.info("{name} has run", {{"data": data}})']
        case "cron":
            config["cron"] = wishes.cron or "0 9 * * *"
        case "noop":
            config |= {"virtualSubscribes": list(wishes.subscribes), "virtualEmits": list(wishes.emits)}
        case "stream":
            config = {
                "name": file_words,
                "access": "open",
                "schema": {"type": "object", "properties": {}},
                "baseConfig": {"storageType": "default"},
            }
    if wishes.emits and kind in ("api", "event", "cron"):
        config["emits"] = list(wishes.emits)
        body += [f'await context.emit({{"topic": {_written(topic)}, "data": {{}}}})' for topic in wishes.emits]
    if wishes.flows and kind != "stream":
        config["flows"] = list(wishes.flows)
    if kind == "api":
        body.append('return {"status": 200, "body": {"ok": True}}')
    lines = ["config = {", *(f'    "{key}": {_written(value)},' for key, value in config.items()), "}"]
    if kind not in ("stream", "noop"):
        lines += ["", "", f"async def handler({parameters}):", *(f"    {line}" for line in body)]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    """A value of the config as a Python literal: but for truth and nothing, which no config here has, that is JSON."""
    return json.dumps(value, ensure_ascii=False)
