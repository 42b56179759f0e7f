"""Move finished files to their final names together, and recover from processes that were killed in between.

Temporary names are ``.TARGET.WRITER.partial*``: TARGET is a digest of the final name, WRITER identifies the process that writes. Where one
rename is not enough, because a folder has to be replaced or several files belong together, a record ``.TARGET.commit`` lists the renames
before the first of them; the next process that writes or reads there completes them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_NAME = re.compile(r"\.([0-9a-f]{12})\.([0-9a-f]{6}-[0-9]{1,12}-[0-9]{1,20}-[0-9a-f]{6})\.(partial|replaced)")
_PATIENCE = 10.0
"""Seconds to wait for another process that is in the middle of its renames."""
_TORN = 1.0
"""Seconds after which a record that cannot be read is that of a killed process."""
_LARGEST_RECORD = 100_000
_MANY = 1000
"""Files from which flushing everything is quicker than flushing each."""

_writing: set[str] = set()
"""Temporary files of this process: the threads of a library may recreate what was removed after a fault."""


@cache
def _machine() -> str:
    """Return a digest of this machine and of the container on it, since containers number their processes separately."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:6]


def _birth(pid: int) -> int | None:
    """Return when a process started, in a count that is independent of changes of the clock; None if no such process is alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return 0 if psutil.pid_exists(pid) else None  # processes of other users may be hidden
    except (OSError, ValueError, IndexError):
        return 0
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return 0


def _is_elsewhere(writer: str) -> bool:
    """Whether the process of this name is one of another machine or container."""
    return writer.partition("-")[0] != _machine()


def _is_dead(writer: str) -> bool:
    """Whether the process of this name has ended; False for processes of other machines, of which that is unknown."""
    _, pid, birth, _ = writer.split("-")
    if _is_elsewhere(writer):
        return False
    if int(pid) == os.getpid() and int(birth) == (_birth(os.getpid()) or 0):
        return writer not in _writing
    found = _birth(int(pid))
    return found is None or (found != int(birth) and 0 not in (found, int(birth)))


def _target(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.stem)).hexdigest()[:12]


def temporary_name(path: Path) -> Path:
    """Return a short temporary name in the folder of `path`, with the same suffix, since writers choose their format by it."""
    pid = os.getpid()
    writer = f"{_machine()}-{pid}-{_birth(pid) or 0}-{uuid.uuid4().hex[:6]}"
    _writing.add(writer)
    return path.with_name(f".{_target(path)}.{writer}.partial{path.suffix}")


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is one that a process has not finished, or not finished removing."""
    return _NAME.match(name) is not None


def finished(temporary: Path) -> None:
    """Note that this process no longer writes under a temporary name."""
    if match := _NAME.match(temporary.name):
        _writing.discard(match[2])


def written(temporary: Path) -> list[Path]:
    """Return all files written under a temporary name, the main file last."""
    prefix = temporary.name.removesuffix(temporary.suffix)
    others = [other for other in _entries(temporary.parent) if other.name.startswith(prefix) and other != temporary]
    return [*sorted(others), *([temporary] if os.path.lexists(temporary) else [])]


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [folder / entry.name for entry in found if entry.name.startswith(".")]
    except OSError:
        return []


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        for _ in range(20):  # the threads of a library may still be writing into it
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                return
            time.sleep(0.05)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove a folder so that no process finds half of it: it gets a temporary name first, by which `sweep` removes what a kill leaves.

    Raises
    ------
    OSError
        If it cannot be renamed, and is untouched; or if something in it cannot be removed, with the name that it has now.
    """
    sweep(folder.parent)
    temporary = temporary_name(folder)
    folder.rename(temporary)
    try:
        remove(temporary)
    finally:
        finished(temporary)
    if temporary.exists():
        raise OSError(errno.EACCES, f"not all of {folder.name} could be removed; remove the rest yourself", str(temporary))


def commit(temporary: Path, path: Path, *, durable: bool) -> None:
    """Rename all that was written under a temporary name to its final names, together or not at all."""
    prefix = temporary.name.removesuffix(temporary.suffix)
    moves = [(item.name, path.stem + item.name.removeprefix(prefix)) for item in written(temporary)]
    if durable:
        flush([path.parent / name for name, _ in moves])
    if len(moves) == 1 and not path.is_dir() and not (temporary.is_dir() and os.path.lexists(path)):
        temporary.replace(path)
    else:
        _swap(path, temporary, moves)
    if durable:
        _flush_folder(path.parent)


def _swap(path: Path, temporary: Path, moves: Sequence[tuple[str, str]]) -> None:
    folder, target = path.parent, _target(path)
    match = _NAME.match(temporary.name)
    assert match is not None  # noqa: S101  # a name of ours
    record = _record(path)
    _take_turn(record, json.dumps({"writer": match[2], "moves": moves}), path)
    done: list[tuple[Path, Path, Path]] = []
    try:
        _apply(folder, target, match[2], moves, done)
    except BaseException:
        for source, place, aside in reversed(done):
            with suppress(OSError):
                if not os.path.lexists(source) and os.path.lexists(place):
                    place.rename(source)
                if os.path.lexists(aside):
                    aside.rename(place)
        record.unlink(missing_ok=True)
        raise
    _flush_folder(folder)
    record.unlink(missing_ok=True)
    for number in range(len(moves)):
        remove(_aside(folder, target, match[2], number))


def _record(path: Path) -> Path:
    return path.with_name(f".{_target(path)}.commit")


def _aside(folder: Path, target: str, writer: str, number: int) -> Path:
    return folder / f".{target}.{writer}.replaced{number}"


def _take_turn(record: Path, text: str, path: Path) -> None:
    """Write the record of the renames, once no other process is in the middle of its own."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            handle = os.open(record, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            break
        except FileExistsError:
            recover(path)
            if time.monotonic() > end:
                words = "another process is writing it at this moment; try again when it has finished"
                raise OSError(errno.EBUSY, words, str(path)) from None
            time.sleep(0.02)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            _sync(file.fileno())
    except BaseException:  # no rename was done
        record.unlink(missing_ok=True)
        raise


