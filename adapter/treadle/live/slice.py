"""Reads what one of Treadle's own functions knows of its app: `treadle/system.json` in its zip."""

from __future__ import annotations

import json

from treadle.errors import ManifestError
from treadle.json_values import object_or_none
from treadle.manifest import MANIFEST_VERSION, read_telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.manifest import Telemetry


class FunctionSource:
    """A function of the project's: the file, relative to the project, and its name there."""

    __slots__ = ("function", "source")

    def __init__(self, source: str, function: str) -> None:
        self.source = source
        self.function = function


class SystemSlice:
    """`streams` are the app's, each with the file of its definition where that says who may join, else None.

    `secrets` are variables whose values are fetched when the process starts.
    `open_streams` are those that everybody may follow.
    `triggers` are those on changes, each with its step, as the function that hands changes on needs them.
    `package`: the name by which the project's files import the project, None where they do not.

    {"manifest": 1, "system": "websocket", "authenticate": {"source": "auth.py", "function": "authenticate"},
     "streams": {"messages": {"source": "steps/messages_stream.py", "checksAccess": true}}, "telemetry": null}
    """

    __slots__ = ("authenticate", "open_streams", "package", "secrets", "streams", "system", "telemetry", "triggers")

    def __init__(
        self,
        system: str,
        streams: dict[str, str | None],
        authenticate: FunctionSource | None,
        telemetry: Telemetry | None,
        package: str | None = None,
        secrets: tuple[str, ...] = (),
        open_streams: frozenset[str] = frozenset(),
        triggers: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self.system = system
        self.streams = streams
        self.authenticate = authenticate
        self.telemetry = telemetry
        self.package = package
        self.secrets = secrets
        self.open_streams = open_streams
        self.triggers = triggers


def read_slice(path: str, system: str) -> SystemSlice:
    """The slice in the file at `path`, which must be that of the function `system`.

    Raises: ManifestError, which names the key.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is not loaded at a cold start
            document = object_or_none(json.load(file))
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"{path} is not JSON: {error}") from error
    if document is None or document.get("manifest") != MANIFEST_VERSION:
        raise ManifestError(f"{path}: `manifest` must be {MANIFEST_VERSION}, the only version that this adapter reads")
    if document.get("system") != system:
        raise ManifestError(f"{path}: `system` must be `{system}`, which is what this function is")
    streams: dict[str, Any] = document.get("streams") or {}
    return SystemSlice(
        system,
        {name: _access_source(name, stream, path) for name, stream in streams.items()},
        _authenticate(document.get("authenticate"), path),
        read_telemetry(document, path),
        document.get("package"),
        tuple(document.get("secrets", ())),
        frozenset(name for name, stream in streams.items() if stream.get("isOpen") is True),
        tuple(document.get("triggers", ())),
    )


def _access_source(name: str, stream: dict[str, Any], path: str) -> str | None:
    if not stream.get("checksAccess"):
        return None
    source = stream.get("source")
    if not isinstance(source, str) or not source:
        raise ManifestError(f"{path}: stream `{name}` checks access, so that `source` must be a text")
    return source


def _authenticate(given: dict[str, Any] | None, path: str) -> FunctionSource | None:
    if given is None:
        return None
    source, function = given.get("source"), given.get("function")
    if not isinstance(source, str) or not isinstance(function, str):
        raise ManifestError(f"{path}: `authenticate` must have the texts `source` and `function`")
    return FunctionSource(source, function)
