"""Atomic writing: to a temporary name, then a rename."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import url2pathname

from napari_spectrai import swap

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

_STORE = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_ELSEWHERE = "choose a folder that can be written"
_FAILS = "this disk, or that of what is read, fails or is no longer connected; check it, or choose another"
_UNTOUCHED = "what was saved before is untouched"
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ALSO_STORES = frozenset({".npy", ".npz", ".h5", ".hdr", ".mat"})
"""Suffixes of what can be written as a Zarr store, too."""
_LARGEST_OF_FAT = 2**32 - 1
_NEARLY_FULL = 2**20
"""Free bytes below which a failure to write is attributed to a full disk, whatever error a library raises."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Of a `Path`, one of the two bars is left."""

still_writing: list[Callable[[], None]] = []
"""Functions that wait until a library whose threads may still be writing after an error has stopped."""


def local(path: str | bytes | os.PathLike[str]) -> Path:
    """Return the path of a file, which may be given as bytes, as an address ``file://…``, or with ``~`` for the home folder.

    Raises
    ------
    ValueError
        If it is an address of another machine.
    """
    words = os.fsdecode(path)
    found = Path(words)
    if (not _ADDRESS.match(words) and not words.startswith("~")) or found.exists():
        return found
    if words.startswith("~"):
        return found.expanduser()
    if words.startswith("file:"):
        machine, slash, rest = words.removeprefix("file:").removeprefix("//").partition("/")
        if machine in ("", "localhost"):
            return Path(url2pathname(slash + rest))
    raise ValueError(f"{words}: it is an address on another machine; download it, and open the copy")


def size_words(count: float) -> str:
    """Return a number of bytes in words, such as ``"12.3 MB"``."""
    power = 0
    while count >= 1000 and power < 4:
        count, power = count / 1000, power + 1
    return f"{count:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


