"""Wheels of a few lines, made on the fly, and a folder of them that stands for the package index."""

from __future__ import annotations

import base64
import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path


def write_wheel(
    index: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes],
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
) -> Path:
    """A wheel with these files, by path in it."""
    metadata = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    contents[f"{metadata}/METADATA"] = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""]).encode()
    contents[f"{metadata}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    record = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
    contents[f"{metadata}/RECORD"] = "\n".join([*record, f"{metadata}/RECORD,,", ""]).encode()
    index.mkdir(parents=True, exist_ok=True)
    wheel = index / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return wheel


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def shared_object(machine: int, *versions: str) -> bytes:
    """An ELF file for this machine that asks the C library for symbols of these versions, such as `GLIBC_2.17`."""
    strings, offsets = b"\0", list[int]()
    for version in versions:
        offsets.append(len(strings))
        strings += version.encode() + b"\0"
    needs = struct.pack("<HHIII", 1, len(versions), 0, 16, 0)
    for number, offset in enumerate(offsets):
        following = 16 if number + 1 < len(offsets) else 0
        needs += struct.pack("<IHHII", 0, 0, 0, offset, following)
    body = 64 + len(needs)
    table = body + len(strings)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        3,
        machine,
        1,
        0,
        0,
        table,
        0,
        64,
        0,
        0,
        64,
        2 if versions else 0,
        0,
    )
    sections = struct.pack("<IIQQQQIIQQ", 0, 0x6FFFFFFE, 0, 0, 64, len(needs), 1, 1, 4, 0)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, body, len(strings), 0, 0, 1, 0)
    return header + needs + strings + sections