def _apply(folder: Path, target: str, writer: str, moves: Sequence[tuple[str, str]], done: list[tuple[Path, Path, Path]]) -> None:
    """Do the renames that are not done yet; existing files are set aside."""
    for number, (name, final) in enumerate(moves):
        source, place, aside = folder / name, folder / final, _aside(folder, target, writer, number)
        if not os.path.lexists(source):
            continue
        done.append((source, place, aside))
        if os.path.lexists(place):
            place.rename(aside)
        source.rename(place)


def recover(path: Path) -> None:
    """Complete the renames to `path` of a process that was killed; if it is alive, wait until it has done them.

    They take milliseconds: what a process of another machine, or of a container that is gone, has not done in `_PATIENCE` it will not do.
    """
    record, end = _record(path), time.monotonic() + _PATIENCE
    while os.path.lexists(record):
        plan = _plan(record, _target(path))
        if plan is None:  # incomplete: no rename was done yet, or it is not one of ours
            if time.monotonic() > end - _PATIENCE + _TORN:
                remove(record)
                return
        elif _is_dead(plan[0]) or (_is_elsewhere(plan[0]) and time.monotonic() > end):
            with suppress(FileNotFoundError):  # another process is completing them, too
                _apply(path.parent, _target(path), *plan, [])
            record.unlink(missing_ok=True)
            for number in range(len(plan[1])):
                remove(_aside(path.parent, _target(path), plan[0], number))
            return
        if time.monotonic() > end:
            return
        time.sleep(0.01)


def _plan(record: Path, target: str) -> tuple[str, list[tuple[str, str]]] | None:
    """Return the writer and the renames of a record; None if it is incomplete, or names other things than files of this writer here."""
    try:
        if record.is_symlink() or record.stat().st_size > _LARGEST_RECORD:
            return None
        plain = json.loads(record.read_text(encoding="utf-8", errors="surrogateescape"))
        writer, moves = str(plain["writer"]), [(str(name), str(final)) for name, final in plain["moves"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    for name, final in moves:
        match = _NAME.match(name)
        if match is None or match.groups() != (target, writer, "partial") or Path(name).name != name:
            return None
        if final in ("", ".", "..") or Path(final).name != final or _NAME.match(final):
            return None
    return writer, moves


def sweep(folder: Path) -> None:
    """Remove unfinished files of dead processes in a folder; what they had finished is moved into place."""
    for item in _entries(folder):
        match = _NAME.match(item.name)
        if match is None or (folder / f".{match[1]}.commit").exists():
            continue  # left to recover()
        if _is_dead(match[2]):
            remove(item)


def flush(paths: Sequence[Path]) -> None:
    """Flush files, and all that is in folders, to the disk."""
    files, folders = list[Path](), list[Path]()
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        for root, _, names in os.walk(path):
            folders.append(Path(root))
            files += [Path(root, name) for name in names]
    if len(files) > _MANY and hasattr(os, "sync"):
        os.sync()
        return
    if len(files) == 1:
        _flush_file(files[0])
        return
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_flush_file, files))
        list(pool.map(_flush_folder, folders))


def _flush_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        _sync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened as a file
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # not supported by the file system, which is no error
            raise
