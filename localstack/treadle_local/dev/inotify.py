"""Edits below a folder as Linux tells of them: at once, and without a wake-up while there are none.

Source: https://man7.org/linux/man-pages/man7/inotify.7.html
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _ONLY_FOLDERS, _IS_FOLDER = 0x4000, 0x8000, 0x0100_0000, 0x4000_0000
_WATCHED = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDERS
_EVENT = struct.Struct("iIII")
_READ_BYTES = 65_536

IsOfInterest = Callable[[str], bool]


class Inotify:
    """Calls `touched` on the loop's thread for each file that was written, made, moved or removed.

    A folder is followed where `is_of_interest` says so of its path; a file counts where it says so.
    Raises: OSError where the kernel allows no more watches.
    """

    def __init__(self, root: Path, is_of_interest: IsOfInterest, touched: Callable[[str], None]) -> None:
        self._root = str(root)
        self._is_of_interest = is_of_interest
        self._touched = touched
        self._folders: dict[int, str] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), self._root)
        try:
            self._follow(self._root)
        except OSError:
            os.close(self._descriptor)
            raise
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Watches no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _follow(self, folder: str) -> None:
        """Watches a folder and all of interest below it; links to folders are followed, each folder once."""
        known = len(self._folders)
        path = os.fsencode(folder)
        try:
            watch = self._checked(self._libc.inotify_add_watch(self._descriptor, path, _WATCHED), folder)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # gone since, or not for us: what is in it is no part of the project
        self._folders[watch] = folder
        if len(self._folders) == known:
            return  # it was watched before, under this name or another
        for inner in _folders_in(folder):
            if self._is_of_interest(inner):
                self._follow(inner)

    def _read(self) -> None:
        try:
            content = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(content):
            watch, mask, _, length = _EVENT.unpack_from(content, offset)
            offset += _EVENT.size + length
            name = os.fsdecode(content[offset - length : offset].rstrip(b"\0"))
            self._on_event(watch, mask, name)

    def _on_event(self, watch: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self._folders.clear()
            self._follow(self._root)
            self._touched(self._root)
            return
        if mask & _IGNORED:
            self._folders.pop(watch, None)
            return
        folder = self._folders.get(watch)
        path = f"{folder}/{name}"
        if folder is None or not self._is_of_interest(path):
            return
        if mask & (_CREATE | _MOVED_TO) and (mask & _IS_FOLDER or os.path.isdir(path)):  # noqa: PTH112 - it is a text
            self._follow(path)
        if mask & _CREATE and not mask & _IS_FOLDER and not _is_whole(path):
            return  # it is told again when it is written
        self._touched(path)

    def _checked(self, result: int, path: str) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return result


def _folders_in(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return


def _is_whole(path: str) -> bool:
    """Whether a new file is a link, which nobody writes."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return os.path.islink(path) or status.st_nlink > 1  # noqa: PTH114 - it is a text