@contextmanager
def replacing(path: str | Path, *, needs: int = 0, at_most: int = 0, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path`; on success it replaces `path`.

    Works for a file, for a folder (a Zarr store), and for files that belong together: what the body writes next to the
    temporary path under the same stem is moved with it, all together or not at all. If the body raises, all of it is removed and
    what `path` held before is untouched. A process that is killed leaves the old or the new content, see `recover`.

    Parameters
    ----------
    needs : int
        Bytes that will be written, where they are known; if the disk has less, an error is raised at once.
    at_most : int
        Bytes that a compressed file has at most; an error for a full disk says so.
    durable : bool
        Whether the data are flushed to the disk, safe from a loss of power, before this returns.
    """
    path = Path(path)
    _refuse_long(path)
    if path.is_dir():
        _refuse_foreign(path)
    make_folder(path.parent)
    if durable:
        swap.recover(path)
        swap.sweep(path.parent)
    temporary = swap.temporary_name(path)
    free = _free(path.parent) if needs else None
    if free is not None and free < needs:  # before the work, and before a library that ends the process where it cannot write
        raise _full(path, needs=needs, free=free)
    if not _allows(temporary, needs):
        raise _too_large(path)
    try:
        yield temporary
        if path.is_dir():
            _refuse_foreign(path)
        swap.commit(temporary, path, durable=durable)
    except BaseException as error:
        for wait in still_writing:
            wait()
        incomplete = swap.written(temporary)
        explained = _explained(error, path, temporary, needs, at_most)
        for item in incomplete:
            swap.remove(item)
        if explained is not None:
            raise explained from error
        raise
    finally:
        swap.finished(temporary)


@contextmanager
def writing(path: str | Path, *, needs: int = 0) -> Iterator[None]:
    """Let errors of a body that writes into `path`, a store or a folder, name it and say what can be done.

    Errors of other files, and those that do not come from the system, stay as they are.
    """
    path = Path(path)
    try:
        yield
    except OSError as error:
        elsewhere = error.filename is not None and not Path(os.fsdecode(error.filename)).is_relative_to(path.parent)
        explained = None if error.errno is None or elsewhere else _explained(error, path, path, needs)
        if explained is None:
            raise
        raise explained from error


def make_folder(folder: str | Path) -> Path:
    """Make a folder and those above it, where they are not there yet.

    Raises
    ------
    OSError
        If it cannot be made; the message contains the remedy.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if is_of_the_disk(error) and (explained := _explained(error, folder, folder, 0)):
            raise explained from error
        raise type(error)(error.errno, f"{os.strerror(error.errno or 0)}: {_ELSEWHERE}", str(folder)) from error
    return folder


def unwritable(error: OSError, path: Path, needs: int) -> OSError:
    """Return an error of writing a file with a message that says what can be done."""
    return _explained(error, path, path, needs) or error


def is_of_the_disk(error: BaseException) -> bool:
    """Whether an error is due to the disk (full, read-only, a limit), and not to what was asked."""
    return isinstance(error, OSError) and error.errno in (*_FULL, *_UNWRITABLE, errno.EFBIG, errno.EIO)


def recover(path: str | Path) -> None:
    """Complete the renames of a process that was killed while it overwrote `path`; call this before reading."""
    if not Path(path).name:  # the current folder, or the root
        return
    with suppress(OSError):  # where nothing can be completed, reading reports what is wrong
        swap.recover(Path(path))


def clean(path: str | Path) -> None:
    """Remove the partial files that killed processes have left next to `path`."""
    recover(path)
    swap.sweep(Path(path).parent)


def refuse_unwritable(path: str | Path) -> None:
    """Refuse a name in a folder in which nothing can be written, before the work for it starts.

    Raises
    ------
    OSError
        With the remedy.
    """
    if not os.access(Path(path).parent, os.W_OK):
        raise OSError(errno.EACCES, f"{os.strerror(errno.EACCES)}: {_ELSEWHERE}; {_UNTOUCHED}", str(path))


def _explained(error: BaseException, path: Path, temporary: Path, needs: int, at_most: int = 0) -> OSError | None:
    """Return the error with the path, the space needed and what can be done; None where its own message suffices."""
    if not (isinstance(error, OSError) or type(error) is RuntimeError) or _UNTOUCHED in str(error):
        return None
    number = error.errno if isinstance(error, OSError) else None
    free = _free(path.parent)
    so_far = sum(_length(item) for item in swap.written(temporary))
    if number == errno.EFBIG or (number is None and so_far >= _limit()):
        return _too_large(path)
    if number in _FULL or (number is None and free is not None and free < max(needs, _NEARLY_FULL)):
        return _full(path, needs=needs, at_most=at_most, so_far=so_far, free=free)
    if isinstance(error, OSError) and number in (*_UNWRITABLE, errno.EIO):
        remedy = _FAILS if number == errno.EIO else _ELSEWHERE
        return type(error)(number, f"{os.strerror(number or 0)}: {remedy}; {_UNTOUCHED}", str(path))
    if isinstance(error, OSError) and number is not None and str(error.filename) == str(temporary):  # a name that the user has not given
        return type(error)(number, error.strerror, str(path))
    return None


def _full(path: Path, *, needs: int = 0, at_most: int = 0, so_far: int = 0, free: int | None = None) -> OSError:
    have = "" if free is None else f"{size_words(free)} are free"
    if needs:
        want = f"it needs {size_words(needs)}"
    elif at_most:
        want = f"it needs up to {size_words(at_most)} (less if it compresses well)"
    else:
        want = f"it needs more than {size_words(so_far)}" if so_far else ""
    words = " and ".join(filter(None, [want, have])) or "nothing more fits"
    words = f"{os.strerror(errno.ENOSPC)}: {words}; free some space there, or choose another disk"
    return OSError(errno.ENOSPC, f"{words}; {_UNTOUCHED}", str(path))


def _too_large(path: Path) -> OSError:
    words = f"{os.strerror(errno.EFBIG)}: the file system, or a limit of this account, allows no file of this size; choose another disk"
    instead = ", or .zarr, which is a folder of small files" if path.suffix.lower() in _ALSO_STORES else ""
    return OSError(errno.EFBIG, f"{words}{instead}", str(path))


def _limit() -> float:
    """Return the bytes to which the files of this process are limited."""
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return limit if limit >= 0 else float("inf")


def _allows(temporary: Path, size: int) -> bool:
    """Whether the file system and the limits of this process allow a file of so many bytes."""
    if size > _limit():
        return False
    if size <= _LARGEST_OF_FAT:
        return True
    try:
        with temporary.open("wb") as file:
            file.truncate(size)
    except OSError as error:
        return error.errno != errno.EFBIG
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _refuse_long(path: Path) -> None:
    """Refuse a name that the file system cannot hold."""
    length, most = len(os.fsencode(path.name)), 255
    with suppress(AttributeError, OSError, ValueError):  # not on Windows, nor for a folder that is still to be made
        most = os.pathconf(path.parent, "PC_NAME_MAX")
    if length > most:
        words = f"{os.strerror(errno.ENAMETOOLONG)}: the name has {length} bytes, and {most} fit; choose a shorter one"
        raise OSError(errno.ENAMETOOLONG, words, str(path))


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _length(path: Path) -> int:
    with suppress(OSError):
        if path.is_dir():
            return sum(_length(item) for item in path.iterdir())
        return path.lstat().st_size
    return 0


def _refuse_foreign(folder: Path) -> None:
    """Refuse to put a file in the place of a folder that is not a Zarr store."""
    if any(folder.iterdir()) and not any((folder / mark).exists() for mark in _STORE):
        raise FileExistsError(f"{folder} is a folder with other things in it; choose another name, or remove it yourself")


def ending(path: str | Path, suffix: str) -> Path:
    """Return the path, with a suffix appended if it has another: a file that a person did not name must not be replaced."""
    path = Path(path)
    return path if path.suffix.lower() == suffix else path.with_name(f"{path.name}{suffix}")


def write_text(path: str | Path, text: str, *, durable: bool = True) -> None:
    """Write `text` to `path` in one step, as UTF-8."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")
