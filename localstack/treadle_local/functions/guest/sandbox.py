"""Mount namespaces: /var/task, /opt and /var/runtime as on Lambda, code that cannot be written, a /tmp of one's own.

Linux only. Where the system does not let this user have them, `Sandbox.enter` says so, and functions see real paths.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

TASK_ROOT = "/var/task"
RUNTIME_ROOT = "/var/runtime"
LAYERS_ROOT = "/opt"

# <linux/sched.h> and <sys/mount.h>
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_NOEXEC, _MS_NOATIME, _MS_NODIRATIME, _MS_RELATIME = 8, 1024, 2048, 1 << 21
_MS_BIND, _MS_MOVE, _MS_REC, _MS_PRIVATE = 4096, 8192, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
# What a mount that is not ours must keep when it is made read-only, as statvfs tells it and as mount takes it.
_KEPT = ((2, _MS_NOSUID), (4, _MS_NODEV), (8, _MS_NOEXEC), (1024, _MS_NOATIME), (2048, _MS_NODIRATIME))

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Has the system kill this process when its parent ends, however that ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        if os.getppid() != parent:  # it has ended meanwhile
            os._exit(1)


class Sandbox:
    """The mount namespace of a preloaded parent; each of its children makes a copy of its own with `seal`."""

    def __init__(self) -> None:
        self.layers_root: str | None = None

    @classmethod
    def enter(cls, runtime_folder: str, layers: str | None, needed: tuple[str, ...]) -> Sandbox | None:
        """Has the calling process see Lambda's folders; None where the system does not allow it.

        `needed` are folders that must stay where they are, since the interpreter is in them.
        """
        hidden = ("/tmp", TASK_ROOT, RUNTIME_ROOT, *((LAYERS_ROOT,) if layers is not None else ()))  # noqa: S108
        if any(folder == place or folder.startswith(f"{place}/") for folder in needed for place in hidden):
            return None
        try:
            _unshare()
            _mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
            _refill_var()
            _bind_read_only(runtime_folder, RUNTIME_ROOT)
            sandbox = cls()
            if layers is not None and Path(LAYERS_ROOT).is_dir():
                _bind_read_only(layers, LAYERS_ROOT)
                sandbox.layers_root = LAYERS_ROOT
        except OSError:
            return None
        return sandbox

    def seal(self, task_root: str, temporary_mb: int, project: str | None = None) -> None:
        """Gives the calling process, a child, its code at /var/task and an empty /tmp of so many MB.

        `project`: a folder that it sees, and may write, around its own files in /var/task/app.
        Raises OSError.
        """
        _call(_libc.unshare, _CLONE_NEWNS)
        _bind_read_only(task_root, TASK_ROOT)
        if project is not None:
            _show_around(f"{TASK_ROOT}/app", project)
        _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={temporary_mb}m,mode=1777")  # noqa: S108


def _unshare() -> None:
    """A mount namespace, in a user namespace of its own where this user may not have one without."""
    if _libc.unshare(_CLONE_NEWNS) == 0:
        return
    user, group = os.getuid(), os.getgid()
    _call(_libc.unshare, _CLONE_NEWUSER | _CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _refill_var() -> None:
    """A /var with all that it had, and folders of ours in it."""
    staging = "/tmp"  # noqa: S108 - hidden by the tmpfs until that is moved away
    _mount("tmpfs", staging, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
    for entry in Path("/var").iterdir():
        place = Path(staging, entry.name)
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
        elif entry.is_dir():
            place.mkdir()
            _mount(str(entry), str(place), flags=_MS_BIND | _MS_REC)
    for name in ("task", "runtime"):
        Path(staging, name).mkdir(exist_ok=True)
    _mount(staging, "/var", flags=_MS_MOVE)


def _bind_read_only(source: str, target: str) -> None:
    _mount(source, target, flags=_MS_BIND)
    flags = os.statvfs(target).f_flag
    kept = sum(asked for told, asked in _KEPT if flags & told)
    _mount("none", target, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _show_around(own: str, project: str) -> None:
    """Has `own` show the project, with the files that `own` had in their places: these stay as they are, read-only."""
    files = [f"{folder}/{name}" for folder, _, names in os.walk(own) for name in names]
    opened = [(file, os.open(file, os.O_PATH)) for file in files]  # their paths are about to be the project's
    if opened:
        _mount(project, own, flags=_MS_BIND | _MS_REC)
    for file, descriptor in opened:
        with contextlib.suppress(FileNotFoundError):  # the project has it no more
            _mount(f"/proc/self/fd/{descriptor}", file, flags=_MS_BIND)
        os.close(descriptor)


def _mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _call(_libc.mount, *texts, ctypes.c_ulong(flags), None if data is None else data.encode())


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
