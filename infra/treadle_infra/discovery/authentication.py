"""The project's `authenticate` function: its file, its shape and all that it imports."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from treadle_infra.app.findings import Finding, SourceLocation, error
from treadle_infra.app.model import Authentication
from treadle_infra.discovery.files import ProjectFile
from treadle_infra.discovery.handlers import check_function
from treadle_infra.discovery.modules import Module
from treadle_infra.discovery.places import defined_functions, definition_line
from treadle_infra.discovery.project import AuthenticateSetting
from treadle_infra.discovery.source import Sources

_CODE = "authenticate-invalid"
_PARAMETERS = ("request",)


def authentication_file(setting: AuthenticateSetting, sources: Sources, findings: list[Finding]) -> ProjectFile | None:
    """The file to import; None where the project has no such file, which is then among the findings."""
    if not setting.path:
        return None
    if sources.is_file(setting.path):
        return ProjectFile(setting.path, "authentication", setting.function)
    message = f"`authenticate` names the file `{setting.path}`, which is not in the project"
    findings.append(error(_CODE, message, setting.where, "the path is relative to the project, as in `auth.py:name`"))
    return None


def read_authentication(
    setting: AuthenticateSetting, modules: Iterable[Module], sources: Sources, findings: list[Finding]
) -> Authentication:
    """The function as the setting names it, whatever is wrong with it.

    One that is wrong stays named, so that nobody gets in unasked where the rest of the project goes on.
    """
    module = next((module for module in modules if module.file.kind == "authentication"), None)
    if module is None:
        return Authentication(setting.path, setting.function, (), setting.where)
    findings += module.findings
    content = sources.content(setting.path)
    if module.function is not None:
        where = SourceLocation(setting.path, definition_line(content, setting.function))
        findings += check_function(module.function, setting.function, _PARAMETERS, _CODE, where)
    elif module.is_imported:
        message = f"`{setting.path}` has no function `{setting.function}`, which `authenticate` names"
        meant = get_close_matches(setting.function, defined_functions(content), 1, 0.6)
        hint = (
            f"did you mean `{setting.path}:{meant[0]}`?" if meant else f"write `async def {setting.function}(request):`"
        )
        findings.append(error(_CODE, message, setting.where, hint))
    return Authentication(setting.path, setting.function, module.files, setting.where, module.closure.imports)
