"""The lines that deploying and removing share: what goes on besides the stack's resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from treadle_cli import terminal
from treadle_cli.moments import length
from treadle_cli.plan_view import signed_in_text
from treadle_infra.deploy.happenings import Happening, ResourceMoved, SignedIn, Uploaded, Working

if TYPE_CHECKING:
    from treadle_infra.deploy.happenings import Tell


def preparation_text(happening: Happening, *, on: bool) -> str | None:
    """A line for what happens around the change of the stack; None for its resources, which are shown live."""
    match happening:
        case SignedIn():
            return signed_in_text(happening, on=on)
        case Working():
            return terminal.paint(f"… {terminal.visible(happening.text)}", dim=True, on=on)
        case Uploaded():
            return terminal.paint(f"… {_uploaded(happening)}", dim=True, on=on)
        case ResourceMoved():
            return None


def only_resources(see: Callable[[ResourceMoved], None], rest: Tell) -> Tell:
    """Tells `see` of resources and `rest` of everything else."""

    def tell(happening: Happening) -> None:
        if isinstance(happening, ResourceMoved):
            see(happening)
        else:
            rest(happening)

    return tell


def _uploaded(told: Uploaded) -> str:
    functions = f"{told.artifacts} function{'s' * (told.artifacts != 1)}"
    if not told.sent:
        return f"{functions}, all uploaded before"
    size = f"{told.sent_bytes / 1e6:.1f} MB"
    return f"{functions}, {told.sent} uploaded ({size} in {length(told.seconds * 1000)})"
