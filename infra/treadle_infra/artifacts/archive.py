"""A zip file whose bytes depend on its entries only: no clock, no umask, no order of a directory listing.

Written by hand because one deflated entry then serves the zips of all steps: nearly everything in them is the same.
Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MADE_BY_UNIX = (3 << 8) | _VERSION
_UTF8_NAMES = 0x800
_DEFLATED = 8
_TIME, _DATE = 0, (1 << 5) | 1
"""Midnight of 1980-01-01, the first moment that a zip can tell."""
_REGULAR_FILE_0644 = 0o100644 << 16
_COMPRESSION_LEVEL = 9
_SMALL_BYTES = 32_768
"""A file of this size is remembered deflated: from one build to the next nearly all of a zip is the same."""


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file as it stands in a zip: deflated bytes, CRC-32 and size of the content."""

    deflated: bytes
    crc: int
    size: int


def archive_entry(content: bytes) -> ArchiveEntry:
    """The entry of a file with this content."""
    return _small_entry(content) if len(content) <= _SMALL_BYTES else deflated_entry(content)


@lru_cache(512)
def _small_entry(content: bytes) -> ArchiveEntry:
    return deflated_entry(content)


def deflated_entry(content: bytes, level: int = _COMPRESSION_LEVEL) -> ArchiveEntry:
    """The entry of a file with this content, deflated anew."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return ArchiveEntry(compressor.compress(content) + compressor.flush(), zlib.crc32(content), len(content))


def build_archive(entries: Mapping[str, ArchiveEntry]) -> bytes:
    """The zip of these files, by path, sorted; every file has mode 0644 and the date 1980-01-01."""
    body, directory, offset = list[bytes](), list[bytes](), 0
    for path, entry in sorted(entries.items()):
        name = path.encode()
        common = (_VERSION, _UTF8_NAMES, _DEFLATED, _TIME, _DATE, entry.crc, len(entry.deflated), entry.size, len(name))
        body += (_LOCAL_HEADER.pack(b"PK\x03\x04", *common, 0), name, entry.deflated)
        directory += (
            _CENTRAL_HEADER.pack(b"PK\x01\x02", _MADE_BY_UNIX, *common, 0, 0, 0, 0, _REGULAR_FILE_0644, offset),
            name,
        )
        offset += _LOCAL_HEADER.size + len(name) + len(entry.deflated)
    central = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(central), offset, 0)
    return b"".join((*body, central, end))
