"""What a process has written, as log records: lines of what it printed, and what AWS's client framed as one record."""

from __future__ import annotations

import fcntl
import os
import sys

_PIPE_BYTES = 1024 * 1024
_READ_BYTES = 65536
_FRAME = b"\xa5\x5a\x00"
"""How a frame begins: four bytes of kind and level, four of length, eight of time, then the record.

No text in UTF-8 has these bytes, so frames and lines come in one pipe, in the order in which they were written.
"""
_HEADER_BYTES = 16


class Output:
    """The pipe that a process writes to. `descriptor` is -1 once it is closed."""

    def __init__(self) -> None:
        self.descriptor, self.theirs = os.pipe()
        os.set_blocking(self.descriptor, False)
        self.is_long = False
        self.has_ended = False
        """Whether nobody can write to it any more."""
        self._partial = b""
        if sys.platform == "linux":
            try:
                self.is_long = fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, _PIPE_BYTES) >= _PIPE_BYTES
            except OSError:  # the user may have too much in pipes already
                self.is_long = False

    def hand_over(self) -> None:
        """Closes the process's side here, once the process has it."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        self.hand_over()
        self.has_ended = True
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def read(self) -> list[str]:
        """The whole records that have come since the last time."""
        texts: list[str] = []
        while self.descriptor >= 0:
            try:
                chunk = os.read(self.descriptor, _READ_BYTES)
            except (BlockingIOError, OSError):
                break
            if not chunk:
                self.has_ended = True
                break
            self._partial = _take(self._partial + chunk, texts)
        return texts

    def rest(self) -> list[str]:
        """What was begun and not ended, when the process is gone."""
        partial, self._partial = self._partial, b""
        text = partial[_HEADER_BYTES:] if partial.startswith(_FRAME) else partial
        return [text.decode("utf-8", "replace")] if text else []


def _take(data: bytes, texts: list[str]) -> bytes:
    """Adds the whole records at the beginning of `data` to `texts`; returns what is left."""
    while (begin := data.find(_FRAME)) >= 0:
        texts += [line.decode("utf-8", "replace") for line in data[:begin].split(b"\n") if line]
        data = data[begin:]
        end = _HEADER_BYTES + int.from_bytes(data[4:8], "big")
        if len(data) < end or len(data) < _HEADER_BYTES:
            return data
        texts.append(data[_HEADER_BYTES:end].decode("utf-8", "replace").rstrip("\n"))
        data = data[end:]
    *lines, partial = data.split(b"\n")
    texts += [line.decode("utf-8", "replace") for line in lines if line]
    return partial
