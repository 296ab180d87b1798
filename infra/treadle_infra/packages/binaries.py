"""Whether Lambda can load a file that is machine code."""

from __future__ import annotations

import re

from treadle_infra.app.model import Architecture
from treadle_infra.packages.elf import MAGIC, read_shared_object
from treadle_infra.packages.platforms import LAMBDA_GLIBC

_SHARED_OBJECT = re.compile(r".+\.(?:so(?:\.\d+)*|dylib|pyd|dll)\Z")


def binary_problem(
    path: str, content: bytes, architecture: Architecture, glibc: tuple[int, int] = LAMBDA_GLIBC
) -> str | None:
    """What keeps Lambda from loading this file; None where nothing does, or where it is no machine code."""
    if not content.startswith(MAGIC):
        return f"`{path}` is not for Linux" if _SHARED_OBJECT.match(path) and _is_foreign(content) else None
    try:
        found = read_shared_object(content)
    except ValueError:
        return f"`{path}` is a damaged ELF file"
    if found is None:
        return None
    if found.machine != architecture:
        return f"`{path}` is for {found.machine}, not for {architecture}"
    if found.glibc is not None and found.glibc > glibc:
        wanted, there = ("{}.{}".format(*version) for version in (found.glibc, glibc))
        return f"`{path}` needs glibc {wanted} and Lambda has {there}"
    return None


def _is_foreign(content: bytes) -> bool:
    """Mach-O (macOS) and PE (Windows); a text, such as a linker script, is nobody's problem."""
    return content[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe") or content[:2] == b"MZ"
