"""The lock of a run folder: held by the process that works there. Only the operating system is asked who holds it; no file is trusted."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WORKS, ALONE = 0, 1
"""The bytes of the file that are locked: by any process that works here, and by one that does nothing else and may thus be ended."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
# struct flock, where its layout is known
_LAYOUTS: dict[str, tuple[str, tuple[int, ...]]] = {"linux": ("hhqqi", (0, 1, 2, 3, 4)), "darwin": ("qqihh", (3, 4, 0, 1, 2))}
"""Its format for `struct`, and the places of type, whence, start, length and process in it."""


class HeldError(RuntimeError):
    """A lock that another process holds, or another part of this one."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: the process number (0 where the system does not report it), and whether it does nothing else."""

    pid: int
    alone: bool


@dataclass(frozen=True, slots=True)
class _Held:
    handle: int
    pid: int
    alone: bool


_held: dict[tuple[int, int], _Held] = {}
"""Locks of this process, by device and file: closing any other handle on such a file would release its lock."""


def hold(path: Path, *, alone: bool) -> bool:
    """Take the lock for as long as this process lives or until `release`; return whether the file system supports locks.

    Raises
    ------
    HeldError
        If it is held already.
    """
    if _own(path) is not None:
        raise HeldError(f"{path} is held by this process")
    handle = _opened(path, os.O_RDWR | os.O_CREAT)
    try:
        for byte in (WORKS, ALONE) if alone else (WORKS,):
            _lock(handle, byte)
    except OSError as error:
        os.close(handle)
        if error.errno in _NO_LOCKS:
            return False
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise HeldError(f"{path} is held by another process") from error
        raise
    status = os.fstat(handle)
    _held[status.st_dev, status.st_ino] = _Held(handle, os.getpid(), alone)
    return True


def release(path: Path) -> None:
    """Release the lock, if this process holds it. The file is kept: a lock on a file that was removed would protect nothing."""
    own = _own(path)
    if own is None:
        return
    status = os.fstat(own.handle)
    del _held[status.st_dev, status.st_ino]
    os.close(own.handle)


def holder(path: Path) -> Holder | None:
    """Return who holds the lock; None if nobody does, or the file cannot be one of our lock files."""
    own = _own(path)
    if own is not None:
        return Holder(own.pid, own.alone)
    try:
        handle = _opened(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except OSError:
        return None
    try:
        pid = _asked(handle, WORKS)
        if pid is None:
            return None
        return Holder(pid, _asked(handle, ALONE) is not None)
    finally:
        os.close(handle)


def proven(path: Path, pid: int) -> psutil.Process | None:
    """Return the process that may be ended: according to the system it holds the lock, alone, and has this very file open."""
    try:
        process = psutil.Process(pid)  # from here on psutil notices if the number is reused by another process
        files = [file.path for file in process.open_files()]
    except (psutil.Error, OSError):
        return None
    held = holder(path)
    if held is None or not held.alone or held.pid not in (0, pid) or pid <= 0:
        return None
    with suppress(OSError):
        mine = path.lstat()
        for file in files:
            with suppress(OSError):
                if os.path.samestat(mine, os.lstat(file)):
                    return process
    return None


def _own(path: Path) -> _Held | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    found = _held.get((status.st_dev, status.st_ino))
    return found if found is not None and found.pid == os.getpid() else None  # a fork inherits the table but not the lock


def _opened(path: Path, flags: int) -> int:
    """Open the file itself; raise for a link, which could lead to a file that another program has locked."""
    handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o644)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or path.is_symlink():
        os.close(handle)
        raise OSError(errno.EINVAL, "this is a link or a device, not the lock file of a run; remove it", str(path))
    return handle


if sys.platform == "win32":

    def _lock(handle: int, byte: int) -> None:
        os.lseek(handle, byte, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _asked(handle: int, byte: int) -> int | None:
        try:
            _lock(handle, byte)
        except OSError:
            return 0
        os.lseek(handle, byte, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        return None

else:

    def _lock(handle: int, byte: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)

    def _asked(handle: int, byte: int) -> int | None:
        """Return who has locked a byte, 0 where that is unknown, None where nobody has."""
        layout, order = _LAYOUTS.get(sys.platform, ("", ()))
        if not layout or sys.maxsize < 2**32:
            return _tried(handle, byte)
        given = (fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        places = sorted(range(5), key=lambda number: order[number])
        question = struct.pack(layout, *(given[number] for number in places))
        try:
            answer = struct.unpack(layout, fcntl.fcntl(handle, fcntl.F_GETLK, question))
        except OSError:
            return None
        kind, pid = answer[order[0]], answer[order[4]]
        return None if kind == fcntl.F_UNLCK else max(0, int(pid))

    def _tried(handle: int, byte: int) -> int | None:
        try:
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, byte)
        except OSError:
            return 0
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)
        return None
