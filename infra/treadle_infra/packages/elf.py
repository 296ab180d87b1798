"""Reads of an ELF file what decides whether Lambda can load it: its machine, and the C library it asks for.

Source: https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from treadle_infra.app.model import Architecture

MAGIC = b"\x7fELF"

_MACHINES: dict[int, Architecture] = {62: "x86_64", 183: "arm64"}
_OTHER_MACHINES = {3: "i386", 40: "arm", 21: "ppc64", 22: "s390x", 243: "riscv"}
_LITTLE_ENDIAN_64_BIT = b"\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_NEED = struct.Struct("<HHIII")
_NEED_VERSION = struct.Struct("<IHHII")
_NEEDED_VERSIONS = 0x6FFFFFFE
"""SHT_GNU_verneed: the versions of symbols that the file needs of others."""
_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)(?:\.\d+)?\Z")


@dataclass(frozen=True, slots=True)
class SharedObject:
    """`machine` in Lambda's words where it has one; `glibc` is the newest version asked for, None where none is."""

    machine: str
    glibc: tuple[int, int] | None = None


def read_shared_object(content: bytes) -> SharedObject | None:
    """What this file is; None where it is no ELF file.

    Raises: ValueError for one that is damaged.
    """
    if not content.startswith(MAGIC):
        return None
    try:
        (number,) = struct.unpack_from("<H" if content[5] == 1 else ">H", content, 18)
        machine = _MACHINES.get(number) or _OTHER_MACHINES.get(number, f"machine {number}")
        if content[4:6] != _LITTLE_ENDIAN_64_BIT:
            return SharedObject(f"{machine}, not 64-bit little-endian")
        return SharedObject(machine, max(_glibc_versions(content), default=None))
    except (struct.error, IndexError) as problem:
        raise ValueError(f"not a whole ELF file: {problem}") from problem


def _glibc_versions(content: bytes) -> list[tuple[int, int]]:
    _, _, _, _, _, _, table, _, _, _, _, size, count, _ = _HEADER.unpack_from(content)
    sections: list[tuple[int, ...]] = [_SECTION.unpack_from(content, table + number * size) for number in range(count)]
    found: list[tuple[int, int]] = []
    for section in sections:
        if section[1] == _NEEDED_VERSIONS:
            offset, linked, files = section[4], section[6], section[7]
            found += _needed(content, offset, files, sections[linked][4])
    return found


def _needed(content: bytes, offset: int, files: int, strings: int) -> list[tuple[int, int]]:
    """The GLIBC versions in one table; `files` entries, each with a chain of versions."""
    found: list[tuple[int, int]] = []
    for _ in range(files):
        _, versions, _, first, step = _NEED.unpack_from(content, offset)
        at = offset + first
        for _ in range(versions):
            _, _, _, name, next_version = _NEED_VERSION.unpack_from(content, at)
            begin = strings + name
            match = _GLIBC.match(content[begin : content.index(b"\0", begin)])
            if match:
                found.append((int(match[1]), int(match[2])))
            at += next_version
        offset += step
    return found
